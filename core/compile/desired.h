// core/compile/desired.h: declarations and facts become the objects that shall be live.
//
// Pure: no I/O. Strata in order: identities, groups, accounts, rows of access, projection to
// servers, fitting to products. What a product can't express is a diagnostic here, before anything
// is planned.
#pragma once
#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/access/effective.h"
#include "core/access/product.h"
#include "core/base/time.h"
#include "core/config/declarations.h"
#include "core/diag/diagnostic.h"
#include "core/object/object.h"
#include "core/object/target.h"

namespace postern::compile {

// Why an object shall be live: the declaration, where it stands, until when.
struct Provenance {
  std::string owner;  // "account:acme-in", "grant:access/partners/acme.toml:12"
  diag::Span span;
  std::string ticket, reason;
  base::Instant until = base::kForever;  // earliest of grant, account, contract
  std::string closer;                    // "server" or "nobody", when until is set
};

// Mostly one.
using SourceList = absl::InlinedVector<uint32_t, 4>;

// Views into Desired::bytes.
struct DesiredObject {
  object::Kind kind{};
  std::string_view key;
  std::string_view body;
  SourceList sources;  // indexes into Desired::provenance, at least one
};

// How an element that is live but not wanted is treated.
enum class Authority : uint8_t { kExact, kListed, kObserve };

struct DesiredTarget {
  std::string name;
  std::vector<DesiredObject> objects;  // sorted by (kind, key)
  // Containers whose elements are ours alone: group DN, "server<0x1f>group", "server<0x1f>login".
  std::map<std::pair<object::Kind, std::string>, Authority> authority;
  const DesiredObject* Find(object::Kind kind, std::string_view key) const;
};

// A declared grant as it stands in time, for `access` and `access expiring`.
struct GrantLine {
  uint32_t source = 0;
  std::string identity;  // person:..., partner:..., group:...
  std::string host, path;
  access::Depth depth{};
  access::Rights rights;
  base::Instant from = base::kAlways, until = base::kForever;
  enum class State : uint8_t { kScheduled, kActive, kExpired } state = State::kActive;
};

// A login, or a key of one, that the server itself ends.
struct LoginEnd {
  uint32_t source = 0;  // with `until` and `closer`
  std::string identity, host;
  std::string what;  // "the login acme-in at edge-sftp"
};

// Move only: its objects are views.
// What a server gives beyond a grant, accepted by its author.
struct Accepted {
  std::string what;
  diag::Span span;  // of accept_wider
};

struct Desired {
  object::Arena bytes;
  std::vector<DesiredTarget> targets;
  std::vector<Provenance> provenance;
  std::vector<GrantLine> grants;
  std::vector<LoginEnd> login_ends;
  // By server: login -> identity; by directory target: DN -> identity.
  std::unordered_map<std::string, absl::flat_hash_map<std::string, std::string>> identities;
  // Numeric ids that this compilation allocated: (server, uid).
  std::vector<std::pair<std::string, uint32_t>> new_uids;
  // Objects that time took away: (target, kind, key); their removal was approved when it was
  // granted.
  std::vector<std::pair<std::string, object::ObjectKey>> expired;
  std::vector<Accepted> accepted;
  diag::Diagnostics diagnostics;

  const DesiredTarget* Find(std::string_view target) const;
  // Identity behind an account or entry; null: nobody declared it.
  const std::string* DeclaredIdentity(const access::Place& place, std::string_view account) const;
  // The same, falling back to the account's own address.
  std::string IdentityOf(const access::Place& place, std::string_view account) const;
};

// What compile needs to know of the live world and the ledger.
struct Facts {
  base::Instant now = 0;
  // By server: login -> uid, group -> gid, as recorded or observed.
  using Numbers = std::unordered_map<std::string, absl::flat_hash_map<std::string, uint32_t>>;
  Numbers uids, gids;
  std::vector<std::pair<std::string, uint32_t>> used_uids;  // (server, uid) ever used
  // Rows of capability by server, as probed; empty: the product's static table.
  std::map<std::string, std::vector<object::Capability>> capabilities;
};

using Products = std::map<std::string, const access::Product*, std::less<>>;

Desired Compile(const config::Declarations& declarations, const diag::Sources& sources,
                const Products& products, const Facts& facts);

// "account:acme-in (partner:acme)": the ledger keeps whom an account was for, so that a plan can
// name who loses access when the declaration is gone. IdentityInOwner is empty where there is none.
std::string OwnerOf(const std::string& address, const std::string& identity);
std::string_view IdentityInOwner(std::string_view owner);

// Target name of a server's host: "host:edge". Empty: no such server.
std::string TargetOfServer(const config::Declarations& declarations, std::string_view server);

}  // namespace postern::compile
