// providers/filetransfer/server/server.h: one file-transfer daemon of a host as objects, whatever
// its product.
//
// Not thread-safe. No state between calls: every call reads anew.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
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
};

class Server {
 public:
  virtual ~Server() = default;
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
};

}  // namespace postern::filetransfer
