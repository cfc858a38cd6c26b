// core/plan/plan.h: what would change, for whom, in which order. The centre of Postern.
//
// MakePlan is pure: declarations (compiled), ledger, observed and clock in, a Plan out; the same
// world gives the same bytes. Nothing here talks to a target. A Plan is a value: views render it,
// apply carries its steps out, the plan file stores it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/access/effective.h"
#include "core/base/hash.h"
#include "core/base/time.h"
#include "core/compile/desired.h"
#include "core/diag/diagnostic.h"
#include "core/ledger/ledger.h"
#include "core/object/object.h"
#include "core/object/target.h"
#include "core/observe/observe.h"

namespace postern::plan {

enum class Action : uint8_t {
  kCreate = 1,
  kUpdate = 2,
  kDelete = 3,
  kDisable = 4,  // staged removal: locked now, deleted after retention
  kRename = 5,
  kReplace = 6,  // another id stands under our key: removed, then created anew
  kAdopt = 7,    // live and as declared, from now on recorded as ours; nothing is written
  kRelease = 8,  // no longer declared; the live value stays
  kForget = 9,   // recorded, gone and no longer declared; only the ledger changes
  kEnd = 10,     // open sessions of an account
};
std::string_view NameOf(Action action);

// Why, shown to people.
enum class Reason : uint8_t {
  kDeclared = 1,     // new in the declarations
  kChanged = 2,      // the declaration says another value
  kDrift = 3,        // somebody changed it behind our back
  kRemoved = 4,      // its declaration is gone
  kExpired = 5,      // its time is over
  kForeign = 6,      // live, in exact scope, declared nowhere
  kReplaced = 7,     // re-created by other hands
  kRetention = 8,    // disabled long enough ago
  kConsequence = 9,  // follows from another change (sessions of a locked account)
  kFact = 10,        // a source shows that its owner isn't in the role any more
};
std::string_view NameOf(Reason reason);

enum class Phase : uint8_t { kVerify, kStop, kRevoke, kStructure, kOpen, kEnable, kRetire };
std::string_view NameOf(Phase phase);
inline constexpr Phase kPhases[] = {Phase::kStop, Phase::kRevoke, Phase::kStructure,
                                    Phase::kOpen, Phase::kEnable, Phase::kRetire};

// One object that changes.
struct Change {
  uint32_t target = 0;  // index into Plan::targets
  object::Kind kind{};
  std::string key;
  Action action{};
  Reason reason{};
  std::string before, after;  // bodies; empty: absent. `after` holds what we manage.
  std::string old_key;        // kRename
  std::string id;             // stable id of the live object
  std::vector<object::FieldDifference> fields;
  std::string owner;       // address of the declaration that causes it
  std::string place;       // "access/partners/acme.toml:4", empty: none
  std::string changed_by;  // for drift: who, when, how known
  base::Instant changed_at = 0;
  std::string how_known;
  std::string note;  // of a row: where below it the folders make it what it is
  std::string held;  // not empty: why nothing is done about it now
  // The fact, "jo.hart left Marketing, seen in corp 10:02Z", or the time, "role x begins
  // 2080-01-01".
  std::string cause;
  base::Instant retired_at = 0;   // kDisable and kDelete after retention: since when
  std::string secret_desired;     // hex HMAC of the wanted secret, when one is set
  uint64_t owned = ~uint64_t{0};  // fields of `after` that are ours once it is applied
};

// One call's worth of work on one object.
struct Step {
  uint64_t id = 0;      // position in Plan::steps plus 1
  uint32_t change = 0;  // index into Plan::changes
  Phase phase{};
  std::string container;
  object::Operation operation;
  bool removes = false, adds = false;  // access
  uint32_t component = 0;              // 0: shares nothing with others
  // Steps before it that must be done for it to be right: changes of facts that it comes from.
  std::vector<uint64_t> needs;
};

// Live state that isn't what we recorded, whether or not this plan mends it.
struct Drift {
  uint32_t target = 0;
  object::Kind kind{};
  std::string key;
  enum class Effect : uint8_t { kMore, kLess, kEqual, kUnknown } effect = Effect::kEqual;
  enum class Type : uint8_t { kChanged, kMissing, kForeign, kReplaced, kNotComputable } type{};
  std::string what;  // "key added SHA256:...", "home /a -> /b"
  std::string who;   // identity or account it concerns
  std::string changed_by;
  base::Instant changed_at = 0;
  std::string how_known;
  std::string note;  // file and line, way out
  // Of a rule by other hands: who has more (gained) and less (lost) by it than declared.
  access::AccessDelta access;
};

// A target as the plan's reader sees it.
struct TargetSummary {
  std::string name, product, version;
  bool reached = false;
  std::string error;
  std::chrono::milliseconds took{0};
  std::map<std::string, uint64_t> counts;  // by kind's name
  std::vector<std::string> incomplete;     // "account on edge-ftp: size limit"
  std::vector<std::string> unstable;       // the same, of what moved while it was read
  uint64_t unreadable_fields = 0;
  std::map<std::string, std::string> concurrency;  // kind -> class
  uint64_t people = 0;                             // identities with access here
};

// A thing a person should look at; never a reason to stop by itself.
struct Look {
  std::string what, detail, place;
};

// How much of a limit this plan uses; only what it touches at all.
struct LimitUse {
  std::string target;
  std::string limit;    // "lose_people", "remove_objects", "change_percent"
  object::Kind kind{};  // of the objects; 0: people
  uint64_t used = 0, population = 0, allowed = 0;
  std::string rule;    // where `allowed` comes from: "max(5, 5 %)", "half of them"
  bool given = false;  // by the operator
  std::string place;   // "operator/postern.toml:12"
  bool exceeded() const { return used > allowed; }
};

// A source that roles read.
struct FactSummary {
  std::string target;
  uint64_t count = 0;  // users
  base::Instant at = 0;
  std::string held;                    // why it decides nothing; empty: it does
  uint64_t roles = 0, identities = 0;  // that stay as recorded for it
};

// A person that a role names and that gets nothing, or no more, by it.
struct RoleNote {
  std::string role, identity, why, place;
  bool held = false;  // undecided; else refused
};

// What a job gives to, or no longer gives to, one who reads at a foreign place, or in a folder of a
// managed server.
struct Disclosure {
  bool gained = false;
  std::string identity;              // "partner:acme"
  std::string job, endpoint, file;   // "export.users", "acme-drop", "users_{slot:%Y%m%d}.csv"; of a
                                     // managed server `endpoint` is "/srv/out at edge-ftp"
  std::string rows;                  // "active users of directory:corp below ou=staff,dc=corp"
  std::vector<std::string> columns;  // that come or go; all of them where the rows do
  std::optional<uint64_t> count;     // rows that there are now, where that is plain to see
  Reason reason = Reason::kDeclared;
  std::string place;
  // How it gets there: the folder at a foreign place, "sftp wong@files.acme.test:2222", and what
  // must answer there, "host key SHA256:...".
  std::string folder, address, trust;
  std::vector<std::string> recipients;  // who can decrypt it, "age1..."; none: it is in the clear
};

// What a file from others may do to people, or no longer may: an import that comes, goes or
// changes.
struct Intake {
  bool gained = false;
  std::string owner;                 // whose people these are, "partner:acme"
  std::vector<std::string> writers;  // who can put a file there: identities, by name
  std::string job, from, address,
      trust;                             // "import.roster", "acme-drop:/out/roster_*.csv", as above
  std::vector<std::string> may;          // "create", "update", "disable"
  std::string people;                    // "people of directory:corp below ou=acme,dc=corp"
  std::vector<std::string> attributes;   // that a file gives them
  std::vector<std::string> held_beyond;  // "50 new", "5 disabled or 5 %"
  std::string signer;                    // who must have signed each file; empty: nobody
  Reason reason = Reason::kDeclared;
  std::string place;
};

struct Refusal {
  std::string target;
  std::string limit;  // "lose_people"
  std::string text;   // "6 of 90 people of edge lose access; the limit is 5 (max(5, 5 %))"
  std::string place;
};

// What the plan read and relies on: must be as planned when it is applied.
struct Expectation {
  std::string target;
  object::Kind kind{};
  std::string key;
  bool present = false;
  std::string digest;  // SHA-256 of the body, hex, when present
  std::string after;   // digest that our own step leaves; empty: we don't write it
  bool after_absent = false;
};

struct Plan {
  base::Instant created = 0;
  base::Instant as_of = 0;   // the moment it is made for
  bool as_of_given = false;  // --as-of
  std::string revision;      // commit of the tree, empty: not known
  std::string ledger_id;
  uint64_t generation = 0;
  std::string declarations_digest;

  std::vector<TargetSummary> targets;
  std::vector<Change> changes;  // sorted by (target, kind, key)
  std::vector<Step> steps;      // in order of execution
  std::vector<Drift> drift;
  access::AccessDelta delta;  // of what is not held
  access::AccessDelta held_delta;
  // identity + path -> until and ticket, for the lines of `delta.gained`.
  std::map<std::pair<std::string, std::string>, compile::Provenance> gained_by, lost_by;
  std::vector<FactSummary> facts;  // by target
  std::vector<RoleNote> role_notes;
  std::vector<Disclosure> disclosures;  // by job; what is lost first
  std::vector<Intake> intakes;          // likewise
  std::vector<Look> looks;
  std::vector<LimitUse> limits;  // by target; people first, then kinds in their order
  std::vector<Refusal> refusals;
  std::vector<Expectation> read_set;
  std::vector<std::pair<std::string, uint32_t>> new_uids;
  std::vector<ledger::Census> census;
  // A killed apply left these. Ends of sessions are changes, or looks where they can't be made.
  std::vector<ledger::OpenIntent> open_intents;
  base::Digest intent{};  // digest of what people approve

  // Nothing to carry out and nothing to write to the ledger.
  bool empty() const;
  size_t held() const;
  bool observed_all() const;
};

// Everything MakePlan looks at.
struct Inputs {
  const config::Declarations* declarations = nullptr;
  const diag::Sources* sources = nullptr;
  const compile::Desired* desired = nullptr;
  const compile::Products* products = nullptr;  // null: no rules by other hands are computed
  const observe::Observed* observed = nullptr;
  // By target, sorted by (kind, key).
  const std::map<std::string, std::vector<ledger::Recorded>>* recorded = nullptr;
  std::vector<ledger::Census> last_census;
  std::vector<ledger::OpenIntent> open_intents;
  base::Instant now = 0, as_of = 0;
  bool as_of_given = false;
  std::string revision, ledger_id, declarations_digest;
  uint64_t generation = 0;
  // HMAC hex of each wanted secret value: "secret:NAME" -> hex.
  std::map<std::string, std::string> secret_digests;
  std::set<std::string> only_targets;  // --target; empty: all
  std::string
      own_job;  // whose run plans, such as "import.staff": no step stops it; empty: a person
};

// The whole plan. Broken invariants abort: they are our bug. Diagnostics: foreign rules that stand
// in the way, held scopes and the like, as warnings.
Plan MakePlan(const Inputs& inputs, diag::Diagnostics* diagnostics);

// Facts for compile from ledger and observation.
compile::Facts FactsOf(const Inputs& inputs,
                       const std::vector<std::pair<std::string, uint32_t>>& allocated);

// Users of IAM systems whom the ledger knows in roles, sorted: (target, key and id). One that a
// listing lacks must be asked for before it is gone (observe::Known).
std::vector<std::pair<std::string, object::KnownKey>> UsersInRoles(
    const std::map<std::string, std::vector<ledger::Recorded>>& recorded);

// Plan file: canonical bytes with a digest over all of them. Load refuses damaged or newer files.
std::string Save(const Plan& plan);
Result<Plan> Load(std::string_view bytes);

// Is every expectation of a saved plan still as planned, or our own step's result? The first
// differences as lines for people; empty: it stands.
std::vector<std::string> Stale(const Plan& plan, const observe::Observed& observed);

// Whether the step opens what wasn't open: not a job that is only held while its folder loses
// rights and goes on as it was.
bool Opens(const Plan& plan, const Step& step);

// Which steps of a saved plan are already so, because an apply of it was interrupted: parallel to
// Plan::steps. Judged by what is live, step after step of each change.
std::vector<bool> Settled(const Plan& plan, const observe::Observed& observed);

// Of an announced end of sessions that was never confirmed: whether its server is declared at that
// target still, so that a plan can carry it.
bool CanStillEnd(const ledger::OpenIntent& open, const config::Declarations& declarations);

// "7f3a quiet-heron"
std::string ShortName(const Plan& plan);

}  // namespace postern::plan
