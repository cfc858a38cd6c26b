#include "providers/filetransfer/proftpd/users.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace postern::proftpd {
namespace {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool ReadNumber(std::string_view text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Empty: an entry. Otherwise why it is none.
std::string ParseEntry(std::string_view text, UserLine& user) {
  const std::vector<std::string> parts = Split(text, ':');
  if (parts.size() != 7) return fmt::format("{} fields instead of 7", parts.size());
  if (parts[0].empty()) return "no name";
  if (!ReadNumber(parts[2], user.uid)) return "the uid isn't a number";
  if (!ReadNumber(parts[3], user.gid)) return "the gid isn't a number";
  user.name = parts[0];
  user.hash = parts[1];
  user.gecos = parts[4];
  user.home = parts[5];
  user.shell = parts[6];
  return "";
}

std::string ParseEntry(std::string_view text, GroupLine& group) {
  const std::vector<std::string> parts = Split(text, ':');
  if (parts.size() != 4) return fmt::format("{} fields instead of 4", parts.size());
  if (parts[0].empty()) return "no name";
  if (!ReadNumber(parts[2], group.gid)) return "the gid isn't a number";
  group.name = parts[0];
  group.hash = parts[1];
  for (std::string& member : Split(parts[3], ',')) {
    if (!member.empty()) group.members.push_back(std::move(member));
  }
  return "";
}

std::string TextOf(const UserLine& user) {
  return fmt::format("{}:{}:{}:{}:{}:{}:{}", user.name, user.hash, user.uid, user.gid, user.gecos,
                     user.home, user.shell);
}

std::string TextOf(const GroupLine& group) {
  return fmt::format("{}:{}:{}:{}", group.name, group.hash, group.gid,
                     fmt::join(group.members, ","));
}

bool IsComment(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r");
  return start == std::string_view::npos || text[start] == '#';
}

}  // namespace

template <class Entry>
AuthText<Entry> AuthText<Entry>::Parse(std::string_view text) {
  AuthText parsed;
  parsed.ends_with_newline_ = text.empty() || text.back() == '\n';
  if (!text.empty() && parsed.ends_with_newline_)
    text.remove_suffix(1);
  else if (text.empty())
    return parsed;
  std::set<std::string> seen;
  uint32_t number = 0;
  for (std::string& line : Split(text, '\n')) {
    ++number;
    Entry entry;
    const std::string why = IsComment(line) ? "comment" : ParseEntry(line, entry);
    Line kept{.text = std::move(line)};
    if (why.empty()) {
      kept.first = seen.insert(entry.name).second;
      if (!kept.first) {
        parsed.problems_.push_back(
            {number, fmt::format("{} stands in an earlier line, which counts", entry.name)});
      }
      kept.entry = std::move(entry);
    } else if (why != "comment") {
      parsed.problems_.push_back({number, why});
    }
    parsed.lines_.push_back(std::move(kept));
  }
  return parsed;
}

template <class Entry>
std::vector<const Entry*> AuthText<Entry>::entries() const {
  std::vector<const Entry*> found;
  for (const Line& line : lines_) {
    if (line.entry && line.first) found.push_back(&*line.entry);
  }
  return found;
}

template <class Entry>
const Entry* AuthText<Entry>::Find(std::string_view name) const {
  for (const Line& line : lines_) {
    if (line.entry && line.first && line.entry->name == name) return &*line.entry;
  }
  return nullptr;
}

template <class Entry>
Result<void> AuthText<Entry>::Put(const Entry& entry) {
  // The line must read back as the same entry: that catches every separator in every field.
  Entry again;
  const std::string text = TextOf(entry);
  if (text.find_first_of("\n\r") != std::string::npos || text.find('\0') != std::string::npos ||
      IsComment(text) || !ParseEntry(text, again).empty() || !(again == entry)) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("{}: a field holds a character that the file can't carry", entry.name));
  }
  for (Line& line : lines_) {
    if (!line.entry || !line.first || line.entry->name != entry.name) continue;
    if (!(*line.entry == entry)) line = {text, entry, true};
    return {};
  }
  ends_with_newline_ = true;
  lines_.push_back({text, entry, true});
  return {};
}

template <class Entry>
bool AuthText<Entry>::Remove(std::string_view name) {
  return std::erase_if(
             lines_, [&](const Line& line) { return line.entry && line.entry->name == name; }) > 0;
}

template <class Entry>
std::string AuthText<Entry>::Render() const {
  std::string text;
  for (size_t i = 0; i < lines_.size(); ++i) {
    text += lines_[i].text;
    if (i + 1 < lines_.size() || ends_with_newline_) text += '\n';
  }
  return text;
}

template class AuthText<UserLine>;
template class AuthText<GroupLine>;

}  // namespace postern::proftpd
