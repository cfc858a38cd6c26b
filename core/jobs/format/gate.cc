// The gate: what a row must be to be taken.
#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/format/intake.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;
constexpr size_t kShown = 60;
constexpr size_t kLongestKey = 4096;  // bytes that are kept of a row that isn't taken

// Printable ASCII throughout: nearly every cell of most files, told eight bytes at a time, the last
// eight overlapping those before.
bool IsPlain(std::string_view text) {
  constexpr uint64_t kHigh = 0x8080808080808080, kOnes = 0x0101010101010101;
  const auto odd = [](uint64_t w) { return ((w - kOnes * 0x20) | (w + kOnes) | w) & kHigh; };
  const char* const at = text.data();
  const size_t size = text.size();
  if (size < 8) {
    for (const char c : text) {
      if (static_cast<signed char>(c) < 0x20 || c == 0x7F) return false;
    }
    return true;
  }
  uint64_t word = 0;
  for (size_t i = 0; i + 8 < size; i += 8) {
    std::memcpy(&word, at + i, 8);
    if (odd(word) != 0) return false;
  }
  std::memcpy(&word, at + size - 8, 8);
  return odd(word) == 0;
}

// Whether a text that isn't plain may hold what diag::IsHidden tells: by the first bytes of those
// characters, so that most letters beyond ASCII needn't be decoded.
bool MayHide(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F || byte == 0xC2 || byte == 0xD8 || byte == 0xE1 ||
           byte == 0xE2 || byte == 0xEF || byte >= 0xF3;
  });
}

size_t CodePoints(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// What a spreadsheet made of a key: 1.23E+05 of 123456, #N/A of nothing.
bool IsSpreadsheetArtefact(std::string_view text) {
  if (text.front() == '#') {
    for (const char* mark : {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"}) {
      if (text == mark) return true;
    }
    return false;
  }
  if (text.front() < '0' || text.front() > '9') return false;
  if (text.find("E+") == std::string_view::npos) return false;
  static const RE2 scientific(R"([0-9](\.[0-9]+)?E\+[0-9]{1,3})");
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), scientific);
}

}  // namespace

std::string Shown(std::string_view text) {
  if (text.size() <= kShown) return diag::Printable(text);
  size_t whole = kShown;
  while (whole > 0 && (static_cast<unsigned char>(text[whole]) & 0xC0) == 0x80) --whole;
  return diag::Printable(text.substr(0, whole)) + "...";
}

Gate::Gate(const Shape& shape, const ReadOptions& options, Verdict* verdict, Taker* taker)
    : shape_(shape),
      options_(options),
      verdict_(verdict),
      taker_(taker),
      first_key_(shape.columns.size()) {
  for (size_t i = 0; i < shape.columns.size(); ++i) {
    const Column& column = shape.columns[i];
    Rule rule;
    rule.zone = *FindZone(column.zone);
    if (!column.pattern.empty()) rule.pattern = std::make_unique<RE2>(column.pattern, RE2::Quiet);
    rules_.push_back(std::move(rule));
    by_name_[column.name] = i;
    if (column.key && first_key_ != shape.columns.size()) many_keys_ = true;
    if (column.key) first_key_ = std::min(first_key_, i);
  }
  const std::string random = base::RandomBytes(hash_key_.size());
  std::memcpy(hash_key_.data(), random.data(), hash_key_.size());
}

std::optional<size_t> Gate::Find(std::string_view column) const {
  const auto at = by_name_.find(absl::string_view(column.data(), column.size()));
  if (at == by_name_.end()) return {};
  return at->second;
}

bool Gate::Begin(const Head& head) {
  Report& report = verdict_->report();
  report.head = head;
  const auto name = [](Mode mode) { return mode == Mode::kDelta ? "a delta" : "a full file"; };
  if (head.mode != shape_.mode) {
    verdict_->Refuse(code::kFileHeader, 0,
                     fmt::format("the file says that it is {}; declared is {}", name(head.mode),
                                 name(shape_.mode)));
    return false;
  }
  const uint64_t last = options_.last_sequence;
  if (last == 0 || head.sequence == 0) return true;
  if (head.sequence <= last) {
    report.older = true;
    report.diagnostics.Add(
        {.severity = diag::Severity::kNote,
         .code = code::kFileOlder,
         .summary = fmt::format("sequence {}, and {} was taken already", head.sequence, last),
         .subject = verdict_->name()});
    return false;
  }
  if (head.mode != Mode::kDelta || head.base_sequence == last) return true;
  verdict_->Refuse(
      code::kFileSequence, 0,
      fmt::format("made for the state {}, the last one taken is {}", head.base_sequence, last),
      "have the files between sent, or a full one");
  return false;
}

bool Gate::Count(uint64_t line) {
  const Report& report = verdict_->report();
  if (verdict_->refused()) return false;
  if (report.rows + report.rejected < options_.limits.rows) return true;
  verdict_->Refuse(code::kFileLimit, line,
                   fmt::format("more than {} rows (limits.rows)", options_.limits.rows));
  return false;
}

void Gate::Reject(uint64_t line, const char* code, const std::string& column, std::string reason) {
  if (!Count(line)) return;
  ++verdict_->report().rejected;
  taker_->Reject(
      {.line = line, .code = code, .column = column, .key = {}, .reason = std::move(reason)});
}

void Gate::Accept(Operation operation, std::span<Cell> cells, uint64_t line) {
  if (!Count(line)) return;
  Report& report = verdict_->report();
  Fault fault;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (CheckCell(i, operation, &cells[i], &fault)) continue;
    key_.clear();
    AppendKey(shape_, Row{operation, cells}, &key_);
    ++report.rejected;
    taker_->Reject({.line = line,
                    .code = fault.code,
                    .column = shape_.columns[i].name,
                    .key = key_.size() <= kLongestKey ? key_ : std::string(),
                    .reason = std::move(fault.reason)});
    return;
  }
  const Row row{operation, cells};
  Remember(row, line);
  ++report.rows;
  taker_->Take(row, line);
}

void Gate::Remember(const Row& row, uint64_t line) {
  std::string_view key = row.cells[first_key_].text;
  if (many_keys_) {
    key_.clear();
    AppendKey(shape_, row, &key_);
    key = key_;
  }
  uint64_t hash = 0;
  // 64 bits under a key of this reading: nobody can choose two keys that meet, and by chance two of
  // a million do once in 37 million files; then two rows are rejected that could have been taken.
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                   hash_key_.data());
  keys_[hash >> (64 - kBucketBits)].emplace_back(hash, static_cast<uint32_t>(line));
}

// Sorted bucket by bucket at the end: a table that is asked for every row misses the cache each
// time, and took a third of the whole reading.
void Gate::RejectTwins() {
  std::vector<std::pair<uint32_t, uint32_t>> twins;  // a line, another with its key
  for (auto& bucket : keys_) {
    std::sort(bucket.begin(), bucket.end());
    for (size_t i = 0; i < bucket.size();) {
      size_t end = i + 1;
      while (end < bucket.size() && bucket[end].first == bucket[i].first) ++end;
      for (size_t k = i; k < end && end - i > 1; ++k) {
        twins.emplace_back(bucket[k].second, bucket[k == i ? i + 1 : i].second);
      }
      i = end;
    }
  }
  std::sort(twins.begin(), twins.end());
  for (const auto& [line, other] : twins) {
    --verdict_->report().rows;
    ++verdict_->report().rejected;
    taker_->Reject({.line = line,
                    .code = code::kRowKeyTwice,
                    .column = {},
                    .key = {},
                    .reason = fmt::format("its key stands in line {} as well", other),
                    .was_taken = true});
  }
}

void Gate::Finish() {
  const Report& report = verdict_->report();
  if (verdict_->over()) return;
  RejectTwins();
  if (report.rows + report.rejected > 0) return;
  if (options_.may_be_empty || shape_.mode == Mode::kDelta) return;
  verdict_->Refuse(code::kFileEmpty, 0, "not one row",
                   "have it sent again; empty = \"intended\" takes it");
}

bool Gate::CheckPresence(const Column& column, Operation operation, const Cell& cell,
                         Fault* fault) {
  // A delete needs its key alone; a change speaks of what changes.
  const bool spared = operation == Operation::kDelete ||
                      (operation == Operation::kModify && cell.state == Cell::State::kAbsent);
  if (!column.key && (!column.required || spared)) return true;
  *fault = {code::kRowMissing, "has no value"};
  return false;
}

bool Gate::CheckCell(size_t column, Operation operation, Cell* cell, Fault* fault) {
  const Column& rule = shape_.columns[column];
  switch (cell->state) {
    case Cell::State::kAbsent:
    case Cell::State::kEmpty:
      return CheckPresence(rule, operation, *cell, fault);
    case Cell::State::kList:
      if (cell->items.empty()) return CheckPresence(rule, operation, *cell, fault);
      return std::all_of(cell->items.begin(), cell->items.end(),
                         [&](std::string_view item) { return CheckText(column, item, fault); });
    case Cell::State::kOne:
      break;
  }
  if (cell->text.empty() && (rule.key || rule.required)) {
    return CheckPresence(rule, operation, *cell, fault);
  }
  if (!CheckText(column, cell->text, fault)) return false;
  if (rule.type == Type::kTime) return MakeTime(column, cell, fault);
  if (rule.type != Type::kBoolean || cell->text == "true" || cell->text == "false") return true;
  *fault = {code::kRowValue, fmt::format("{} isn't true or false", Shown(cell->text))};
  return false;
}

bool Gate::CheckText(size_t column, std::string_view text, Fault* fault) {
  const Column& rule = shape_.columns[column];
  const auto refuse = [&](std::string reason) {
    *fault = {code::kRowValue, std::move(reason)};
    return false;
  };
  if (text.empty()) return rule.type != Type::kList || refuse("has an empty element");
  if (!IsPlain(text)) {
    if (text.find('\0') != std::string_view::npos) return refuse("holds a NUL");
    if (!rule.any_text && MayHide(text) && diag::HasHidden(text)) {
      return refuse(Shown(text) + " has a character that can't be seen");
    }
  }
  if (text.size() > rule.max_length && CodePoints(text) > rule.max_length) {
    return refuse(fmt::format("{} characters, at most {}", CodePoints(text), rule.max_length));
  }
  const bool is_text = rule.type == Type::kText || rule.type == Type::kList;
  if (is_text && !options_.take_formulas && LooksLikeFormula(text)) {
    return refuse(Shown(text) + " would be a formula in a spreadsheet");
  }
  if (rule.key && IsSpreadsheetArtefact(text)) {
    return refuse(Shown(text) + " is what a spreadsheet made of the value");
  }
  const auto& pattern = rules_[column].pattern;
  if (pattern == nullptr || RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *pattern)) {
    return true;
  }
  return refuse(fmt::format("{} doesn't match {}", Shown(text), rule.pattern));
}

bool Gate::MakeTime(size_t column, Cell* cell, Fault* fault) {
  const Column& declared = shape_.columns[column];
  Rule& rule = rules_[column];
  const auto at = declared.time_format.empty()
                      ? base::ParseInstant(cell->text)
                      : ParseLocal(declared.time_format, cell->text, rule.zone);
  if (!at) {
    *fault = {code::kRowValue, fmt::format("{} isn't a time", Shown(cell->text))};
    return false;
  }
  if (declared.time_format.empty() && cell->text.size() == 20 && cell->text.back() == 'Z' &&
      cell->text[10] == 'T') {
    return true;
  }
  if (declared.time_format.empty() && cell->text.size() == 10) {
    rule.canonical.assign(cell->text).append("T00:00:00Z");
  } else {
    rule.canonical = base::FormatInstant(*at);
  }
  cell->text = rule.canonical;
  return true;
}

}  // namespace postern::jobs::internal
