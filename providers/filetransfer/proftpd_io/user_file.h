// providers/filetransfer/proftpd_io/user_file.h: AuthUserFile and AuthGroupFile as lines. Pure.
//
// Lines that aren't touched stay byte for byte, comments and broken ones too: the files may have
// other owners. As in the daemon the first line of a name counts and a line that can't be one is
// skipped. Source: passwd(5), group(5), mod_auth_file of 1.3.8 (observed).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace postern::filetransfer {

// Text in lines, each with its fields; index by the first field of the first line that has it.
class ColonFile {
 public:
  // `fields`: how many a line must have at least to count.
  ColonFile(std::string_view text, size_t fields);
  std::string Text() const;

  // Names in file order, each once.
  const std::vector<std::string>& names() const { return names_; }
  // Null: no such line. Valid until the next change.
  const std::vector<std::string>* Find(const std::string& name) const;
  uint32_t LineOf(const std::string& name) const;
  // Replaces the first line of that name, or appends one.
  void Put(const std::string& name, std::vector<std::string> fields);
  // All lines of that name: a second one would count otherwise.
  void Remove(const std::string& name);

 private:
  struct Line {
    std::string text;
    std::vector<std::string> fields;  // empty: no line of ours
  };
  void Index();

  size_t field_count_;
  std::vector<Line> lines_;
  std::vector<std::string> names_;
  std::map<std::string, size_t> index_;
};

struct UserLine {
  std::string login, hash;
  uint32_t uid = 0, gid = 0;
  std::string comment, home, shell = "/bin/false";
};
// Nothing when an id isn't a number: the daemon can't use such a line either.
std::optional<UserLine> ParseUser(const std::vector<std::string>& fields);
std::vector<std::string> FieldsOf(const UserLine& user);

struct GroupLine {
  std::string name, password = "x";
  uint32_t gid = 0;
  std::set<std::string> members;
};
std::optional<GroupLine> ParseGroup(const std::vector<std::string>& fields);
std::vector<std::string> FieldsOf(const GroupLine& group);

// Why the text can't be a field: it would end it, or the line. Empty: it can.
std::string WhyFieldUnfit(std::string_view text, bool in_list = false);

}  // namespace postern::filetransfer
