// providers/filetransfer/openssh/effective.h: the output of `sshd -T -C ...`: what holds for one
// account from one place. Pure.
//
// Source: OpenSSH 9.2, observed: keywords are lowercase, one value a line, lists as repeated lines
// or blank-separated; %-tokens stay unexpanded; "none" stands for an empty path. DisableForwarding
// doesn't flip allowstreamlocalforwarding in the output.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/filetransfer/openssh/requests.h"

namespace postern::openssh {

struct Settings {
  std::string chroot;          // empty: none. Tokens unexpanded, like all paths here
  SftpCommand forced;          // ForceCommand; kNone without one
  SftpCommand subsystem;       // Subsystem sftp; kNone: clients can't start SFTP by name
  bool has_subsystem = false;  // any: a forced internal-sftp serves nobody without one
  std::vector<std::string> allow_users, deny_users, allow_groups, deny_groups;
  // Lists of methods; one list done opens. Empty: any single one ("any").
  std::vector<std::vector<std::string>> methods;
  bool pubkey = true, password = true, keyboard = true, empty_passwords = false;
  bool pam = false, strict_modes = true, disable_forwarding = false, permit_tty = true;
  std::string root_login;  // yes, no, without-password, forced-commands-only
  std::vector<std::string> key_files, principals_files, ca_files;
  std::string revoked_keys;
  // Programs that decide about keys: what they say isn't in any file.
  std::string keys_command, principals_command;
  std::multimap<std::string, std::string> all;  // every line, for comparison
  bool operator==(const Settings&) const = default;
};

// Errors: kIncomplete when lines that every answer has are missing.
Result<Settings> ParseSettings(std::string_view output);

}  // namespace postern::openssh
