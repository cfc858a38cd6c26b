// providers/directory/directory.h: an LDAP directory as a Target, by libldap.
//
// Kinds: ou, user, directory_group, membership under the bases that `manage` names. One connection
// (a second one for access questions during an enumeration); all work is pipelined on it. The first
// call connects, and so does the first call after a lost connection. Not thread-safe, as Target
// says. Dialect: OpenLDAP's slapd 2.5; others answer what they share with it.
#pragma once
#include <chrono>
#include <memory>

#include "core/object/target.h"
#include "schemas/declarations.pb.h"

namespace postern::directory {

// How long to wait; tests make these short.
struct Patience {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds answer{30'000};  // one answer of a read or write
  std::chrono::milliseconds stall{30'000};   // a search that sends nothing for so long has failed
};

// Checks the declaration only; nothing is sent yet. `secrets`: the bind password under its name,
// and "ledger-key" for the digests of stored passwords. Errors: kInvalid for a declaration that
// can't work (a plain connection beyond loopback, a missing CA file, no base).
Result<std::unique_ptr<object::Target>> Open(const decl::Directory& declared,
                                             const object::Secrets& secrets,
                                             const Patience& patience = {});

}  // namespace postern::directory
