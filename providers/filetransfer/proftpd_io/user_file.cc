#include "providers/filetransfer/proftpd_io/user_file.h"

#include <algorithm>
#include <charconv>

namespace postern::filetransfer {
namespace {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> out;
  for (;;) {
    const size_t end = text.find(separator);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::string Join(const std::vector<std::string>& fields, char separator) {
  std::string out;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) out += separator;
    out += fields[i];
  }
  return out;
}

bool ReadNumber(const std::string& text, uint32_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

ColonFile::ColonFile(std::string_view text, size_t fields) : field_count_(fields) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    Line line{std::string(text.substr(0, end)), {}};
    if (!line.text.starts_with('#')) line.fields = Split(line.text, ':');
    if (line.fields.size() < field_count_ || line.fields[0].empty()) line.fields.clear();
    lines_.push_back(std::move(line));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  Index();
}

void ColonFile::Index() {
  names_.clear();
  index_.clear();
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (lines_[i].fields.empty()) continue;
    if (index_.emplace(lines_[i].fields[0], i).second) names_.push_back(lines_[i].fields[0]);
  }
}

std::string ColonFile::Text() const {
  std::string out;
  for (const Line& line : lines_) out += line.text + "\n";
  return out;
}

const std::vector<std::string>* ColonFile::Find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &lines_[found->second].fields;
}

uint32_t ColonFile::LineOf(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? 0 : static_cast<uint32_t>(found->second + 1);
}

void ColonFile::Put(const std::string& name, std::vector<std::string> fields) {
  Line line{Join(fields, ':'), std::move(fields)};
  const auto found = index_.find(name);
  if (found == index_.end()) {
    names_.push_back(line.fields[0]);
    index_[line.fields[0]] = lines_.size();
    lines_.push_back(std::move(line));
    return;
  }
  const bool renamed = line.fields[0] != name;
  lines_[found->second] = std::move(line);
  if (renamed) Index();
}

void ColonFile::Remove(const std::string& name) {
  std::erase_if(lines_,
                [&](const Line& line) { return !line.fields.empty() && line.fields[0] == name; });
  Index();
}

std::optional<UserLine> ParseUser(const std::vector<std::string>& fields) {
  UserLine user;
  if (fields.size() < 7 || !ReadNumber(fields[2], &user.uid) || !ReadNumber(fields[3], &user.gid)) {
    return std::nullopt;
  }
  user.login = fields[0];
  user.hash = fields[1];
  user.comment = fields[4];
  user.home = fields[5];
  user.shell = fields[6];
  return user;
}

std::vector<std::string> FieldsOf(const UserLine& user) {
  return {user.login, user.hash, std::to_string(user.uid), std::to_string(user.gid), user.comment,
          user.home,  user.shell};
}

std::optional<GroupLine> ParseGroup(const std::vector<std::string>& fields) {
  GroupLine group;
  if (fields.size() < 3 || !ReadNumber(fields[2], &group.gid)) return std::nullopt;
  group.name = fields[0];
  group.password = fields[1];
  if (fields.size() < 4) return group;
  for (std::string& member : Split(fields[3], ',')) {
    if (!member.empty()) group.members.insert(std::move(member));
  }
  return group;
}

std::vector<std::string> FieldsOf(const GroupLine& group) {
  return {group.name, group.password, std::to_string(group.gid),
          Join({group.members.begin(), group.members.end()}, ',')};
}

std::string WhyFieldUnfit(std::string_view text, bool in_list) {
  for (const unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) return "a control character";
    if (c == ':') return "a colon, which ends a field of the user file";
    if (in_list && c == ',') return "a comma, which separates members of a group";
  }
  return "";
}

}  // namespace postern::filetransfer
