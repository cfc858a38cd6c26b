// providers/filetransfer/openssh_io/snapshot.h: all that one sshd and its host say at one moment.
//
// Every part says for itself whether it could be read; a part that couldn't is never an empty one.
// Cost: some ten round trips, whatever the number of accounts; the tree only where grants are asked
// for.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/host/accounts_io.h"
#include "providers/filetransfer/host/tree_io.h"
#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh_io/answers.h"
#include "providers/filetransfer/openssh_io/config_files.h"
#include "providers/filetransfer/openssh_io/live_rows.h"
#include "providers/filetransfer/posix/foreign_entries.h"
#include "providers/filetransfer/server/server.h"

namespace postern::filetransfer {

// What a snapshot is for; each part costs.
struct Parts {
  bool keys = false;
  bool grants = false;  // the tree; entries of ACLs are rules by other hands
  // Logins that NSS is asked for, whether the mark group names them or not.
  std::set<std::string, std::less<>> asked = {};
  // Asked where the tree is read.
  std::function<Result<TreeNeeds>()> peers = {};
};
Parts PartsFor(std::span<const object::Kind> kinds);

struct SshdSnapshot {
  ConfigFiles files;
  openssh::SshdConfig config;
  AccountSettings accounts;  // how the host is asked; its key places are sshd's own
  HostState host;
  Answers answers;
  DaemonSettings control;
  DaemonState daemon;
  std::string pending_path;
  FileState include, pending, revoked;  // the last with settings.revoked only
  // As the daemon enforces it: the include, or the one before while that isn't loaded yet.
  openssh::ParsedInclude grants;
  bool include_written = false;        // by Postern, ever
  bool reload_due = false;             // the include was swapped and not loaded
  std::vector<access::GrantRow> rows;  // live; with Parts::grants
  RowNotes notes;
  TreeRead tree;
  TreeNeeds peers;                             // with Parts::grants
  std::map<std::string, base::Instant> times;  // of nodes by other hands; OpenSshServer::Enumerate
  std::vector<SecondWay> ways;                 // other mounts of managed folders; likewise
  // Why the part can't be read; empty: it could.
  std::string config_problem, account_problem, daemon_problem, include_problem, grant_problem;

  // Sorted: accounts in scope that the host has.
  std::vector<std::string> Logins() const;
  std::map<std::string, SessionView> Sessions() const;
};

// Reads everything anew. Errors are the transport's.
Result<SshdSnapshot> TakeSshdSnapshot(Transport& transport, const ServerSettings& settings,
                                      const Parts& parts);

// What our include must say beside its rows: an account of ours for each login in scope.
std::vector<openssh::ManagedAccount> AccountBlocks(const SshdSnapshot& snapshot,
                                                   const ServerSettings& settings);
openssh::ManagedAccount AccountBlock(const std::string& login, const std::string& home,
                                     const ServerSettings& settings);

// Why keys can't be written where sshd looks for them; empty: they can. Inside a managed root a
// file of keys would have the rights of its folder's rows: whoever may create there lets himself
// in.
std::string WhyNoKeys(const SshdSnapshot& snapshot, const ServerSettings& settings);

// Why sshd would refuse every key with the declared revocation list; empty: it reads it, or none is
// declared.
std::string WhyNoRevocation(const SshdSnapshot& snapshot, const ServerSettings& settings);

// Everything that `live_rows.h` asks for, of a snapshot with the tree. It refers to the snapshot.
LiveQuestion LiveQuestionOf(const SshdSnapshot& snapshot, const ServerSettings& settings);

// The live rows as objects.
std::vector<object::Object> GrantObjects(const SshdSnapshot& snapshot,
                                         const ServerSettings& settings);
// Entries of ACLs in the managed roots whose subject no server of the host manages.
std::vector<posix::ForeignEntry> EntriesOf(const SshdSnapshot& snapshot,
                                           const ServerSettings& settings);
// Lines by other hands that decide before ours, edits of our include, and such entries.
std::vector<object::Object> RuleObjects(const SshdSnapshot& snapshot,
                                        const ServerSettings& settings);

}  // namespace postern::filetransfer
