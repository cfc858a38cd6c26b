// What roles make of facts, in a plan: which sources decide, what stays as recorded because one
// doesn't, which fact caused a change, and which steps wait for a change of a fact (design §3, §4).
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/identity.h"
#include "core/object/spelling.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using compile::DesiredObject;
using compile::IdentitySource;
using compile::PendingFact;
using compile::Reading;
using object::Kind;

constexpr uint32_t kAccountEnabled = kinds::Account::kEnabledFieldNumber;

// All scopes of the kind together: one that can't be relied on is enough.
Reading ReadingOf(const Inputs& inputs, const observe::ObservedTarget* target,
                  const decl::Limits& limits, std::string_view name, Kind kind) {
  Reading reading;
  if (target == nullptr || !target->reached) {
    reading.held = fmt::format("{} was not observed", name);
    if (target != nullptr && !target->error.message.empty()) {
      reading.held += ": " + target->error.message;
    }
    return reading;
  }
  bool any = false;
  for (const object::ScopeStatus& scope : target->scopes) {
    if (scope.kind != kind) continue;
    any = true;
    reading.count += scope.count;
    if (reading.at == 0 || (scope.at != 0 && scope.at < reading.at)) reading.at = scope.at;
    if (!reading.held.empty()) continue;
    const ScopeState state = JudgeScope(inputs, target->name, limits, scope);
    if (!state.complete) {
      reading.held = fmt::format("{} was not read in full: {}", name, state.reason);
    } else if (!scope.unstable.empty()) {
      reading.held = fmt::format("{} changed while it was read: {}", name, scope.unstable);
    }
  }
  if (!any) reading.held = fmt::format("{} said nothing of its {}s", name, object::NameOf(kind));
  return reading;
}

// A step's worth of access less than the whole: what both sides of a row allow.
std::string MeetOfRows(const std::string& before, const std::string& after) {
  auto row = object::DecodeAs<kinds::Grant>(after);
  row.set_rights(row.rights() & object::DecodeAs<kinds::Grant>(before).rights());
  return object::EncodeBody(row);
}

}  // namespace

void AddSources(const Inputs& inputs, compile::Facts* facts) {
  for (const ledger::OpenIntent& open : inputs.open_intents) {
    const ledger::Intent& intent = open.intent;
    if (intent.kind != Kind::kAccount || !intent.before.empty()) continue;
    facts->begun.insert({intent.target, intent.key});
  }
  const auto add = [&](const std::string& name, const std::string& target,
                       const decl::Limits& limits, Kind users, Kind memberships) {
    const observe::ObservedTarget* observed = inputs.observed->Find(target);
    IdentitySource source;
    source.target = target;
    if (observed != nullptr && observed->reached) source.objects = &observed->objects;
    source.users = ReadingOf(inputs, observed, limits, name, users);
    source.memberships = ReadingOf(inputs, observed, limits, name, memberships);
    facts->sources.push_back(std::move(source));
  };
  for (const auto& directory : inputs.declarations->directories) {
    add(directory.message.name(), "directory:" + directory.message.name(),
        directory.message.limits(), Kind::kUser, Kind::kMembership);
  }
  for (const auto& iam : inputs.declarations->iams) {
    add(iam.message.name(), "iam:" + iam.message.name(), iam.message.limits(), Kind::kIamUser,
        Kind::kIamMembership);
  }
  std::sort(facts->sources.begin(), facts->sources.end(),
            [](const IdentitySource& a, const IdentitySource& b) { return a.target < b.target; });
  for (const observe::ObservedTarget& target : inputs.observed->targets) {
    if (target.reached && target.name.starts_with("host:")) {
      facts->live[target.name] = &target.objects;
    }
  }
}

std::vector<std::pair<std::string, object::KnownKey>> UsersInRoles(
    const std::map<std::string, std::vector<ledger::Recorded>>& recorded) {
  std::vector<std::pair<std::string, object::KnownKey>> users;
  for (const auto& [target, rows] : recorded) {
    for (const ledger::Recorded& row : rows) {
      if (row.kind != Kind::kAccount || !row.owner.starts_with("role:")) continue;
      const auto parts = compile::SplitFactIdentity(compile::IdentityInOwner(row.owner));
      if (!parts.target.starts_with("iam:")) continue;
      users.push_back({std::string(parts.target),
                       {{Kind::kIamUser, object::MakeKey(Kind::kIamUser, {parts.name})},
                        compile::IdOf(parts)}});
    }
  }
  std::sort(users.begin(), users.end());
  users.erase(std::unique(users.begin(), users.end()), users.end());
  return users;
}

const DesiredObject* Planner::DesiredOf(const Change& change) const {
  const compile::DesiredTarget* target = desired_[change.target];
  return target == nullptr ? nullptr : target->Find(change.kind, change.key);
}

// What the plan's reader must know of the sources and of whom roles left out.
void Planner::TellFacts() {
  for (const compile::FactSource& source : in_.desired->facts) {
    plan_.facts.push_back({source.target, source.count, source.at, source.held,
                           source.held_roles.size(), source.held_identities.size()});
  }
  for (const compile::RoleNote& note : in_.desired->role_notes) {
    plan_.role_notes.push_back(
        {note.role, note.identity, note.why, in_.sources->Place(note.span), note.held});
  }
}

// Neither grant nor revocation for whom nothing is known; what declarations take away goes on.
void Planner::HoldByFacts() {
  const compile::Desired& desired = *in_.desired;
  if (desired.by_facts.empty() && desired.departures.empty() && desired.inherited.empty()) return;
  for (Change& change : plan_.changes) {
    const DesiredObject* wanted = DesiredOf(change);
    if (wanted != nullptr) {
      for (const uint32_t source : wanted->sources) {
        const compile::ByFact* facts = desired.FactsBehind(desired.provenance[source]);
        if (facts != nullptr && !facts->held.empty()) HoldByFact(facts->held, &change);
      }
    }
    Explain(wanted, &change);
  }
}

void Planner::HoldByFact(const std::string& why, Change* change) {
  if (!change->held.empty() || !WritesTarget(change->action)) return;
  if (change->action == Action::kUpdate && change->kind == Kind::kGrant) {
    if (!AddsAccess(*change)) return;
    // What the declaration takes away of it goes on.
    const std::string meet = MeetOfRows(change->before, change->after);
    if (object::DecodeAs<kinds::Grant>(meet).rights() !=
        object::DecodeAs<kinds::Grant>(change->before).rights()) {
      change->after = meet;
      change->fields = object::Differences(change->kind, meet, change->before);
      return;
    }
  }
  if (change->kind == Kind::kAccount && change->action == Action::kUpdate &&
      !FlagIn(change->after, kAccountEnabled, true)) {
    return;  // its time is over
  }
  if (change->action == Action::kReplace) return;
  change->held = why;
}

// The fact behind the change; a change by other hands has none.
void Planner::Explain(const DesiredObject* wanted, Change* change) const {
  if (change->reason == Reason::kDrift || change->reason == Reason::kForeign ||
      change->reason == Reason::kExpired || change->reason == Reason::kReplaced) {
    return;
  }
  if (!change->cause.empty()) return;  // its time says it
  const compile::Desired& desired = *in_.desired;
  std::string_view owner = change->owner;
  if (wanted != nullptr) {
    const auto recorded = in_.recorded->find(plan_.targets[change->target].name);
    if (change->action == Action::kUpdate && recorded != in_.recorded->end()) {
      const auto& rows = recorded->second;
      const auto at = std::lower_bound(
          rows.begin(), rows.end(), std::pair(change->kind, std::string_view(change->key)),
          [](const ledger::Recorded& row, const auto& wanted_key) {
            return std::pair(row.kind, std::string_view(row.key)) < wanted_key;
          });
      if (at != rows.end() && at->kind == change->kind && at->key == change->key) owner = at->owner;
    }
  }
  if (wanted == nullptr || owner != change->owner) {
    for (std::string_view role : compile::RolesInOwner(owner)) {
      const auto departure = desired.departures.find(
          {std::string(role), std::string(compile::IdentityInOwner(owner))});
      if (departure == desired.departures.end()) continue;
      change->cause = departure->second.cause;
      if (change->reason == Reason::kRemoved) change->reason = Reason::kFact;
      return;
    }
  }
  if (wanted == nullptr) return;
  for (const uint32_t source : wanted->sources) {
    const compile::ByFact* facts = desired.FactsBehind(desired.provenance[source]);
    if (facts == nullptr || facts->cause.empty()) continue;
    change->cause = facts->cause;
    return;
  }
}

// Of several reasons one that stands already is enough; else all that are on their way.
std::vector<PendingFact> Planner::NeedsOf(const DesiredObject& desired) const {
  std::vector<PendingFact> needs;
  for (const uint32_t source : desired.sources) {
    const compile::ByFact* facts = in_.desired->FactsBehind(in_.desired->provenance[source]);
    if (facts == nullptr || facts->needs.empty()) return {};
    needs.insert(needs.end(), facts->needs.begin(), facts->needs.end());
  }
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  return needs;
}

// An addition that comes from a change of a fact needs that change; a revocation doesn't wait.
void Planner::HoldPending() {
  const auto& by_facts = in_.desired->by_facts;
  if (std::all_of(by_facts.begin(), by_facts.end(),
                  [](const compile::ByFact& facts) { return facts.needs.empty(); })) {
    return;
  }
  ChangesByKey by_key;
  for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& change = plan_.changes[i];
    by_key[{plan_.targets[change.target].name, change.kind, change.key}] = i;
  }
  for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
    if (!plan_.changes[i].held.empty() || !WritesTarget(plan_.changes[i].action)) continue;
    const DesiredObject* desired = DesiredOf(plan_.changes[i]);
    if (desired != nullptr) HoldIfPending(i, NeedsOf(*desired), by_key);
  }
}

void Planner::HoldIfPending(uint32_t index, const std::vector<PendingFact>& needs,
                            const ChangesByKey& by_key) {
  for (const PendingFact& need : needs) {
    const auto at = by_key.find({need.target, need.key.kind, need.key.key});
    const std::string what = object::DescribeSpelled(
        need.key.kind, need.key.key, at == by_key.end() ? "" : plan_.changes[at->second].after);
    if (at == by_key.end()) {
      plan_.changes[index].held = fmt::format("it needs {}, which isn't in this plan", what);
      return;
    }
    if (!plan_.changes[at->second].held.empty()) {
      plan_.changes[index].held = fmt::format("it needs {}, which is held", what);
      return;
    }
    waits_[index].push_back(at->second);
  }
}

// In the phase of the change that it needs, or a later one.
void Planner::LinkPending() {
  if (waits_.empty()) return;
  std::map<uint32_t, Phase> last;  // of the changes that are needed
  for (const auto& [change, needed] : waits_) {
    for (const uint32_t fact : needed) last[fact] = Phase::kVerify;
  }
  for (const Step& step : plan_.steps) {
    const auto at = last.find(step.change);
    if (at != last.end()) at->second = std::max(at->second, step.phase);
  }
  for (Step& step : plan_.steps) {
    const auto waits = waits_.find(step.change);
    if (waits == waits_.end() || !step.adds) continue;
    for (const uint32_t fact : waits->second) {
      step.phase = std::max(step.phase, last[fact]);
      step.needs.push_back(fact + 1);  // numbered when the order is known
    }
  }
}

void Planner::NumberNeeds() {
  if (!waits_.empty()) {
    std::map<uint32_t, uint64_t> last;  // change -> its last step
    for (const Step& step : plan_.steps) last[step.change] = step.id;
    for (Step& step : plan_.steps) {
      for (uint64_t& need : step.needs) need = last[static_cast<uint32_t>(need - 1)];
    }
  }
  std::map<uint32_t, const Step*> gone;  // change -> what makes room in the same phase
  for (Step& step : plan_.steps) {
    if (plan_.changes[step.change].action != Action::kReplace) continue;
    if (step.operation.after.empty()) {
      gone[step.change] = &step;
    } else if (const auto at = gone.find(step.change);
               at != gone.end() && at->second->phase == step.phase) {
      step.needs.push_back(at->second->id);
    }
  }
  for (Step& step : plan_.steps) std::sort(step.needs.begin(), step.needs.end());
}

compile::Facts FactsOf(const Inputs& inputs,
                       const std::vector<std::pair<std::string, uint32_t>>& allocated) {
  compile::Facts facts;
  facts.now = inputs.as_of;
  facts.clock = inputs.now;
  facts.used_uids = allocated;
  facts.recorded = inputs.recorded;
  facts.ledger_id = inputs.ledger_id;
  facts.revision = inputs.revision;
  facts.next_generation = inputs.generation + 1;
  struct {
    Kind kind{};
    std::string_view server;
    absl::flat_hash_map<std::string, uint32_t>* numbers = nullptr;
  } last;  // objects come server after server
  const auto take = [&](Kind kind, std::string_view key, std::string_view body) {
    const auto parts = object::SplitKey(key);
    const uint32_t field = kind == Kind::kAccount ? 5 : 3;
    const uint32_t number = NumberIn(body, field);
    if (number == 0) return;
    if (last.numbers == nullptr || last.kind != kind || last.server != parts[0]) {
      auto& into = kind == Kind::kAccount ? facts.uids : facts.gids;
      last = {kind, parts[0], &into[std::string(parts[0])]};
    }
    last.numbers->try_emplace(std::string(parts[1]), number);
  };
  for (const auto& [target, objects] : *inputs.recorded) {
    for (const ledger::Recorded& object : objects) {
      if (object.kind == Kind::kAccount || object.kind == Kind::kServerGroup) {
        take(object.kind, object.key, object.body);
      }
    }
  }
  for (const observe::ObservedTarget& target : inputs.observed->targets) {
    for (const Kind kind : {Kind::kAccount, Kind::kServerGroup}) {
      for (const object::ObjectView& object : target.objects.OfKind(kind)) {
        take(kind, object.key, object.body);
      }
    }
    if (!target.reached) continue;
    for (const auto& server : inputs.declarations->servers) {
      if ("host:" + server.message.host() != target.name) continue;
      facts.capabilities[server.message.name()] = target.probe.capabilities;
    }
  }
  if (!inputs.declarations->roles.empty()) AddSources(inputs, &facts);
  return facts;
}

}  // namespace postern::plan
