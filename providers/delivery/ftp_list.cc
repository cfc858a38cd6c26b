#include "providers/delivery/ftp_list.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace postern::delivery {
namespace {

bool ReadNumber(std::string_view text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

bool SameFact(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

// "20270131235959" or with a fraction behind, UTC; 0 when it isn't that.
base::Instant ReadModify(std::string_view text) {
  uint64_t digits = 0;
  if (text.size() < 14 || !ReadNumber(text.substr(0, 14), &digits)) return 0;
  std::tm time{};
  const auto take = [&](uint64_t count) {
    const auto part = static_cast<int>(digits % count);
    digits /= count;
    return part;
  };
  time.tm_sec = take(100);
  time.tm_min = take(100);
  time.tm_hour = take(100);
  time.tm_mday = take(100);
  time.tm_mon = take(100) - 1;
  time.tm_year = static_cast<int>(digits) - 1900;
  return timegm(&time);
}

}  // namespace

std::optional<object::PlaceFile> ReadFacts(std::string_view line) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos || line.find(';') > blank) return std::nullopt;
  object::PlaceFile file;
  file.name = line.substr(blank + 1);
  std::string_view type;
  for (std::string_view facts = line.substr(0, blank); !facts.empty();) {
    const size_t end = std::min(facts.find(';'), facts.size());
    const std::string_view fact = facts.substr(0, end);
    facts.remove_prefix(std::min(end + 1, facts.size()));
    const size_t equals = fact.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = fact.substr(0, equals), value = fact.substr(equals + 1);
    if (SameFact(name, "type")) type = value;
    if (SameFact(name, "size")) ReadNumber(value, &file.bytes);
    if (SameFact(name, "modify")) file.modified = ReadModify(value);
  }
  if (SameFact(type, "cdir") || SameFact(type, "pdir") || file.name.empty()) return std::nullopt;
  file.folder = SameFact(type, "dir");
  return file;
}

std::optional<object::PlaceFile> ReadLong(std::string_view line) {
  if (line.size() < 10 || std::string_view("-dl").find(line[0]) == std::string_view::npos) {
    return std::nullopt;
  }
  object::PlaceFile file;
  file.folder = line[0] == 'd';
  // Rights, links, owner, group, size, three parts of a time; the name may hold blanks.
  for (int field = 0; field < 8; ++field) {
    const size_t end = line.find(' ');
    if (end == std::string_view::npos) return std::nullopt;
    if (field == 4 && !ReadNumber(line.substr(0, end), &file.bytes)) return std::nullopt;
    line.remove_prefix(std::min(line.find_first_not_of(' ', end), line.size()));
  }
  file.name = line;
  if (file.name.empty() || file.name == "." || file.name == "..") return std::nullopt;
  return file;
}

std::vector<object::PlaceFile> ReadListing(std::string_view text, bool facts, bool* all) {
  std::vector<object::PlaceFile> files;
  *all = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (!facts && line.starts_with("total "))) continue;
    if (auto file = facts ? ReadFacts(line) : ReadLong(line)) {
      files.push_back(std::move(*file));
    } else if (!facts || line.find("dir;") == std::string_view::npos) {
      *all = *all && (line.ends_with(" .") || line.ends_with(" .."));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

}  // namespace postern::delivery
