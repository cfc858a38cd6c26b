// Does a saved plan still stand, and how far has an interrupted apply of it come?
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/plan/planner.h"

namespace postern::plan {

using object::Kind;

namespace {

// What a change's steps build on.
std::string StateBefore(const Change& change) {
  const bool fresh = change.action == Action::kCreate || change.action == Action::kReplace;
  return fresh ? std::string() : change.before;
}

// A step whose whole work is a secret of a live object: whether it ran can't be seen.
bool WritesOnlySecret(const Change& change, const Step& step) {
  if (SecretIn(change.kind, step.operation.after).empty()) return false;
  const bool fresh = change.action == Action::kCreate || change.action == Action::kReplace;
  return !fresh;
}

// Why what the source shows decides nothing now; empty: it does.
std::string WhySilent(const observe::ObservedTarget* source) {
  if (source == nullptr) return "it isn't declared any more";
  if (!source->reached) return source->error.message;
  for (const object::ScopeStatus& scope : source->scopes) {
    const bool shows = scope.kind == Kind::kIamUser || scope.kind == Kind::kIamMembership ||
                       scope.kind == Kind::kUser || scope.kind == Kind::kMembership;
    if (!shows) continue;
    if (!scope.complete) return scope.reason;
    if (!scope.unstable.empty()) return scope.unstable;
  }
  return "";
}

// An end by time has its cause from a declaration; every other cause is a fact.
bool ByFact(const Change& change) {
  if (change.cause.empty() || !change.held.empty() || change.reason == Reason::kExpired) {
    return false;
  }
  const uint32_t enabled = EnabledFieldOf(change.kind);
  const bool ends = change.action == Action::kDelete || change.action == Action::kDisable ||
                    (enabled != 0 && !FlagIn(change.after, enabled, true));
  return !ends || change.reason != Reason::kChanged;
}

// What a source shows of somebody, where the plan doesn't change it itself.
std::set<std::string> SourcesRead(const Plan& plan) {
  std::set<std::tuple<std::string_view, Kind, std::string_view>> own;
  for (const Change& change : plan.changes) {
    own.insert({plan.targets[change.target].name, change.kind,
                change.old_key.empty() ? change.key : change.old_key});
  }
  std::set<std::string> sources;
  for (const Expectation& expectation : plan.read_set) {
    const bool shown = expectation.kind == Kind::kIamUser || expectation.kind == Kind::kUser ||
                       expectation.kind == Kind::kIamMembership ||
                       expectation.kind == Kind::kMembership;
    if (!shown || own.contains({expectation.target, expectation.kind, expectation.key})) continue;
    sources.insert(expectation.target);
  }
  return sources;
}

// What facts caused stands only while their sources can be asked: a new plan holds it.
void FindSilent(const Plan& plan, const observe::Observed& observed,
                std::vector<std::string>* lines) {
  const bool any = std::any_of(plan.changes.begin(), plan.changes.end(), ByFact);
  const std::set<std::string> read = SourcesRead(plan);
  for (const FactSummary& fact : plan.facts) {
    if (!fact.held.empty() || !(any || read.contains(fact.target))) continue;
    const std::string why = WhySilent(observed.Find(fact.target));
    if (why.empty()) continue;
    lines->push_back(
        fmt::format("{} shows nothing that can be relied on now ({}), and changes of "
                    "this plan come from it",
                    fact.target, why));
  }
}

}  // namespace

std::vector<std::string> Stale(const Plan& plan, const observe::Observed& observed) {
  std::vector<std::string> lines;
  FindSilent(plan, observed, &lines);
  // Keys that our own steps write may already stand at any of our steps' results.
  std::map<std::tuple<std::string, Kind, std::string>, std::vector<std::string>> results;
  std::map<uint32_t, std::string> states;  // change -> the whole object after the steps so far
  for (const Step& step : plan.steps) {
    const Change& change = plan.changes[step.change];
    std::string& state = states.try_emplace(step.change, StateBefore(change)).first->second;
    state = step.operation.after.empty()
                ? std::string()
                : WithoutEndOfLocked(change.kind,
                                     object::Overlay(change.kind, state, step.operation.after));
    auto& list = results[{plan.targets[change.target].name, change.kind, step.operation.key}];
    // Renamed: absent under the old key.
    list.push_back(step.operation.new_key.empty() ? state : std::string());
  }
  for (const Expectation& expectation : plan.read_set) {
    const observe::ObservedTarget* target = observed.Find(expectation.target);
    if (target == nullptr || !target->reached) continue;  // its steps fail and are held
    const object::ObjectView* live = target->objects.Find(expectation.kind, expectation.key);
    const bool as_planned =
        expectation.present
            ? live != nullptr && ReadDigest(live->kind, live->body) == expectation.digest
            : live == nullptr;
    if (as_planned) continue;
    const auto own = results.find({expectation.target, expectation.kind, expectation.key});
    const bool ours =
        own != results.end() &&
        std::any_of(own->second.begin(), own->second.end(), [&](const std::string& after) {
          return after.empty()
                     ? live == nullptr
                     : live != nullptr && object::Satisfies(expectation.kind, after, live->body);
        });
    if (ours) continue;
    const std::string what = object::Describe(expectation.kind, expectation.key);
    std::string line = fmt::format("{} on {} ", what, expectation.target);
    line += live == nullptr ? "is gone" : !expectation.present ? "has appeared" : "has changed";
    if (live != nullptr && live->changed_at != 0) {
      line += fmt::format(" ({}, {})", base::FormatHuman(live->changed_at),
                          live->changed_by.empty() ? std::string("who: not recorded")
                                                   : "by " + std::string(live->changed_by));
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

bool Opens(const Plan& plan, const Step& step) {
  const Change& change = plan.changes[step.change];
  return step.adds && !(change.kind == Kind::kJob && change.reason == Reason::kConsequence);
}

std::vector<bool> Settled(const Plan& plan, const observe::Observed& observed) {
  std::vector<bool> settled(plan.steps.size(), false);
  std::map<uint32_t, std::vector<size_t>> of;  // change -> its steps, in order
  for (size_t i = 0; i < plan.steps.size(); ++i) of[plan.steps[i].change].push_back(i);
  for (const auto& [index, steps] : of) {
    const Change& change = plan.changes[index];
    const observe::ObservedTarget* target = observed.Find(plan.targets[change.target].name);
    if (target == nullptr || !target->reached || change.kind == Kind::kSession) continue;
    const object::ObjectView* live = target->objects.Find(change.kind, change.key);
    // The stranger under our key is never our own step's work.
    if (change.action == Action::kReplace && live != nullptr && live->id == change.id) continue;
    std::string state = StateBefore(change);
    size_t done = 0;
    for (size_t k = 0; k < steps.size(); ++k) {
      const Step& step = plan.steps[steps[k]];
      const bool absent = step.operation.after.empty();
      state = absent ? std::string() : object::Overlay(change.kind, state, step.operation.after);
      const bool holds = absent
                             ? live == nullptr
                             : live != nullptr && object::Satisfies(change.kind, state, live->body);
      // A job that goes on as it was looks as if nothing was to do before anything is done.
      const bool returns = change.kind == Kind::kJob && change.reason == Reason::kConsequence &&
                           k + 1 == steps.size();
      if (holds && !returns && !WritesOnlySecret(change, step)) done = k + 1;
    }
    for (size_t k = 0; k < done; ++k) settled[steps[k]] = true;
  }
  return settled;
}

}  // namespace postern::plan
