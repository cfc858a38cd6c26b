// What a target said, and how far it may be relied on: complete scopes, shrinks, summaries.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using object::Kind;

constexpr uint32_t kDefaultShrink = 30;
// Below this many objects a shrink says nothing: one of three is a third.
constexpr uint64_t kShrinkMinimum = 10;

// Whether we own anything in that scope: one that is managed no longer is nobody's business.
bool HoldsOurs(const ledger::Census& scope,
               const std::map<std::string, std::vector<ledger::Recorded>>& recorded) {
  const auto rows = recorded.find(scope.target);
  if (rows == recorded.end()) return false;
  return std::any_of(rows->second.begin(), rows->second.end(), [&](const ledger::Recorded& row) {
    if (row.kind != scope.kind) return false;
    return object::SplitKey(row.key)[0].ends_with(scope.scope);
  });
}

void WarnIncomplete(const std::string& target, Kind kind, const std::string& scope,
                    const std::string& reason, const char* code, TargetSummary* summary,
                    diag::Diagnostics* diagnostics) {
  const std::string where = scope.empty() ? target : scope;
  summary->incomplete.push_back(fmt::format("{} in {}: {}", object::NameOf(kind), where, reason));
  diagnostics->Add({.severity = diag::Severity::kWarning,
                    .code = code,
                    .summary = fmt::format("not every {} in {} could be read: {}",
                                           object::NameOf(kind), where, reason),
                    .subject = target,
                    .notes = {"what depends on it is held: no grant, no revocation"}});
}

}  // namespace

ScopeState JudgeScope(const Inputs& inputs, const std::string& target, const decl::Limits& limits,
                      const object::ScopeStatus& scope) {
  const uint64_t bound = limits.has_shrink_percent() ? limits.shrink_percent() : kDefaultShrink;
  if (!scope.complete) return {false, scope.reason, scope.unstable};
  if (!scope.sentinel_seen) return {false, "its sentinel was not in the answer", ""};
  ScopeState stable{true, scope.reason, scope.unstable};
  if (!scope.unstable.empty()) return stable;
  const bool bounded = scope.kind != Kind::kSession && !object::TableOf(scope.kind).observed_only;
  const auto last = std::find_if(
      inputs.last_census.begin(), inputs.last_census.end(), [&](const ledger::Census& census) {
        return census.target == target && census.kind == scope.kind && census.scope == scope.scope;
      });
  if (bounded && last != inputs.last_census.end() && last->count >= kShrinkMinimum &&
      scope.count * 100 < last->count * (100 - bound)) {
    return {
        false,
        fmt::format("shrank from {} to {} since the last observation", last->count, scope.count),
        ""};
  }
  return stable;
}

void Planner::Summarise(const observe::ObservedTarget& target) {
  TargetSummary summary;
  summary.name = target.name;
  summary.reached = target.reached;
  summary.error = target.error.message;
  summary.took = target.took;
  summary.product = target.probe.product;
  summary.version = target.probe.product_version;
  for (const auto& [kind, concurrency] : target.probe.concurrency) {
    summary.concurrency[std::string(object::NameOf(kind))] = concurrency;
  }
  for (const object::KindTable& table : object::AllKinds()) {
    if (table.kind == Kind::kServerConfig) continue;  // what access is read from, not access
    const size_t count = target.objects.OfKind(table.kind).size();
    if (count > 0) summary.counts[table.name] = count;
  }
  for (const object::ObjectView& object : target.objects.all()) {
    summary.unreadable_fields += static_cast<uint64_t>(__builtin_popcountll(object.unreadable));
  }
  plan_.targets.push_back(std::move(summary));
}

// Complete is what the provider says is complete and what hasn't shrunk beyond the bound.
void Planner::JudgeScopes(const observe::ObservedTarget& target) {
  const auto index = static_cast<uint32_t>(plan_.targets.size() - 1);
  const decl::Limits& limits = LimitsOf(index);
  for (const object::ScopeStatus& scope : target.scopes) {
    ScopeState state = JudgeScope(in_, target.name, limits, scope);
    if (!state.complete) {
      WarnIncomplete(
          target.name, scope.kind, scope.scope, state.reason,
          scope.complete && scope.sentinel_seen ? diag::code::kShrunk : diag::code::kIncomplete,
          &plan_.targets[index], diagnostics_);
    }
    scopes_[{index, scope.kind, scope.scope}] = std::move(state);
  }
  // A scope that we know of and that nothing was said about is no empty scope.
  for (const ledger::Census& known : in_.last_census) {
    if (known.target != target.name || scopes_.contains({index, known.kind, known.scope})) continue;
    if (!HoldsOurs(known, *in_.recorded)) continue;
    WarnIncomplete(target.name, known.kind, known.scope, "the target said nothing about it",
                   diag::code::kIncomplete, &plan_.targets[index], diagnostics_);
  }
}

// Of a reading that can't be relied on nothing follows from what it lacks or shows too much: a page
// that moved hides somebody, or shows somebody twice. What the declarations take away goes on.
bool Planner::HoldIfUnstable(const Row& row, Change* change) {
  const auto at = scopes_.find(
      {row.target, row.kind,
       std::string(observe::ScopeOf(row.kind, row.key, observed_[row.target]->scopes))});
  if (at == scopes_.end() || at->second.unstable.empty()) return false;
  ++at->second.held;
  change->held = "the reading of " + plan_.targets[row.target].name +
                 " was not stable: " + at->second.unstable;
  return true;
}

void Planner::ReportUnstable() {
  for (const auto& [at, state] : scopes_) {
    const auto& [target, kind, scope] = at;
    if (!state.complete || state.unstable.empty()) continue;
    const std::string& name = plan_.targets[target].name;
    std::string plural(object::NameOf(kind));
    std::replace(plural.begin(), plural.end(), '_', ' ');
    plan_.targets[target].unstable.push_back(plural + "s: " + state.unstable);
    diagnostics_->Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kUnstable,
         .summary = fmt::format("the {} objects of {} can't be relied on: {}", plural, name,
                                state.unstable),
         .subject = name,
         .label = state.held == 0 ? "nothing depends on it in this plan"
                                  : fmt::format("{} held", state.held),
         .notes = {"nobody is taken away for missing or being undeclared in it, and nothing is "
                   "created that may be there; plan again"}});
  }
}

const ScopeState& Planner::ScopeFor(const Row& row) const {
  static const ScopeState kUnseen{false, "the target said nothing about it"};
  const auto& scopes = observed_[row.target]->scopes;
  const std::string scope(observe::ScopeOf(row.kind, row.key, scopes));
  const auto at = scopes_.find({row.target, row.kind, scope});
  return at == scopes_.end() ? kUnseen : at->second;
}

}  // namespace postern::plan
