// core/compile/desired.h: declarations and facts become the objects that shall be live.
//
// Pure: no I/O. Strata in order: identities, groups, accounts, rows of access, projection to
// servers, fitting to products. What a product can't express is a diagnostic here, before anything
// is planned.
#pragma once
#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/access/effective.h"
#include "core/access/product.h"
#include "core/base/time.h"
#include "core/compile/facts.h"
#include "core/config/declarations.h"
#include "core/diag/diagnostic.h"
#include "core/object/object.h"
#include "core/object/target.h"

namespace postern::compile {

// A change of this plan to what an identity source shows, on which something else relies.
struct PendingFact {
  std::string target;
  object::ObjectKey key;
  auto operator<=>(const PendingFact&) const = default;
};

// An object that a source shows, by which somebody is in a role.
struct FactRead {
  uint32_t source = 0;                         // index into Desired::facts
  const object::ObjectView* object = nullptr;  // as it was observed
};
using FactReads = absl::InlinedVector<FactRead, 2>;

// Of what comes from a role: the facts behind it.
struct ByFact {
  std::string cause;  // "ann is in Marketing (department), seen in corp 10:02Z"; empty: none
  std::string held;   // why it stays as recorded; empty: it doesn't have to
  std::vector<PendingFact> needs;
  // What a saved plan relies on: the users by which he is known, the memberships on the way to him.
  FactReads reads = {};
};

// Why an object shall be live: the declaration, where it stands, until when.
struct Provenance {
  std::string owner;  // "account:acme-in", "grant:access/partners/acme.toml:12"
  diag::Span span;
  std::string ticket, reason;
  base::Instant until = base::kForever;  // earliest of grant, account, contract
  std::string closer;                    // "server" or "nobody", when until is set
  uint32_t by_fact = 0;                  // position in Desired::by_facts plus 1; 0: none
};

// Mostly one.
using SourceList = absl::InlinedVector<uint32_t, 4>;

// Views into Desired::bytes.
struct DesiredObject {
  object::Kind kind{};
  std::string_view key;
  std::string_view body;
  SourceList sources;  // indexes into Desired::provenance, at least one
  // The fields that are ours from then on, as the ledger keeps them; a restore gives back more.
  uint64_t owned = ~uint64_t{0};
};

// Owner of what a restore gives back and nobody declares: the ledger doesn't keep it as ours.
inline constexpr std::string_view kRestored = "snapshot";

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

// An object that isn't wanted now, but was or will be: its time is over, or lies ahead.
struct OffTime {
  std::string target;
  object::ObjectKey key;
  base::Instant at = 0;  // the last moment of its time, or the first
  std::string whose;     // what sets that moment: "role marketing"; empty: its own declaration
  diag::Span span;       // where it is set
};

// What a server gives beyond a grant, accepted by its author.
struct Accepted {
  std::string what;
  diag::Span span;  // of accept_wider
};

// Why somebody whom the ledger knows in a role isn't in it any more.
struct Departure {
  std::string cause;   // "jo.hart left Marketing, seen in corp 10:02Z"; empty: no fact says it
  std::string fact;    // "lost department Marketing", for a count of people
  std::string source;  // "iam:corp"
  FactReads reads = {};
};

// A source that roles read: what it showed, and what waits for it.
struct FactSource {
  std::string target;
  uint64_t count = 0;  // users
  base::Instant at = 0;
  std::string held;                                   // why it decides nothing; empty: it does
  std::set<std::string> held_roles, held_identities;  // that stay as recorded
};

// A person that a role names and that gets nothing, or less, by it.
struct RoleNote {
  std::string role, identity, why;
  diag::Span span;
  bool held = false;  // undecided; else refused
};

// Somebody who is in a role, for certain or as recorded, now or when its time comes.
struct InRole {
  uint32_t source = 0;  // index into Desired::provenance, whose owner says role and identity
  uint16_t asked = 0;   // bits (1 << Attribute) of what the selector asks for; 0: of nothing
};

// Move only: its objects are views.
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
  // Objects that time took away; their removal was approved when it was granted. And those whose
  // time hasn't come: what of them is live goes by a declaration that was changed.
  std::vector<OffTime> expired, ahead;
  std::vector<Accepted> accepted;
  diag::Diagnostics diagnostics;

  // What roles made of facts (core/compile/roles.h).
  std::vector<ByFact> by_facts;
  std::vector<FactSource> facts;
  std::vector<RoleNote> role_notes;
  std::vector<InRole> in_roles;                                         // by role
  std::map<std::pair<std::string, std::string>, Departure> departures;  // (role, identity)
  // Accounts whose login goes to somebody else than the ledger knows: (target, key) -> who had it.
  std::map<std::pair<std::string, std::string>, std::string> inherited;
  // Whom a role knew by one of several joined users -> as whom he is known now, by any of them.
  std::map<std::string, std::string, std::less<>> joined_as;
  // Contradictions among facts, or of a fact and a declaration: whom they are about is left alone,
  // everything else goes on.
  diag::Diagnostics fact_errors;

  const ByFact* FactsBehind(const Provenance& provenance) const;
  // What the ledger keeps as owner: of what roles give, all of them.
  std::string OwnerOfSources(const SourceList& sources) const;

  const DesiredTarget* Find(std::string_view target) const;
  // Identity behind an account or entry; null: nobody declared it.
  const std::string* DeclaredIdentity(const access::Place& place, std::string_view account) const;
  // The same, falling back to the account's own address.
  std::string IdentityOf(const access::Place& place, std::string_view account) const;
};

// What compile needs to know of the live world and the ledger.
struct Facts {
  base::Instant now = 0;    // the moment that is compiled for (--as-of)
  base::Instant clock = 0;  // the clock's: when what is installed was sealed
  // By server: login -> uid, group -> gid, as recorded or observed.
  using Numbers = std::unordered_map<std::string, absl::flat_hash_map<std::string, uint32_t>>;
  Numbers uids, gids;
  std::vector<std::pair<std::string, uint32_t>> used_uids;  // (server, uid) ever used
  // Rows of capability by server, as probed; empty: the product's static table.
  std::map<std::string, std::vector<object::Capability>> capabilities;

  // For roles. What was observed and recorded must outlive the compilation.
  std::vector<IdentitySource> sources;                   // by target
  std::map<std::string, const object::ObjectSet*> live;  // hosts that were observed
  const std::map<std::string, std::vector<ledger::Recorded>>* recorded = nullptr;
  // The seal of what is installed from now on: the generation that the next apply makes.
  std::string ledger_id, revision;
  uint64_t next_generation = 0;
  // Accounts that a killed apply was making, as (target, key): ours, though nothing is recorded
  // yet.
  std::set<std::pair<std::string, std::string>> begun;
};

using Products = std::map<std::string, const access::Product*, std::less<>>;

Desired Compile(const config::Declarations& declarations, const diag::Sources& sources,
                const Products& products, const Facts& facts);

// "account:acme-in (partner:acme)": the ledger keeps whom an account was for, so that a plan can
// name who loses access when the declaration is gone. IdentityInOwner is empty where there is none.
std::string OwnerOf(const std::string& address, const std::string& identity);
std::string_view IdentityInOwner(std::string_view owner);

// "marketing" of "role:marketing (...)", several of what several roles give; none of others.
std::vector<std::string_view> RolesInOwner(std::string_view owner);

// Target name of a server's host: "host:edge". Empty: no such server.
std::string TargetOfServer(const config::Declarations& declarations, std::string_view server);

}  // namespace postern::compile
