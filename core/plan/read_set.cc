// What a plan relies on: must be as planned when it is applied (design §4).
#include <set>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

bool ReadsNothing(Action action) {
  return action == Action::kEnd || action == Action::kForget;
}

}  // namespace

// Every object that it writes, the accounts and memberships at servers that decided who loses and
// gains by it, and what sources show of those whose roles cause its changes.
void Planner::CollectReadSet() {
  Expected seen;
  for (const Change& change : plan_.changes) {
    if (ReadsNothing(change.action) || !change.held.empty()) continue;
    Expect(plan_.targets[change.target].name, change.kind,
           change.old_key.empty() ? change.key : change.old_key, &seen);
  }
  ExpectRules(&seen);
  for (const auto* lines : {&plan_.delta.lost, &plan_.delta.gained}) {
    for (const access::AccessChange& line : *lines) ExpectAccount(line, &seen);
  }
  for (const Change& change : plan_.changes) ExpectFacts(change, &seen);
}

void Planner::Expect(const std::string& target, Kind kind, const std::string& key, Expected* seen) {
  if (!seen->insert({target, kind, key}).second) return;
  Expectation expectation;
  expectation.target = target;
  expectation.kind = kind;
  expectation.key = key;
  const observe::ObservedTarget* observed = in_.observed->Find(target);
  const object::ObjectView* live =
      observed == nullptr ? nullptr : observed->objects.Find(kind, key);
  if (live != nullptr) {
    expectation.present = true;
    expectation.digest = ReadDigest(kind, live->body);
  }
  plan_.read_set.push_back(std::move(expectation));
}

void Planner::ExpectAccount(const access::AccessChange& line, Expected* seen) {
  if (line.place.server.empty()) return;
  Expect(line.place.target, Kind::kAccount,
         object::MakeKey(Kind::kAccount, {line.place.server, line.account}), seen);
  if (!line.through.starts_with("group:")) return;
  Expect(line.place.target, Kind::kServerMembership,
         object::MakeKey(Kind::kServerMembership,
                         {line.place.server, line.through.substr(6), line.account}),
         seen);
}

// What other hands' rules give was computed from the configuration.
void Planner::ExpectRules(Expected* seen) {
  for (const auto& [at, foreign] : foreign_) {
    if (foreign.raised_after == nullptr) continue;
    const std::string& target = plan_.targets[at.first].name;
    for (const ForeignRule& rule : foreign.rules.rules()) {
      if (rule.IsWay()) Expect(target, rule.object->kind, std::string(rule.object->key), seen);
    }
    for (const object::ObjectView& file :
         observed_[at.first]->objects.OfKind(Kind::kServerConfig)) {
      const auto config = object::DecodeAs<kinds::ServerConfig>(file.body);
      if (config.server() == at.second && config.role() != "generated") {
        Expect(target, file.kind, std::string(file.key), seen);
      }
    }
  }
}

// Who has left since, is locked or is in the group no more isn't given what a saved plan says, and
// nothing is taken from who has come back; whatever the plan's own targets are, and also where
// nobody's rights change by it.
void Planner::ExpectFacts(const Change& change, Expected* seen) {
  if (!change.held.empty() || !WritesTarget(change.action)) return;
  const compile::Desired& desired = *in_.desired;
  const auto expect = [&](const compile::FactReads& reads) {
    for (const compile::FactRead& read : reads) {
      if (read.source >= desired.facts.size()) continue;  // what is restored asks no source
      Expect(desired.facts[read.source].target, read.object->kind, std::string(read.object->key),
             seen);
    }
  };
  if (const compile::DesiredObject* wanted = DesiredOf(change)) {
    for (const uint32_t source : wanted->sources) {
      const compile::ByFact* facts = desired.FactsBehind(desired.provenance[source]);
      if (facts != nullptr) expect(facts->reads);
    }
  }
  for (std::string_view role : compile::RolesInOwner(change.owner)) {
    const auto departure = desired.departures.find(
        {std::string(role), std::string(compile::IdentityInOwner(change.owner))});
    if (departure != desired.departures.end()) expect(departure->second.reads);
  }
}

}  // namespace postern::plan
