// core/plan/planner.h: the working state of MakePlan. Internal to core/plan.
//
// join.cc finds the changes, access.cc what they mean for people, steps.cc splits them into steps
// and orders those, components.cc says what must wait for what, limits.cc refuses, plan.cc drives.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/object/fields.h"
#include "core/plan/plan.h"
#include "core/plan/server_rules.h"

namespace postern::job {
class JobSpec;
}

namespace postern::plan {

// A (kind, scope) as the planner may rely on it.
struct ScopeState {
  bool complete = true;
  std::string reason;
  std::string unstable;  // everything was read, but what is missing or foreign may be neither
  size_t held = 0;       // decisions that wait for a stable reading
};

class Planner {
 public:
  Planner(const Inputs& inputs, diag::Diagnostics* diagnostics)
      : in_(inputs), diagnostics_(diagnostics) {}
  Plan Run();

 private:
  // One key seen from three sides; at least one pointer is set.
  struct Row {
    uint32_t target = 0;
    object::Kind kind{};
    std::string_view key;
    const compile::DesiredObject* desired = nullptr;
    const object::ObjectView* observed = nullptr;
    const ledger::Recorded* recorded = nullptr;
  };

  // scopes.cc
  void Summarise(const observe::ObservedTarget& target);
  void JudgeScopes(const observe::ObservedTarget& target);
  void ReportUnstable();
  const ScopeState& ScopeFor(const Row& row) const;
  bool HoldIfUnstable(const Row& row, Change* change);
  // facts.cc
  void TellFacts();
  void HoldByFacts();
  void HoldByFact(const std::string& why, Change* change);
  void Explain(const compile::DesiredObject* desired, Change* change) const;
  void HoldPending();
  using ChangesByKey =
      std::map<std::tuple<std::string_view, object::Kind, std::string_view>, uint32_t>;
  void HoldIfPending(uint32_t change, const std::vector<compile::PendingFact>& needs,
                     const ChangesByKey& by_key);
  std::vector<compile::PendingFact> NeedsOf(const compile::DesiredObject& desired) const;
  void LinkPending();
  void NumberNeeds();
  const compile::DesiredObject* DesiredOf(const Change& change) const;
  // join.cc
  void JoinTarget(uint32_t index, const observe::ObservedTarget& target);
  void Decide(const Row& row);
  void DecideBoth(const Row& row);
  bool SameOwner(const Row& row) const;
  static bool SameValues(const Row& row);
  void DecideUnread(const Row& row);
  void DecideSame(const Row& row, bool replaced, const std::string& secret);
  void DecideOther(const Row& row, bool secret_differs, const std::string& secret);
  void DecideMissing(const Row& row);
  void ReplaceRow(const Row& row);
  // handovers.cc
  std::string HandedOver(const Row& row) const;
  bool SamePerson(std::string_view had, std::string_view has) const;
  void NoteHandover(const Row& row, std::string had);
  void TakeHandovers();
  void ExplainHandovers();
  std::string IdentityBefore(const access::Place& place, std::string_view account) const;
  // unwanted.cc
  void DecideRemoved(const Row& row);
  void DecideUndeclared(const Row& row);
  void DecideForeign(const Row& row);
  std::string ForeignPolicy(uint32_t target) const;
  uint32_t RetentionDays(uint32_t target) const;
  std::optional<compile::Authority> AuthorityFor(const Row& row) const;
  // quarantine.cc
  void Quarantine(const Row& row);
  void DecideForeignElement(const Row& row);
  void DecideSetAside(const Row& row);
  void GiveBack(Row* row);
  // renames.cc
  void MatchRenames(uint32_t target);
  void RenamesByOwner(uint32_t target, std::set<size_t>* dropped);
  void RenamesById(uint32_t target, std::set<size_t>* dropped);
  void KeepMembersOfRenamed(uint32_t target);
  void TakeMoved(const object::ObjectView& live, Change* change, std::set<size_t>* dropped);
  // sources.cc
  bool DecideSourced(const Row& row, bool replaced);
  void LockOnly(const Row& row, Reason reason);
  void ShutForAnother(const Row& row, bool inherited);
  void HoldUnknown(const Row& row, Change* change);
  void HoldSourced(const Row& row, const std::string& why, const std::string& way_out,
                   Change* change);
  void HoldWithoutAccount();
  const std::string& SourceOf(const Change& change) const;
  void LookAtLocks();
  struct Logins;
  Logins IndexLogins() const;
  void LookAtLock(const Change& change, const Logins& logins);
  void LookAtEntry(const Change& change, const Logins& logins);
  // join.cc, what it asks
  Change& AddChange(const Row& row, Action action, Reason reason);
  void ClearUndeclared(Row* row);
  void KeepTheirId(Row* row);
  void PutDesired(Row* row, std::string body);
  void SayTime(const Row& row, Change* change) const;
  bool SecretDiffers(const Row& row, std::string* wanted_digest) const;
  static bool Locks(const Row& row);
  bool OfReplaced(const Row& row) const;
  // drift.cc
  void NoteDrift(const Row& row);
  bool IsOpen(const Row& row) const;
  std::string SubjectOf(const Row& row) const;
  void NoteChanged(const Row& row, Drift drift);
  static bool AsRecorded(const Row& row);
  static bool SecretMoved(const Row& row);
  void NoteForeign(const Row& row);
  void JudgeDriftOverServers();  // drift_servers.cc
  // foreign.cc
  struct ForeignServer {
    ServerRules rules;
    std::vector<RuleUnit> units;
    access::ServerWorld live;
    bool computed = false;
    std::string why;  // not computed
    // What the rules change: now; after the plan; after it if nothing were held.
    std::shared_ptr<const access::Overlay> before, after, prospective;
    std::shared_ptr<const RaisedServer> raised_after;  // null: the plan doesn't touch the server
  };
  void NoteNativeRules(uint32_t index, const observe::ObservedTarget& target);
  void NoteEntry(uint32_t target, const object::ObjectView& object);
  void NoteForeignRules(uint32_t target, const std::string& server, const access::World& world,
                        ForeignServer* foreign);
  void NoteForeignRule(uint32_t target, const access::World& world, const access::Place& place,
                       const ForeignServer& foreign, const RuleUnit& unit,
                       const access::Overlay& effect,
                       std::shared_ptr<const access::Overlay> without);
  void NoteNotComputable(uint32_t target, const ForeignServer& foreign, size_t index);
  static Drift DriftOf(uint32_t target, const object::ObjectView& object);
  const access::Product* ProductOf(const std::string& server) const;
  ServerState StateOf(uint32_t target, const std::string& server,
                      const access::ServerWorld& world) const;
  std::vector<access::RaiseAccount> AccountsOf(uint32_t target, const std::string& server,
                                               const access::ServerWorld& world) const;
  access::ServerWorld ServerAfter(uint32_t target, const std::string& server,
                                  const access::ServerWorld& live, bool* rewritten) const;
  std::optional<RaisedServer> RaiseAfter(uint32_t target, const std::string& server,
                                         const ForeignServer& foreign,
                                         access::ServerWorld* world) const;
  // second_ways.cc
  bool TakeWay(uint32_t target, const std::string& server, const object::ObjectView& object);
  void NoteWayOut(uint32_t target, const object::ObjectView& object, const kinds::NativeRule& way);
  void HoldOneFolder();
  void HoldFolder(uint32_t target, const std::string& path, const std::string& real,
                  const std::string& other,
                  const std::map<std::string, const compile::DesiredObject*>& declared);
  void NameWays();
  static std::string WayTo(const ForeignServer& foreign, std::string_view path);
  // foreign_holds.cc
  void HoldConflicts();
  void HoldIfNear(const ForeignServer& foreign, Change* change);
  void HoldIfInexact(const ForeignServer& foreign, const RaisedServer& raised,
                     const access::ServerWorld& world, Change* change);
  void Hold(const ForeignRule& rule, const std::string& why, Change* change);
  static const ForeignRule* Blame(const ForeignServer& foreign, const RaisedServer& raised,
                                  const std::string& login, const access::Cell& cell);
  void WarnUndone(const access::Touched& touched);
  void WarnKept(const ForeignServer& foreign, const access::AccessChange& line);
  // access.cc
  void RaiseBefore();
  void RaiseWorlds();
  void SetOverlays(std::optional<access::World>* held);
  Change WithLiveBody(const Change& change) const;
  void ExplainDelta();
  void CountPeople();
  std::string IdentityAt(const access::Place& place, std::string_view account) const;
  std::string_view FormerIdentity(const access::Place& place, std::string_view account) const;
  // steps.cc
  void MakeSteps();
  void StepsOf(uint32_t change);
  void StepsOfUpdate(uint32_t change);
  void GoAndComeBack(uint32_t change, const std::string& now);
  void StepsOfCreate(uint32_t change);
  void StepsOfRename(uint32_t change);
  void StepsOfRemoval(uint32_t change);
  void StepsOfReplace(uint32_t change);
  // rotation.cc
  struct Successor {
    std::optional<uint32_t> change;  // nothing: it is live
    std::string held;                // why it can't be made now
  };
  std::optional<Successor> SuccessorOf(const Change& retired) const;
  std::optional<uint32_t> ChangeOf(std::string_view target, object::Kind kind,
                                   std::string_view key) const;
  std::vector<uint32_t> JobsThatSignIn(const Change& credential, std::string* held) const;
  std::string Unseen(const std::string& target) const;
  void HoldRotations();
  bool RetireKey(uint32_t change);
  void TeachAfterKeys();
  // services.cc
  std::string UnusedYet(const std::string& name) const;
  void LookAtServices();
  // sessions.cc
  void EndSessions();
  std::set<std::pair<access::Place, std::string>> LosersAtServers() const;
  void LookAtLeft(const ledger::OpenIntent& left, bool loses);
  void AddEnding(const access::Place& place, const std::string& login,
                 const ledger::OpenIntent* left);
  // jobs.cc
  std::string_view InstalledSpec(uint32_t target, std::string_view job) const;
  std::pair<std::string, std::string> PlaceOfJob(const job::JobSpec& spec) const;
  bool WorksWhereRightsGo(uint32_t target, std::string_view job) const;
  void HoldStarts();
  bool HoldsStart(const Change& change) const;
  void StopRuns();
  void StopRun(uint32_t target, const object::ObjectView& run);
  void NoteSilent(const Row& row);
  // ways_in.cc
  void LookAtWaysIn();
  // runners.cc
  void CheckRunners();
  void AddGoneRunners();
  bool IsMoved(const Row& row) const;
  // disclosure.cc
  void TellDisclosures();
  void NameSpecFields();
  std::set<std::string> HoldersIn(const access::World& world, const std::string& server,
                                  const std::string& folder, access::Right right) const;
  // intakes.cc
  void TellIntakes();
  // spelled_sets.cc
  void SpellSets();
  // steps.cc
  void AddStep(uint32_t change, Phase phase, std::string before, std::string after, bool removes,
               bool adds);
  void OrderSteps();  // order.cc
  bool CanDisable(const Change& change) const;
  // components.cc
  void FindComponents();
  std::string_view SpecOfJob(const Step& step) const;
  std::vector<std::pair<std::string, std::string>> HoldersOf(const Step& step) const;
  std::vector<std::pair<std::string, std::string>> EntriesOf(const Step& step) const;
  // limits.cc
  void CheckLimits();
  struct Touched {
    uint64_t removed = 0, changed = 0;
  };
  void WeighObjects(uint32_t target, const std::map<object::Kind, Touched>& kinds);
  void WeighPeople(uint32_t target, uint64_t losers);
  std::map<std::string, std::set<std::string>> Losers() const;
  std::string FactBehindLosses() const;
  void Weigh(LimitUse use, uint32_t target, const char* code);
  void CheckFloor();
  // read_set.cc
  using Expected = std::set<std::tuple<std::string, object::Kind, std::string>>;
  void CollectReadSet();
  void Expect(const std::string& target, object::Kind kind, const std::string& key, Expected* seen);
  void ExpectAccount(const access::AccessChange& line, Expected* seen);
  void ExpectRules(Expected* seen);
  void ExpectFacts(const Change& change, Expected* seen);
  // plan.cc
  void CheckInvariants();
  void CollectCensus();
  void Digest();
  const decl::Manage& ManageOf(uint32_t target) const;
  const decl::Host* HostOf(uint32_t target) const;
  const decl::Directory* DirectoryOf(uint32_t target) const;
  const decl::Iam* IamOf(uint32_t target) const;
  const decl::Runner* RunnerOf(uint32_t target) const;
  const decl::Limits& LimitsOf(uint32_t target) const;
  diag::Span LimitsPlace(uint32_t target) const;

  const Inputs& in_;
  diag::Diagnostics* diagnostics_;
  Plan plan_;
  std::map<std::tuple<uint32_t, object::Kind, std::string>, ScopeState> scopes_;
  std::vector<const observe::ObservedTarget*> observed_;  // parallel to plan_.targets
  std::vector<const compile::DesiredTarget*> desired_;    // parallel, may be null
  std::vector<const decl::Manage*> manage_;               // parallel
  // Desired objects with what was declared once and isn't any more: their bodies are theirs.
  std::deque<std::pair<std::string, compile::DesiredObject>> cleared_;
  // What its time has left behind, and what it hasn't brought yet; into `in_`.
  using OffTimes =
      std::map<std::tuple<uint32_t, object::Kind, std::string_view>, const compile::OffTime*>;
  OffTimes expired_, ahead_;
  // What passes to somebody else, and who had it: by target, kind and key; by place, unless held.
  std::map<std::tuple<uint32_t, object::Kind, std::string>, std::string> handovers_;
  std::map<std::pair<access::Place, std::string>, std::string, std::less<>> handed_over_;
  // Accounts that go and are made anew, by target and key.
  std::set<std::pair<uint32_t, std::string_view>> replaced_;
  // Folders that lose a right, as ("host:edge", path), and the jobs, by target and key, that must
  // not begin before it is gone.
  std::vector<std::pair<std::string, std::string>> losing_;
  std::set<std::pair<uint32_t, std::string>> held_starts_;
  std::vector<TargetSummary> gone_;  // runners with jobs that aren't declared any more
  std::set<std::string> moved_;      // runners that are elsewhere than what is recorded of them
  // Changes that come from changes of facts, or that jobs must know of first: which those are.
  std::map<uint32_t, std::vector<uint32_t>> waits_;
  // Changes of jobs -> changes that make the keys they sign in with.
  std::map<uint32_t, std::set<uint32_t>> new_keys_;
  // By target and server, those with rules by other hands.
  std::map<std::pair<uint32_t, std::string>, ForeignServer> foreign_;
  // By target: other paths of folders -> the paths that count.
  std::map<uint32_t, std::map<std::string, std::string>> ways_;
  // By server and login, of declared accounts that a directory has. Use SourceOf().
  mutable std::optional<std::map<std::pair<std::string, std::string>, std::string>> sources_;
  // Accounts that nothing must be opened for: (target, server, login) -> why.
  std::map<std::tuple<uint32_t, std::string, std::string>, std::string> without_account_;
  // The world as it would be; `before_` itself while no change is made to it.
  const access::World& after() const { return after_ ? *after_ : before_; }

  access::World before_;
  std::optional<access::World> after_;  // set by the first change
};

// By kind and key in a target's sorted records; null: not recorded.
const ledger::Recorded* FindRecorded(const std::vector<ledger::Recorded>& recorded,
                                     object::Kind kind, std::string_view key);
// What one scope says, with the bound on how far it may have shrunk.
ScopeState JudgeScope(const Inputs& inputs, const std::string& target, const decl::Limits& limits,
                      const object::ScopeStatus& scope);
// Sources of identities, and what compile must know of accounts for roles.
void AddSources(const Inputs& inputs, compile::Facts* facts);

// Whether the target itself changes by it; false where only the ledger does.
bool WritesTarget(Action action);
void PutChange(const Change& change, const std::string& target, access::World* world);
// The field that says whether a login or user can come in; 0: the kind has none.
constexpr uint32_t EnabledFieldOf(object::Kind kind) {
  switch (kind) {
    case object::Kind::kAccount:
      return 3;
    case object::Kind::kUser:
      return 10;
    case object::Kind::kIamUser:
      return 14;
    case object::Kind::kJob:
      return 6;
    default:
      return 0;
  }
}
// Also of what opens a login: a key out of quarantine.
constexpr uint32_t OpenField(object::Kind kind) {
  return kind == object::Kind::kSshKey ? 9 : EnabledFieldOf(kind);
}
// A relation: an element of a set that is ours, of it alone or not at all.
constexpr bool IsRelation(object::Kind kind) {
  return kind == object::Kind::kSshKey || kind == object::Kind::kServerMembership ||
         kind == object::Kind::kMembership || kind == object::Kind::kIamMembership;
}
// A grant that comes or gets wider; the deny-all and a narrowing only take away.
bool AddsAccess(const Change& change);
// Of an account: the host has it, or shall have it, from a directory through NSS.
bool IsSourced(object::Kind kind, std::string_view body);
// The deny-all row of a managed root (schemas/kinds.proto, Grant).
bool IsBaseline(object::Kind kind, std::string_view key);
// A grant row without rights on either side: it matters where it stands, not to whom.
bool GivesNobodyAnything(object::Kind kind, std::string_view before, std::string_view after);
// Hex digest of what a reader relies on: all but secrets, which the ledger's HMAC compares.
std::string ReadDigest(object::Kind kind, std::string_view body);
using object::KeyMask, object::Restrict, object::SecretIn, object::SecretMask;
// Small bodies by field.
bool FlagIn(std::string_view body, uint32_t field, bool unset);
uint32_t NumberIn(std::string_view body, uint32_t field);        // 0: unset
std::string_view TextIn(std::string_view body, uint32_t field);  // empty: unset; into `body`
std::string NoteIn(object::Kind kind, std::string_view body);    // of a grant; else empty
// The elements of a set, sorted; none where it isn't set.
std::vector<std::string> SetIn(std::string_view body, uint32_t field);
// A body of that set alone; `elements` sorted.
std::string SetField(uint32_t field, std::span<const std::string> elements);
// `meet`: a body of what two sets of that field have in common, where "*" holds every element and
// what excludes ("!...") excludes in either. False: they have nothing in common that can be written
// as a set (sources of a key, names of a certificate); an authority and a key of its own are two
// things.
bool MeetOfSets(uint32_t field, const std::string& before, const std::string& after,
                std::string* meet);
// A body of that instant alone: never.
std::string NeverField(uint32_t field);
// Of an account: the body without its end where it is locked; a lock stands in that place.
std::string WithoutEndOfLocked(object::Kind kind, std::string body);
std::string WithFlag(object::Kind kind, std::string_view body, uint32_t field, bool value);

}  // namespace postern::plan
