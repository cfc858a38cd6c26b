// providers/filetransfer/proftpd/users.h: the text of AuthUserFile and AuthGroupFile. Pure.
//
// Lines are shaped as in passwd(5) and group(5). Lines that aren't ours keep their bytes, garbage
// too; where a name stands twice the daemon takes the first line and so do we. Source: 1.3.8,
// observed: a garbage line is skipped, the next login sees a changed file.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::proftpd {

struct UserLine {
  std::string name, hash;
  uint32_t uid = 0, gid = 0;
  std::string gecos, home, shell;
  bool operator==(const UserLine&) const = default;
};

struct GroupLine {
  std::string name, hash;
  uint32_t gid = 0;
  std::vector<std::string> members;
  bool operator==(const GroupLine&) const = default;
};

struct LineProblem {
  uint32_t line = 0;  // from 1
  std::string why;    // never quotes the line: it may hold a hash
};

// A file as its lines. Entry is UserLine or GroupLine.
template <class Entry>
class AuthText {
 public:
  // Accepts any text; what isn't an entry is kept and told in problems().
  static AuthText Parse(std::string_view text);

  // The entries that the daemon sees: the first of each name, in file order.
  std::vector<const Entry*> entries() const;
  const Entry* Find(std::string_view name) const;
  const std::vector<LineProblem>& problems() const { return problems_; }

  // Replaces the first line of that name, or appends one. Errors: kInvalid when a field can't stand
  // in such a line (a colon, a line end, an empty name).
  Result<void> Put(const Entry& entry);
  // Removes every line of that name, shadowed ones too: otherwise the next would come alive.
  // False when there is none.
  bool Remove(std::string_view name);

  // Bytes of untouched lines are as they were.
  std::string Render() const;

 private:
  struct Line {
    std::string text;
    std::optional<Entry> entry;
    bool first = false;  // of its name
  };
  std::vector<Line> lines_;
  std::vector<LineProblem> problems_;
  bool ends_with_newline_ = true;
};

using UserText = AuthText<UserLine>;
using GroupText = AuthText<GroupLine>;
extern template class AuthText<UserLine>;
extern template class AuthText<GroupLine>;

}  // namespace postern::proftpd
