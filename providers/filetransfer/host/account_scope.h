// providers/filetransfer/host/account_scope.h: which system accounts and groups of a host are ours.
// Pure.
//
// `manage.accounts = "group:NAME"`: the accounts whose primary or supplementary group is NAME; that
// group is Postern's mark and no object. "all": the accounts whose uid lies in the server's `uids`.
// Never, whatever is said: uid 0, uids below 1000, nobody. What is outside is not told, not
// counted, not touched. Groups: with `uids` those whose gid lies in that range, without them those
// that have members and no member outside; never the mark, never the accounts' common primary
// group.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "providers/filetransfer/posix/accounts.h"

namespace postern::filetransfer {

// `[server] uids`: where new accounts get their numbers.
struct UidRange {
  uint32_t from = 0, to = 0, gid = 0;
  bool Has(uint32_t id) const { return from <= id && id <= to; }
};

// All files that the daemon asks for an account's keys, the one that Postern writes first.
using KeyPlaces = std::function<Result<std::vector<std::string>>(const posix::User& user)>;

struct AccountSettings {
  std::string server;    // first part of the objects' keys
  std::string accounts;  // "group:NAME", "all" or empty: none
  std::optional<UidRange> uids;
  KeyPlaces key_places;  // null: HOME/.ssh/authorized_keys
  // Of accounts that are created. SFTP works with it where sshd forces internal-sftp.
  std::string shell = "/usr/sbin/nologin";
  std::vector<std::string> roots;  // managed; files in them keep the uids of who is gone
  std::string ledger_key;          // for password digests
  // Whether PAM judges the day in shadow; nothing: it isn't known, and no end can be told.
  std::optional<bool> pam = false;
  // Logins whose keys sshd doesn't look up in the declared revocation list and in no other; each
  // with the option (accounts_io.h) that says so of its keys.
  std::map<std::string, std::string, std::less<>> unrevoked;
  // Logins that the server itself shuts out. It is the only lock that a directory's are given.
  std::set<std::string, std::less<>> denied;
  // Logins that NSS is asked for beside the mark group's members.
  std::set<std::string, std::less<>> asked;
};

// The lowest id of an ordinary account, and the one that isn't one.
inline constexpr uint32_t kFirstOrdinaryId = 1000;
inline constexpr uint32_t kNobodyId = 65534;

class HostScope {
 public:
  HostScope(const posix::HostAccounts& host, const AccountSettings& settings);

  // The group that marks accounts as managed; empty unless the scope is one.
  const std::string& mark() const { return mark_; }
  // Why nobody can be told apart; empty: it can be done.
  const std::string& problem() const { return problem_; }
  // Accounts in scope, and members of the mark without an account.
  const std::set<std::string, std::less<>>& logins() const { return logins_; }
  bool Tells(std::string_view login) const { return logins_.contains(login); }
  bool TellsGroup(std::string_view name) const { return groups_.contains(name); }
  bool TellsObject(object::Kind kind, std::string_view key) const;
  // Why an object that is live, or an operation on its key, is none of ours; empty: it may be.
  std::string WhyOutside(object::Kind kind, std::string_view key) const;

 private:
  bool HalfMade(const posix::User& user) const;
  void FindAccounts();
  void FindGroups();

  const posix::HostAccounts& host_;
  const AccountSettings& settings_;
  std::string mark_, problem_;
  std::set<std::string, std::less<>> logins_, groups_;
};

// The login that an account, key, membership or session belongs to; empty for other kinds.
std::string LoginOfKey(object::Kind kind, std::string_view key);

}  // namespace postern::filetransfer
