// providers/filetransfer/server/server.h: one file-transfer daemon of a host as objects, whatever
// its product.
//
// Not thread-safe. No state between calls: every call reads anew.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/posix/fit.h"
#include "providers/filetransfer/server/daemon.h"
#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

// What the operator says about one server.
struct ServerSettings {
  std::string name, config, include;
  DaemonSettings control;
  std::string sessions;            // scoreboard, when it isn't the configuration's
  std::vector<std::string> roots;  // managed
  std::string accounts;            // "all", "group:NAME" or empty: none
  std::string ledger_key;          // for password digests
  uint32_t first_uid = 0, last_uid = 0, uid_group = 0;  // of its accounts; 0: nobody said
  bool chroot_home = false;                             // sessions see the login folder as "/"
  std::string revoked;  // revocation list on the host; empty: nobody named one
};

// What the accounts of one server must be let do by the folders: modes and ACLs hold for every
// server of a host, so who fits them to one server's rows must know the others' as well.
struct TreeNeeds {
  std::vector<posix::Credentials> accounts;  // as their sessions have them
  std::vector<posix::Wanted> wanted;

  void Add(TreeNeeds other);
};

using RightsByFolder = std::map<std::string, access::Rights, posix::PathOrder>;
// What makes it so: of each folder the first node, itself or a file in it.
using NodeByFolder = std::map<std::string, std::string, posix::PathOrder>;
// Where the folders give an account less than rows say.
struct Lack {
  RightsByFolder lost;  // the rights that are gone there
  NodeByFolder nodes;
};
using Shortfall = std::map<uint32_t, Lack>;  // by uid
// The rights that are gone somewhere in what a row covers.
access::Rights LostIn(const access::GrantRow& row, const RightsByFolder& lost);
// Where below its path that is: "/srv/in/a, /srv/in/b, /srv/in/c and 2 more folders"; empty when it
// is the path alone.
std::string WhereLost(const access::GrantRow& row, const RightsByFolder& lost);
// The same of any folders.
std::string SomeFolders(const std::vector<std::string>& folders);
// Of a row as it is told, where it isn't what the daemon's own file says: what makes it so.
struct RowNote {
  std::string where;               // folders below its path, for people; empty: its path alone
  std::vector<std::string> nodes;  // some of the folders and files that do
  bool by_session = false;         // other lines of the daemon's configuration do
  base::Instant changed = 0;       // when the last of these was; 0: not known
};
using RowNotes = std::map<access::GrantRow, RowNote>;
// The nodes of folders that a row covers: a few, they are for a look at when they changed.
void AddNodes(const access::GrantRow& row, const NodeByFolder& nodes, RowNote* note);

// Nothing was done, and what is live wasn't read.
object::Outcome Refusal(const object::Operation& operation, std::string why);

class Server {
 public:
  virtual ~Server() = default;
  // The other servers of the host; told once, before any other call. They outlive this one's use.
  void SetPeers(std::vector<Server*> peers) { peers_ = std::move(peers); }
  // Errors: what they are can't be read. Nobody else's tree may be fitted then.
  virtual Result<TreeNeeds> NeedsOfTree() = 0;
  // Writes owners' modes and ACLs so that all servers' rows hold; only where this server does that.
  virtual bool fits_tree() const { return false; }
  virtual Result<void> FitTree() { return {}; }
  // Of the peers' accounts. Empty where this server fits no tree: nobody promised anything there.
  virtual Result<Shortfall> ShortfallOfPeers() { return Shortfall(); }
  // The folders as they are, for what they let peers' accounts do. Errors: they can't be read, or
  // this server reads none.
  virtual Result<posix::Tree> TreeOfRoots() {
    return Fail(ErrorCode::kUnsupported, "this server reads no tree");
  }
  // `access_files`: the .ftpaccess files under the roots; null: they could not be looked for.
  virtual Result<std::vector<object::ScopeStatus>> Enumerate(
      std::span<const object::Kind> kinds, const std::vector<FolderEntry>* access_files,
      object::ObjectSink& sink) = 0;
  virtual Result<std::vector<object::ReadAnswer>> Read(
      std::span<const object::ObjectKey> keys, const std::vector<FolderEntry>* access_files) = 0;
  // One outcome for each operation, read back.
  virtual std::vector<object::Outcome> Apply(std::span<const object::Operation> operations,
                                             const object::Secrets& secrets) = 0;
  virtual Result<object::Probe> Probe() = 0;

 protected:
  // What is live after the operations; what was written and isn't so is unknown.
  void ReadBack(std::span<const object::Operation> operations,
                std::vector<object::Outcome>& outcomes);
  // Of all peers together.
  Result<TreeNeeds> NeedsOfPeers() const;
  // The one peer that fits the tree; null: none does.
  Server* Fitter() const;

 private:
  std::vector<Server*> peers_;
};

}  // namespace postern::filetransfer
