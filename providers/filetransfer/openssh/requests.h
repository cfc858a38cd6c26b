// providers/filetransfer/openssh/requests.h: which rights the requests of internal-sftp carry.
// Pure.
//
// Source: sftp-server(8) and OpenSSH 9.2, observed (tests/live/openssh_product):
// - sshd splits the command at blanks without any quoting and keeps nine words: what stands after
//   them is dropped in silence, a `-P` there denies nothing.
// - A name in -P or -p that is no request is ignored in silence.
// - `write` isn't what creates or truncates a file: `open` is. Only -R, or denying open (and with
// it
//   reading), stops that.
// - rename is two requests: `posix-rename`, which OpenSSH's client prefers, replaces a target that
// is
//   there; `rename` doesn't. And `hardlink` with `remove` is a third way for files.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"

namespace postern::openssh {

using access::Right;
using access::Rights;

// What a session of SFTP runs.
struct SftpCommand {
  enum class Kind : uint8_t {
    kInternal,  // internal-sftp
    kExternal,  // .../sftp-server, started by the account's shell
    kNone,      // no such command: the account gets what it asks for
    kOther,     // another program: what it does isn't known
    kBroken,    // internal-sftp with options that end it at once: nothing opens
  } kind = Kind::kNone;
  bool read_only = false;                        // -R
  std::set<std::string> denied;                  // -P
  std::optional<std::set<std::string>> allowed;  // -p
  std::string start_folder;                      // -d, tokens as they stand
  std::string umask;                             // -u
  std::vector<std::string> warnings;             // dropped words, names that are no request
  bool operator==(const SftpCommand&) const = default;

  bool Permits(std::string_view request) const;
};

// `text`: the value of ForceCommand, of Subsystem sftp, or of a key's command=.
SftpCommand ParseSftpCommand(std::string_view text);

// The rights that the requests leave; POSIX narrows them further. All for a shell.
Rights RightsOf(const SftpCommand& command);
// True when files can be renamed by hardlink and remove alone: link(2) has conditions of its own.
bool RenamesByLink(const SftpCommand& command);

// The least that can be allowed for a whole account that is to have `wanted` somewhere. Never
// chmod. RightsOf(CommandFor(w)) includes the rest of w, and is a closure: monotone and idempotent.
SftpCommand CommandFor(Rights wanted);
// "internal-sftp -l VERBOSE -P ...".
std::string Render(const SftpCommand& command);

// Every request that OpenSSH 9.2 knows (`sftp-server -Q requests`).
bool IsRequest(std::string_view name);

}  // namespace postern::openssh
