// providers/filetransfer/posix/accounts.h: passwd(5), group(5), shadow(5) of a host. Pure.
//
// Read from `getent` or from the files; a line that is none is told, never silence. Where a name
// stands twice the first line counts, as in nss_files. Hashes are kept only as what they allow.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "providers/filetransfer/posix/acl.h"

namespace postern::posix {

struct User {
  std::string name;
  uint32_t uid = 0, gid = 0;
  std::string gecos, home, shell;
  bool elsewhere = false;  // through NSS: in no file of the host
  bool operator==(const User&) const = default;
};

struct Group {
  std::string name;
  uint32_t gid = 0;
  std::vector<std::string> members;
  bool elsewhere = false;
  bool operator==(const Group&) const = default;
};

// What the second field of shadow lets a password do.
enum class PasswordState : uint8_t {
  kHash,    // a hash that a password can match
  kEmpty,   // no password asked, where the daemon allows that
  kNone,    // "*", "x" or another text that no password matches
  kLocked,  // starts with "!": sshd without PAM refuses keys, too
};
PasswordState StateOf(std::string_view field);

// Days since 1970-01-01 (UTC); absent: the field is empty. shadow(5).
struct Shadow {
  std::string name;
  PasswordState password = PasswordState::kNone;
  std::optional<int64_t> last_change, max_days, inactive_days, expires;
  bool operator==(const Shadow&) const = default;
};

inline constexpr int64_t kSecondsPerDay = 86400;
// The day that a lock writes: long past, and not 0, which shadow(5) leaves open.
inline constexpr int64_t kLockDay = 1;
// The last day field that keeps the account within `until` (its last second): rounded toward less.
int64_t ExpiryDayFor(base::Instant until);
// The day to write for it, and its last second as the day written means it: PAM refuses from the
// first second of that day, sshd without PAM one day later.
inline int64_t DayWritten(base::Instant until, bool pam) {
  return ExpiryDayFor(until) + (pam ? 1 : 0);
}
inline base::Instant LastSecondOf(int64_t day_written, bool pam) {
  return (day_written + (pam ? 0 : 1)) * kSecondsPerDay - 1;
}

struct LineProblem {
  std::string file;   // "passwd", "group", "shadow"
  uint32_t line = 0;  // from 1
  std::string why;    // never quotes the line: it may hold a hash
};

class HostAccounts {
 public:
  static HostAccounts Parse(std::string_view passwd, std::string_view group,
                            std::string_view shadow);
  // Puts an account beside them that the host has through NSS, with the gids that initgroups(3)
  // gives it and its line of shadow, if one is shown. One whose name is known already is left out,
  // and a group whose name or number is.
  void AddElsewhere(User user, const Shadow* shadow, const std::vector<uint32_t>& gids);
  void AddElsewhere(Group group);

  const std::vector<User>& users() const { return users_; }
  const std::vector<Group>& groups() const { return groups_; }
  const std::vector<LineProblem>& problems() const { return problems_; }
  const User* FindUser(std::string_view name) const;
  const Group* FindGroup(std::string_view name) const;
  const Shadow* FindShadow(std::string_view name) const;
  bool HasUid(uint32_t uid) const { return names_of_uid_.contains(uid); }
  bool HasGid(uint32_t gid) const { return names_of_gid_.contains(gid); }
  // Two logins of one uid are one account to the kernel: names beyond the first are findings.
  const std::vector<std::string>& NamesOf(uint32_t uid) const;
  // Primary group first, then supplementary ones in file order.
  std::vector<std::string> GroupNamesOf(const User& user) const;
  // What setuid(2) and initgroups(3) give a session. Errors: kNotFound.
  Result<Credentials> CredentialsOf(std::string_view login) const;

 private:
  std::vector<User> users_;
  std::vector<Group> groups_;
  std::map<std::string, Shadow, std::less<>> shadow_;
  std::map<std::string, size_t, std::less<>> user_index_, group_index_;
  std::map<uint32_t, std::vector<std::string>> names_of_uid_, names_of_gid_;
  std::map<std::string, std::vector<size_t>, std::less<>> groups_of_;  // by member
  std::vector<LineProblem> problems_;
};

}  // namespace postern::posix
