// providers/filetransfer/host/account_editor.h: operations on system accounts, keys, groups and
// memberships, carried out by the host's own tools (useradd, usermod, userdel, chage, chpasswd,
// groupadd, groupmod, groupdel, gpasswd).
//
// One batch that can be run again after a kill at any point; what takes access away comes first,
// enabling comes last. Before anything is done passwd, group and shadow must be as they were read
// (verify-then-write; three tries). Every operation is read back. No secret stands in an argument:
// hashes are made here and go to `chpasswd -e` by standard input.
//
// A lock is shadow's expiry day 1 and `!` before the hash. The day holds with PAM and without, for
// keys, passwords and certificates; files of keys stay where they are. Files of an account are
// never removed: what deletion leaves is data, but its keys are put aside, so that they open
// nothing for whoever comes under the same login. A uid that passwd has, or a file in the managed
// roots, is refused. Not done: another uid or primary group for an account that exists (usermod
// would change the owner of files).
#pragma once
#include <span>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/host/accounts_io.h"

namespace postern::filetransfer {

// One outcome for each operation, in order, read back. Kinds: account, ssh_key, server_group,
// server_membership.
std::vector<object::Outcome> ApplyAccounts(Transport& transport, const AccountSettings& settings,
                                           std::span<const object::Operation> operations,
                                           const object::Secrets& secrets);

}  // namespace postern::filetransfer
