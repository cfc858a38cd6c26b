// providers/filetransfer/openssh/login.h: by which ways an account gets in. Pure.
//
// Source: OpenSSH 9.2 on Debian 12, observed with and without PAM (tests/live/openssh_product), and
// sshd(8). Without PAM sshd reads shadow by itself: "!" before the hash stops keys, too, and the
// day in the expiry field is still let in. With PAM "!" stops the password alone, and the expiry
// day itself is refused. The expiry field, long past, is what locks in both. The shell matters only
// without a chroot: a path that is no program refuses everybody; nologin lets SFTP in.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/openssh/config.h"
#include "providers/filetransfer/openssh/effective.h"
#include "providers/filetransfer/openssh/keys.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::openssh {

enum class WayIn : uint8_t { kKey, kPassword, kCertificate };
std::string_view NameOf(WayIn way);

// What the host says beside the configuration.
struct HostFacts {
  base::Instant now = 0;
  bool nologin_file = false;          // /etc/nologin is there
  std::vector<std::string> programs;  // shells that exist and may be executed, sorted
  bool revoked_keys_readable = true;  // of the account's RevokedKeys, if it names one
};

// The keys of one account: all of its AuthorizedKeysFile that sshd would read.
struct AccountKeys {
  std::vector<AuthorizedKey> keys;
  // A file of the list that couldn't be read by us, or whose owner or mode StrictModes refuses.
  std::vector<std::string> problems;
  std::vector<AuthorizedKey> trusted;  // of TrustedUserCAKeys
  // Of AuthorizedPrincipalsFile, where the account's configuration names one.
  std::vector<Principal> principals;
};

struct Login {
  std::vector<WayIn> ways;       // sorted; empty: nobody gets in
  std::vector<std::string> why;  // what shuts ways, in sshd's order
  bool open() const { return !ways.empty(); }
};
Login LoginOf(const Connection& connection, const Settings& settings,
              const posix::HostAccounts& host, const AccountKeys& keys, const HostFacts& facts);

// The names of which a certificate must carry one to open the account, sorted. Which certificates
// were signed nobody can read from the host. Source: a principal is the login itself unless a file
// or a principals= option says otherwise.
std::vector<std::string> PrincipalsThatOpen(const Connection& connection, const Settings& settings,
                                            const AccountKeys& keys, base::Instant now);

// True when the account's shell runs commands (not nologin, not false).
bool RunsCommands(std::string_view shell);

// The files that sshd asks for the account's keys: tokens expanded, relative ones below home.
// Errors: kInvalid for a token that sshd refuses.
Result<std::vector<std::string>> KeyFilesOf(const Settings& settings, const posix::User& user);

// Why sshd doesn't use a key file of the account; empty: it does. It opens the file as the account
// itself, and with StrictModes walks up to the home folder, or to "/". Debian's sshd lets
// group-writable pass where the group is the account's own.
std::string WhyKeyFileUnused(const posix::Tree& tree, const posix::HostAccounts& host,
                             const posix::User& user, const Settings& settings,
                             std::string_view path);

// Why sshd ends the session at its chroot; empty: it doesn't. Every component has to be a folder of
// root that neither group nor others may write. Errors: kIncomplete.
Result<std::string> WhyNoChroot(const posix::Tree& tree, std::string_view chroot);

}  // namespace postern::openssh
