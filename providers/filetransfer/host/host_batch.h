// providers/filetransfer/host/host_batch.h: steps that change a host's accounts and files of keys,
// as one batch of the host's own tools.
//
// Every step may be run again: one that is done already is done. Steps that take access away stand
// first; when one of them fails, what gives access isn't done in that batch. Secrets go by standard
// input, never as arguments. Source: useradd, usermod, userdel, groupadd, groupmod, groupdel,
// gpasswd, chage, chpasswd of shadow 4.13; setpriv(1) of util-linux.
#pragma once
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct Step {
  // In the order of a batch. Arguments:
  enum class Verb : uint8_t {
    kLock,         // LOGIN: expiry day 1 and `!`
    kShorten,      // LOGIN DAY
    kAside,        // UID GID HOME FILE DIGEST: a file of keys renamed to .postern-removed-NAME
    kCut,          // UID GID HOME FILE DIGEST: a file of keys replaced by `content`
    kLeave,        // LOGIN GROUP
    kDelete,       // LOGIN
    kDeleteGroup,  // GROUP
    kAddGroup,     // GROUP GID
    kMoveGroup,    // GROUP GID
    kAdd,          // LOGIN UID GID HOME SHELL COMMENT MARK-or-empty: locked
    kHome,         // LOGIN HOME
    kComment,      // LOGIN COMMENT
    kExpire,       // LOGIN DAY or -1
    kJoin,         // LOGIN GROUP
    kHash,         // LOGIN; `content` is LOGIN:FIELD and a newline
    kRename,       // LOGIN NEW
    kPut,          // as kCut, for what gives access
    kUnlock,       // LOGIN DAY or -1: `!` goes, then the day
  } verb;
  std::vector<std::string> args;
  std::string content;
  bool takes() const { return verb <= Verb::kDeleteGroup; }
};

// What must be there before the first step is done.
struct FileDigest {
  std::string path, digest;
};

// An answer for each step, in their order: empty when it is done, else the first line of what went
// wrong. Errors: kConflict when a file of `expect` isn't as it was, and nothing was done; those of
// the transport, and then what was done only a read knows; kInvalid for an argument with a newline.
Result<std::vector<std::string>> RunSteps(Transport& transport, std::span<const Step> steps,
                                          std::span<const FileDigest> expect);

// What a step answers when the file of keys isn't as it was read.
inline constexpr std::string_view kKeyFileChanged = "the file changed since it was read";

}  // namespace postern::filetransfer
