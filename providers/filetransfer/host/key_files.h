// providers/filetransfer/host/key_files.h: the authorized_keys files of system accounts, read and
// written.
//
// Reads: one find and one grep a few thousand files, all in one batch; links are followed as sshd
// follows them, and told. What isn't a regular file, or is larger than kKeyFileLimit, is
// kUnreadable and never fetched.
// Writes: as the account itself where the folder is the account's, so that a link put there by the
// account leads nowhere that the account couldn't go; as root only where every folder from "/" on
// belongs to root and nobody else may write it. A link in place of the file, or of a folder below
// home, is refused. Replaced by rename after the digest that was read matched (verify-then-write).
// Cost: about 5 ms a file that is written.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

// More than any real file of keys; sshd itself has no bound.
inline constexpr uint64_t kKeyFileLimit = uint64_t{8} << 20;

struct KeyFileState {
  std::string path;
  Presence presence = Presence::kUnreadable;
  std::string reason;   // with kUnreadable
  bool link = false;    // the file is a symlink; content and owner are its target's
  std::string content;  // with kPresent
  std::string digest;   // SHA-256 in hex; kAbsent when absent
  uint32_t mode = 0, uid = 0, gid = 0;
  int64_t modified = 0;
};

// By path. Errors are those of the transport; kIncomplete when the answer was cut.
Result<std::map<std::string, KeyFileState>> ReadKeyFiles(Transport& transport,
                                                         std::span<const std::string> paths);

struct KeyFileChange {
  std::string path, home;  // folders below `home` may be made
  uint32_t uid = 0, gid = 0;
  std::string expect;   // digest of what must be there: hex or kAbsent
  std::string content;  // empty: the file is removed
};

// An answer for each change: empty when it is done, else why not. Errors are the transport's: what
// was done then only a read knows.
Result<std::vector<std::string>> WriteKeyFiles(Transport& transport,
                                               std::span<const KeyFileChange> changes);

}  // namespace postern::filetransfer
