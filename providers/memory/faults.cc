#include "providers/memory/faults.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

namespace postern::memory {
namespace {

using object::Kind;
using object::KindTable;

std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words;
  bool quoted = false, in_word = false;
  for (const char c : line) {
    if (!quoted && c == '#') break;
    if (c == '"') {
      if (!in_word) words.emplace_back();
      in_word = true;
      quoted = !quoted;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      words.back().push_back(c);
    }
  }
  return words;
}

bool Number(const std::vector<std::string>& words, size_t at, uint64_t* value) {
  if (at >= words.size()) return false;
  const std::string& word = words[at];
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *value);
  return error == std::errc() && end == word.data() + word.size();
}

const KindTable* KindAt(const std::vector<std::string>& words, size_t at) {
  return at < words.size() ? object::FindKind(std::string_view(words[at])) : nullptr;
}

uint64_t ValueFields(const KindTable& table, std::string_view name) {
  uint64_t bits = 0;
  for (const object::FieldTable& field : table.fields) {
    if (!field.key && (name == "*" || field.name == name)) bits |= uint64_t{1} << field.number;
  }
  return bits;
}

std::string KeyOf(const KindTable& table, const std::vector<std::string>& words, size_t from) {
  std::string key;
  size_t at = from;
  for (const object::FieldTable& field : table.fields) {
    if (!field.key || at >= words.size()) continue;
    if (at > from) key += object::kKeySeparator;
    key += object::Normalise(field.comparator, words[at++]);
  }
  return key;
}

bool ParseKindFault(const std::vector<std::string>& words, Faults* faults) {
  const std::string& name = words[0];
  const KindTable* table = KindAt(words, 1);
  if (table == nullptr) return false;
  if (name == "deny") return faults->deny.insert(table->kind).second || true;
  if (name == "unstable") return faults->unstable.insert(table->kind).second || true;
  if (name == "lose-sentinel") return faults->lose_sentinel.insert(table->kind).second || true;
  if (name == "unreadable" && words.size() > 2) {
    const uint64_t fields = ValueFields(*table, words[2]);
    faults->unreadable.push_back({table->kind, fields, KeyOf(*table, words, 3)});
    return fields != 0;
  }
  if (name == "short-read") return Number(words, 2, &faults->short_read[table->kind]);
  if (name == "silent-short") return Number(words, 2, &faults->silent_short[table->kind]);
  if (name == "wrong-count") return Number(words, 2, &faults->wrong_count[table->kind]);
  return false;
}

bool ParseFault(const std::vector<std::string>& words, Faults* faults) {
  const std::string& name = words[0];
  if (name == "slow") return Number(words, 1, &faults->slow_ms);
  if (name == "transient") return Number(words, 1, &faults->transient);
  if (name == "lost-answer") return Number(words, 1, &faults->lost_answer);
  if (name == "precondition-drift") return Number(words, 1, &faults->drift);
  if (name == "die-before") return Number(words, 1, &faults->die_before);
  if (name == "die-after") return Number(words, 1, &faults->die_after);
  if (name == "unreachable") return faults->unreachable = true;
  return ParseKindFault(words, faults);
}

}  // namespace

void Faults::Slow() const {
  if (slow_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow_ms));
}

uint64_t Faults::UnreadableFields(Kind kind, std::string_view key) const {
  uint64_t fields = 0;
  for (const Unreadable& fault : unreadable) {
    if (fault.kind == kind && (fault.key.empty() || fault.key == key)) fields |= fault.fields;
  }
  return fields;
}

Result<Faults> ParseFaults(std::string_view text) {
  Faults faults;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    const std::vector<std::string> words = Words(line);
    if (words.empty() || ParseFault(words, &faults)) continue;
    return Fail(ErrorCode::kInvalid, fmt::format("line {} is not a fault: {}", number, line));
  }
  return faults;
}

Result<Faults*> FaultFile::Current() {
  std::ifstream file(path_, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (text.str() != text_) {
    auto parsed = ParseFaults(text.str());
    if (!parsed) return Wrap(path_, parsed.error());
    faults_ = std::move(*parsed);
    text_ = text.str();
  }
  return &faults_;
}

}  // namespace postern::memory
