// providers/filetransfer/host/accounts_io.h: the system accounts and groups of a host, read.
//
// Of the files passwd, group and shadow below /etc, and, where nsswitch.conf names further sources,
// of the members of the mark group what NSS says (nss_accounts.h). One batch, one more for NSS, one
// for the keys.
// A part that couldn't be read has a problem; it is never an empty one.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/host/account_scope.h"
#include "providers/filetransfer/host/key_files.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/transport/file_reader.h"

namespace postern::filetransfer {

// Of a key's options: it opens nothing itself, certificates that it signed do.
inline constexpr std::string_view kAuthority = "cert-authority";
// It, or what it signed, isn't looked up in the declared revocation list.
inline constexpr std::string_view kUnrevoked = "unrevoked";
// It is looked up in that list, and none is declared any more: "revoked-by=PATH".
inline constexpr std::string_view kRevokedBy = "revoked-by=";
inline constexpr std::string_view kPasswdPath = "/etc/passwd";
inline constexpr std::string_view kGroupPath = "/etc/group";
inline constexpr std::string_view kShadowPath = "/etc/shadow";

struct HostState {
  posix::HostAccounts accounts;  // all of the host: the scope decides what is told
  // Why objects can't be told in full; empty: they can. A line that is none is told in
  // accounts.problems() and no problem by itself: nss_files passes over it, too.
  std::string account_problem, group_problem, key_problem;
  // passwd, group and shadow by path, without content.
  std::map<std::string, FileState> files;
  // What nsswitch.conf names for passwd: "files", "sss", ...
  std::vector<std::string> sources;
  // Names of the mark group that NSS was asked for and doesn't know; it answered for none at all.
  std::set<std::string, std::less<>> unknown;
  bool nss_silent = false;
  // Names in the host's files that a directory has as well.
  std::set<std::string, std::less<>> shadowing;
  // Second field of shadow, of accounts in scope only.
  std::map<std::string, std::string, std::less<>> password_fields;
  // Files of keys by login, in the order of the settings' key_places; of accounts in scope only.
  std::map<std::string, std::vector<KeyFileState>, std::less<>> keys;
  // Logins whose files of keys can't be told, with why; the keys of all others can.
  std::map<std::string, std::string, std::less<>> unreadable_keys;

  // The expiry day is the lock's. `!` alone is none: with PAM a key opens the account still.
  bool Locked(std::string_view login) const;
  // An empty state for a path that wasn't read.
  const FileState& File(std::string_view path) const;
};

enum class ReadKeys : uint8_t { kNo, kYes };

// The files that may open the account, as the settings say.
Result<std::vector<std::string>> KeyPlacesOf(const AccountSettings& settings,
                                             const posix::User& user);
// What `expires` reads back as: shadow holds days, and the earlier one is written.
base::Instant ExpiryAsTold(base::Instant until);

// Errors are those of the transport.
Result<HostState> ReadHost(Transport& transport, const AccountSettings& settings,
                           ReadKeys keys = ReadKeys::kYes);
// As part of a look.
Result<HostState> ReadHost(FileReader& reader, const AccountSettings& settings, ReadKeys keys);

// Objects of one kind in scope: account, ssh_key, server_group, server_membership. Keys in no
// order. Account: `enabled` is false when the account is locked; then `expires` isn't told, because
// the lock stands in its place. `expires` is the last second of the day written. Id: the uid.
// Memberships: of accounts in scope, in any group but the mark, also in groups by other hands.
std::vector<object::Object> ObjectsOf(const HostState& state, const AccountSettings& settings,
                                      object::Kind kind);
// Why objects of that kind can't be told in full; empty: they can. With unreadable_keys ssh_key has
// one that names the first.
std::string ProblemOf(const HostState& state, const AccountSettings& settings, object::Kind kind);

// Each kind among the four above that is asked for (empty: all four), told to the sink.
// kCancelled when the sink wants no more.
Result<std::vector<object::ScopeStatus>> EnumerateAccounts(const HostState& state,
                                                           const AccountSettings& settings,
                                                           std::span<const object::Kind> kinds,
                                                           object::ObjectSink& sink);
// One answer for each key of these four kinds, in order.
std::vector<object::ReadAnswer> AnswerAccounts(const HostState& state,
                                               const AccountSettings& settings,
                                               std::span<const object::ObjectKey> keys);

// What people should know: two names of one uid, an account with `!` whose keys open it with PAM, a
// system account in the mark group, lines that are none. One sentence each.
std::vector<std::string> FindingsOf(const HostState& state, const AccountSettings& settings);

}  // namespace postern::filetransfer
