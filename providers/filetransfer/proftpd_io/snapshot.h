// providers/filetransfer/proftpd_io/snapshot.h: all that one ProFTPD server says at one moment.
//
// Every part says for itself whether it could be read; a part that couldn't is never an empty one.
// Cost: three to five round trips, whatever the number of accounts; two once the transport knows
// which files they are.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd_io/config_chain.h"
#include "providers/filetransfer/proftpd_io/key_file.h"
#include "providers/filetransfer/proftpd_io/user_file.h"
#include "providers/filetransfer/server/daemon.h"
#include "providers/filetransfer/server/server.h"

namespace postern::filetransfer {

// The keys of one login: those that open it, and those that a lock has put aside.
struct LoginKeys {
  KeyFile open, aside;
};

struct Snapshot {
  ConfigChain chain;
  DaemonSettings control;
  std::string scoreboard;
  std::string user_path, group_path, key_folder, pending_path;  // empty: there is none
  // Why the part can't be read; empty: it could.
  std::string config_problem, user_problem, group_problem, key_problem, grant_problem,
      daemon_problem;
  std::map<std::string, FileState> files;  // by path: those above and every key file
  ColonFile users{"", 7}, groups{"", 3};
  std::map<std::string, LoginKeys> keys;
  // What the daemon enforces: the include, or the one before while the daemon hasn't loaded it yet.
  proftpd::ParsedInclude grants;
  // The same less what the folders keep from some account that a row is about (ProftpdServer).
  std::vector<access::GrantRow> given;
  RowNotes notes;                // of `given`
  bool include_written = false;  // by Postern, ever
  bool reload_due = false;       // the include was swapped and not loaded
  DaemonState daemon;

  const FileState& File(const std::string& path) const;
  std::string OpenKeyPath(const std::string& login) const;
  std::string AsideKeyPath(const std::string& login) const;
  // Neither password nor key opens it. False also for a login that doesn't exist.
  bool Locked(const std::string& login) const;
  bool HasOpenKeys(const std::string& login) const;
  // Ids that several lines share say nothing about which of them is which.
  std::string IdOf(const UserLine& user) const;
  std::map<uint32_t, int> uid_uses;
};

// `proftpd -t` over that file, with the -D options that decide what a configuration means.
std::vector<std::string> CheckerCommand(const DaemonSettings& control, const std::string& config);

// Reads everything anew. Errors are the transport's.
Result<Snapshot> TakeSnapshot(Transport& transport, const ServerSettings& settings);

// Objects of one kind, without a filter by scope; keys in no order. Grants, groups, memberships,
// accounts and keys only.
std::vector<object::Object> ObjectsOf(const Snapshot& snapshot, const ServerSettings& settings,
                                      object::Kind kind);
// Why objects of that kind can't be told in full; empty: they can.
const std::string& ProblemOf(const Snapshot& snapshot, object::Kind kind);

// What `manage.accounts` names: all accounts, or those in one group of the AuthGroupFile. That
// group is Postern's mark and no object: an account that is created joins it, one that is deleted
// leaves it, and nobody can declare it.
class AccountScope {
 public:
  AccountScope(const Snapshot& snapshot, const ServerSettings& settings);
  // Empty unless the scope is a group.
  const std::string& group() const { return group_; }
  // Objects of that login are told. Without an account: a member of the group, or one whose keys a
  // lock has put aside.
  bool Tells(const std::string& login) const { return managed_.contains(login); }
  // Why an object that is live, or an operation, is none of ours; empty: it may be.
  std::string WhyOutside(object::Kind kind, std::string_view key) const;
  bool TellsObject(object::Kind kind, std::string_view key) const;

 private:
  const Snapshot& snapshot_;
  std::string group_;
  std::set<std::string> managed_;
};

// The login that an object belongs to; empty for the kinds without one.
std::string LoginOf(object::Kind kind, std::string_view key);

}  // namespace postern::filetransfer
