// providers/filetransfer/openssh/keys.h: authorized_keys, read as sshd reads it, and written. Pure.
//
// A key is its type and blob; comment and order of options are cosmetic. Source: sshd(8),
// AUTHORIZED_KEYS FILE FORMAT, and OpenSSH 9.2, observed: an unknown or doubled option disables its
// line in silence; expiry-time without Z is the server's local time; the file is read anew at each
// attempt.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"

namespace postern::openssh {

struct KeyOptions {
  bool restrict_all = false;              // "restrict"
  bool cert_authority = false;            // the key signs certificates; it lets nobody in by itself
  std::optional<std::string> from;        // patterns and CIDR blocks, as written
  std::optional<std::string> command;     // runs instead of what the client asks for
  std::optional<std::string> principals;  // of certificates by this authority
  std::optional<base::Instant> not_after;  // expiry-time; the last second that is let in
  bool local_time = false;                 // expiry-time without Z: `not_after` reads it as UTC
  std::vector<std::string> others;         // sorted, as written: pty, no-touch-required, ...
  bool operator==(const KeyOptions&) const = default;
};

struct AuthorizedKey {
  std::string type;  // as the blob says it
  std::string blob;  // decoded
  KeyOptions options;
  std::string comment;
  uint32_t line = 0;  // from 1

  std::string Fingerprint() const;  // "SHA256:..." as sshd logs it
};

// How far a time without Z may be from what it reads as UTC.
inline constexpr base::Instant kWidestZone = 14 * base::Instant{3600};

struct KeyProblem {
  uint32_t line = 0;
  std::string why;  // the line lets nobody in
};

// Before a line that is kept and opens nothing: to sshd it is a comment. Taking it away gives the
// key back as it was.
inline constexpr std::string_view kQuarantine = "# postern-quarantine: ";

struct AuthorizedKeys {
  std::vector<AuthorizedKey> keys;
  std::vector<AuthorizedKey> quarantined;  // in lines that begin with kQuarantine
  std::vector<KeyProblem> problems;
};
AuthorizedKeys ParseAuthorizedKeys(std::string_view text);

// One line of AuthorizedPrincipalsFile: a name that a certificate may carry, with options as above.
struct Principal {
  std::string name;
  KeyOptions options;
  uint32_t line = 0;
};
// Lines that sshd passes over go to `problems`.
std::vector<Principal> ParsePrincipals(std::string_view text, std::vector<KeyProblem>* problems);

// "ssh-ed25519 AAAA... comment", with options before it or without. Errors: kInvalid with the
// reason for which sshd passes over the line.
Result<AuthorizedKey> ParseKeyLine(std::string_view line);

// Reads back as the same key. Errors: kInvalid for a field that the line can't carry.
Result<std::string> RenderKeyLine(const AuthorizedKey& key);

// Whether sshd takes the key for a login at `now` from there. Nothing about principals.
bool OpensAt(const KeyOptions& options, base::Instant now, std::string_view host,
             std::string_view address);

}  // namespace postern::openssh
