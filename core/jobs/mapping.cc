#include "core/jobs/mapping.h"

#include <fmt/format.h>
#include <wctype.h>

#include <cstring>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"

namespace postern::jobs {
namespace {

constexpr char kUnitSeparator = '\x1f';
constexpr uint64_t kComplaints = 100;  // more are counted, not shown

void AppendText(std::string_view text, std::string* out) {
  const auto length = static_cast<uint32_t>(text.size());
  out->append(reinterpret_cast<const char*>(&length), sizeof length);
  out->append(text);
}

std::string_view TakeBytes(std::string_view* from, size_t size) {
  POSTERN_CHECK(from->size() >= size, "a record is whole");
  const std::string_view taken = from->substr(0, size);
  from->remove_prefix(size);
  return taken;
}

uint32_t TakeNumber(std::string_view* from) {
  uint32_t number = 0;
  std::memcpy(&number, TakeBytes(from, sizeof number).data(), sizeof number);
  return number;
}

// The C library's data of Unicode, whatever language the machine speaks.
locale_t Unicode() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  POSTERN_CHECK(locale != nullptr, "the C library has C.UTF-8");
  return locale;
}

void AppendCodePoint(uint32_t point, std::string* out) {
  if (point < 0x80) {
    *out += static_cast<char>(point);
  } else if (point < 0x800) {
    *out += static_cast<char>(0xC0 | point >> 6);
    *out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    *out += static_cast<char>(0xE0 | point >> 12);
    *out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | point >> 18);
    *out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    *out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// Bytes that aren't UTF-8 stay: the writer refuses them with the row's key.
std::string InCase(std::string_view text, bool upper) {
  std::string out;
  while (!text.empty()) {
    const char byte = text.front();
    const int32_t point = diag::TakeCodePoint(&text);
    if (point < 0) {
      out += byte;
      continue;
    }
    const auto wide = static_cast<wint_t>(point);
    AppendCodePoint(upper ? towupper_l(wide, Unicode()) : towlower_l(wide, Unicode()), &out);
  }
  return out;
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

std::string Digits(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= '0' && c <= '9') out += c;
  }
  return out;
}

size_t Length(std::string_view text) {
  size_t points = 0;
  for (const char c : text) points += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return points;
}

std::string Masked(std::string_view text) {
  constexpr size_t kShown = 2;
  const size_t length = Length(text);
  std::string out;
  size_t at = 0;
  while (!text.empty()) {
    const std::string_view whole = text;
    diag::TakeCodePoint(&text);
    const bool shown = length > kShown && at + kShown >= length;
    out += shown ? whole.substr(0, whole.size() - text.size()) : "*";
    ++at;
  }
  return out;
}

}  // namespace

void PackRow(std::span<const Cell> cells, std::string* out) {
  for (const Cell& cell : cells) {
    *out += static_cast<char>(cell.state);
    if (cell.state == Cell::State::kOne) AppendText(cell.text, out);
    if (cell.state != Cell::State::kList) continue;
    const auto count = static_cast<uint32_t>(cell.items.size());
    out->append(reinterpret_cast<const char*>(&count), sizeof count);
    for (const std::string_view item : cell.items) AppendText(item, out);
  }
}

std::span<const Cell> UnpackedRow::Unpack(std::string_view record) {
  for (size_t i = 0; i < cells_.size(); ++i) {
    Cell& cell = cells_[i];
    cell = {static_cast<Cell::State>(TakeBytes(&record, 1).front()), {}, {}};
    if (cell.state == Cell::State::kOne) cell.text = TakeBytes(&record, TakeNumber(&record));
    if (cell.state != Cell::State::kList) continue;
    items_[i].clear();
    for (uint32_t left = TakeNumber(&record); left > 0; --left) {
      items_[i].push_back(TakeBytes(&record, TakeNumber(&record)));
    }
    cell.items = items_[i];
  }
  POSTERN_CHECK(record.empty(), "a record has a cell for each column");
  return cells_;
}

std::span<const Cell> UnpackedRow::OnlyKey(const Shape& shape, std::string_view key) {
  for (size_t i = 0; i < cells_.size(); ++i) {
    cells_[i] = {};
    if (!shape.columns[i].key) continue;
    const size_t end = std::min(key.find(kUnitSeparator), key.size());
    cells_[i] = Cell::One(key.substr(0, end));
    key.remove_prefix(std::min(end + 1, key.size()));
  }
  return cells_;
}

void Mapping::Apply(size_t column, std::string_view value, std::string_view key, std::string* out,
                    diag::Diagnostics* diagnostics) {
  *out = value;
  for (const Step& step : from_[column].steps) {
    switch (step.type) {
      case Step::Type::kUpper:
      case Step::Type::kLower:
        *out = InCase(*out, step.type == Step::Type::kUpper);
        break;
      case Step::Type::kTrim:
        *out = Trimmed(*out);
        break;
      case Step::Type::kDigits:
        *out = Digits(*out);
        break;
      case Step::Type::kHash:
        *out = base::Hex(base::HmacSha256(step.key, *out));
        break;
      case Step::Type::kMask:
        *out = Masked(*out);
        break;
    }
  }
  LookUp(column, key, out, diagnostics);
  CheckLength(column, *out, key, diagnostics);
}

void Mapping::LookUp(size_t column, std::string_view key, std::string* text,
                     diag::Diagnostics* diagnostics) {
  const From& from = from_[column];
  if (from.lookup.empty()) return;
  const auto found = from.lookup.find(*text);
  if (found != from.lookup.end()) {
    *text = found->second;
  } else if (from.otherwise) {
    *text = *from.otherwise;
  } else {
    Refuse(diag::code::kNotInLookup, column, key,
           "its value isn't in lookup",  // which may be nobody's business: the row finds it
           "add it to `lookup`, or say with `otherwise` what all others are", diagnostics);
  }
}

void Mapping::Refuse(const char* code, size_t column, std::string_view key, std::string what,
                     const char* way_out, diag::Diagnostics* diagnostics) {
  if (++refused_ > kComplaints) return;
  diagnostics->Add({.code = code,
                    .summary = fmt::format("row {}, column {}: {}", ShownKey(key),
                                           shape_.columns[column].name, what),
                    .subject = subject_,
                    .notes = {way_out}});
}

void Mapping::CheckLength(size_t column, std::string_view value, std::string_view key,
                          diag::Diagnostics* diagnostics) {
  const From& from = from_[column];
  if (from.max == 0 || value.size() <= from.max) return;
  const size_t length = Length(value);
  if (length <= from.max) return;
  Refuse(diag::code::kValueTooLong, column, key,
         fmt::format("{} characters, at most {}", length, from.max),
         "mend the value at its source, or raise `max`", diagnostics);
}

Cell Mapping::CellOf(size_t column, const Cell& source, std::string_view key,
                     diag::Diagnostics* diagnostics) {
  From& from = from_[column];
  if (source.state == Cell::State::kOne) {
    if (from.steps.empty() && from.lookup.empty()) {
      CheckLength(column, source.text, key, diagnostics);
      return source;
    }
    Apply(column, source.text, key, &from.text, diagnostics);
    return from.text.empty() ? Cell::Empty() : Cell::One(from.text);
  }
  if (source.state != Cell::State::kList) return source;
  from.items.resize(source.items.size());
  from.views.clear();
  for (size_t i = 0; i < source.items.size(); ++i) {
    Apply(column, source.items[i], key, &from.items[i], diagnostics);
    from.views.push_back(from.items[i]);
  }
  return Cell::List(from.views);
}

Result<void> Mapping::EmitRow(const Emit& emit) {
  key_.clear();
  record_.clear();
  AppendKey(shape_, Row{Operation::kNone, cells_}, &key_);
  PackRow(cells_, &record_);
  return emit(key_, record_);
}

AttributeSet Mapping::needs() const {
  AttributeSet needed = 0;
  for (const From& from : from_) {
    if (from.attribute) needed |= AttributeBit(*from.attribute);
  }
  return needed;
}

Result<void> Mapping::Map(const SourceRow& row, const Emit& emit, CensusReport* report,
                          diag::Diagnostics* diagnostics) {
  cells_.resize(from_.size());
  for (size_t i = 0; i < from_.size(); ++i) {
    const From& from = from_[i];
    if (!from.attribute) {
      cells_[i] = Cell::One(from.constant);
      continue;
    }
    if ((row.unreadable >> *from.attribute & 1) != 0) {
      report->incomplete.push_back(
          fmt::format("{}: {} could not be read", ShownKey(row.key), shape_.columns[i].name));
    }
    cells_[i] = CellOf(i, row.cells[*from.attribute], row.key, diagnostics);
  }
  if (!each_) return EmitRow(emit);
  for (const std::string_view value : cells_[*each_].items) {
    const Cell all = cells_[*each_];
    cells_[*each_] = Cell::One(value);
    auto emitted = EmitRow(emit);
    cells_[*each_] = all;
    if (!emitted) return emitted;
  }
  return {};
}

}  // namespace postern::jobs
