// A credential of a service account goes when what takes its place is live, and when every job that
// signs in with the account is known to have that: new key, then jobs, then the old key goes.
#include <fmt/format.h>

#include <algorithm>

#include "core/jobs/spec.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using compile::DesiredObject;
using object::Kind;

constexpr std::string_view kOwner = "service_account:";

// Whether the job in `body` signs in at the server by that identity.
bool SignsIn(std::string_view body, std::string_view identity, std::string_view server) {
  const auto spec = jobs::ParseSpec(TextIn(body, kinds::Job::kSpecFieldNumber));
  if (!spec || spec->endpoint().server() != server) return false;
  return (spec->has_export_() ? spec->export_().as() : spec->import().as()) == identity;
}

bool SameSpec(std::string_view a, std::string_view b) {
  return jobs::WithoutSeal(TextIn(a, kinds::Job::kSpecFieldNumber)) ==
         jobs::WithoutSeal(TextIn(b, kinds::Job::kSpecFieldNumber));
}

// A login has one password: the next one ends the current one.
bool ChangesPassword(const Change& change) {
  return change.kind == Kind::kAccount && change.action == Action::kUpdate &&
         !SecretIn(change.kind, change.after).empty() &&
         FlagIn(change.after, EnabledFieldOf(change.kind), true);
}

}  // namespace

// Of a key that a service account has no more: which keys take its place. Nothing where it is no
// rotation: the account goes, or no key of it stays.
std::optional<Planner::Successor> Planner::SuccessorOf(const Change& retired) const {
  if (retired.kind != Kind::kSshKey || retired.action != Action::kDelete) return std::nullopt;
  if (retired.reason != Reason::kRemoved || !retired.owner.starts_with(kOwner)) return std::nullopt;
  const compile::DesiredTarget* desired = desired_[retired.target];
  if (desired == nullptr) return std::nullopt;
  const auto parts = object::SplitKey(retired.key);
  const auto account = object::MakeKey(Kind::kAccount, {parts[0], parts[1]});
  const DesiredObject* wanted = desired->Find(Kind::kAccount, account);
  if (wanted == nullptr || !FlagIn(wanted->body, EnabledFieldOf(Kind::kAccount), true)) {
    return std::nullopt;
  }
  std::optional<Successor> waiting;
  for (const DesiredObject& key : desired->objects) {
    if (key.kind != Kind::kSshKey) continue;
    const auto of = object::SplitKey(key.key);
    if (of[0] != parts[0] || of[1] != parts[1]) continue;
    const auto change = ChangeOf(plan_.targets[retired.target].name, Kind::kSshKey, key.key);
    if (!change) return Successor{};  // live as declared
    const Change& of_key = plan_.changes[*change];
    if (of_key.held.empty()) return Successor{.change = *change};
    waiting =
        Successor{.held = fmt::format("the key that takes its place is held: {}", of_key.held)};
  }
  return waiting;
}

std::optional<uint32_t> Planner::ChangeOf(std::string_view target, Kind kind,
                                          std::string_view key) const {
  for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& change = plan_.changes[i];
    if (change.kind == kind && change.key == key && plan_.targets[change.target].name == target) {
      return i;
    }
  }
  return std::nullopt;
}

// Changes of this plan that teach jobs what opens the account from now on. A job that can't be
// taught now says why in `held`.
std::vector<uint32_t> Planner::JobsThatSignIn(const Change& credential, std::string* held) const {
  const std::string identity(compile::IdentityInOwner(credential.owner));
  const std::string_view server = object::SplitKey(credential.key)[0];
  std::vector<uint32_t> taught;
  for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& job = plan_.changes[i];
    if (job.kind != Kind::kJob || job.action == Action::kDelete || !WritesTarget(job.action) ||
        !SignsIn(job.before, identity, server)) {
      continue;
    }
    if (!job.held.empty()) *held = fmt::format("{} still signs in with it: {}", job.key, job.held);
    taught.push_back(i);
  }
  for (const auto& [target, rows] : *in_.recorded) {
    const compile::DesiredTarget* desired = in_.desired->Find(target);
    if (desired == nullptr || !target.starts_with("runner:")) continue;
    const std::string unseen = Unseen(target);
    if (unseen.empty()) continue;
    for (const ledger::Recorded& row : rows) {
      const DesiredObject* wanted = desired->Find(row.kind, row.key);
      if (row.kind != Kind::kJob || wanted == nullptr || SameSpec(wanted->body, row.body) ||
          !SignsIn(row.body, identity, server)) {
        continue;
      }
      *held = fmt::format("{} still signs in with it, and {}", row.key, unseen);
    }
  }
  return taught;
}

// Why nothing of this plan is written there; empty: it was observed.
std::string Planner::Unseen(const std::string& target) const {
  const std::string name = target.substr(target.find(':') + 1);
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    if (plan_.targets[i].name != target) continue;
    if (plan_.targets[i].reached) return "";
    const std::string& error = plan_.targets[i].error;
    return fmt::format("runner {} was not observed{}", name, error.empty() ? "" : ": " + error);
  }
  return fmt::format("runner {} isn't part of this plan", name);
}

// Before the change of access is computed: what is held changes nothing.
void Planner::HoldRotations() {
  for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
    Change& change = plan_.changes[i];
    if (!change.held.empty() || !change.owner.starts_with(kOwner)) continue;
    const auto successor = SuccessorOf(change);
    if (!successor && !ChangesPassword(change)) continue;
    std::string held = successor ? successor->held : "";
    const std::vector<uint32_t> taught = JobsThatSignIn(change, &held);
    if (!held.empty()) {
      change.held = held;
      continue;
    }
    if (!taught.empty()) waits_[i].insert(waits_[i].end(), taught.begin(), taught.end());
    if (!successor || !successor->change) continue;
    for (const uint32_t job : taught) new_keys_[job].insert(*successor->change);
  }
}

// The old key goes after all that opens, and only when the new one was written and every job knows
// it. Sessions stay: whose they are can't be told by the key, and the same identity holds the same.
bool Planner::RetireKey(uint32_t index) {
  const auto successor = SuccessorOf(plan_.changes[index]);
  if (!successor) return false;
  const Change& change = plan_.changes[index];
  AddStep(index, Phase::kRetire, Restrict(change.before, KeyMask(change.kind)), "", false, false);
  if (successor->change) waits_[index].push_back(*successor->change);
  const auto waits = waits_.find(index);
  if (waits == waits_.end()) return true;
  for (const uint32_t needed : waits->second) {
    plan_.steps.back().needs.push_back(needed + 1);  // numbered with the others
  }
  return true;
}

// A job whose only key is made by this plan gets it when that key is live; until then the one that
// it has opens the account.
void Planner::TeachAfterKeys() {
  constexpr uint64_t kSpec = uint64_t{1} << kinds::Job::kSpecFieldNumber;
  for (Step& step : plan_.steps) {
    const auto keys = new_keys_.find(step.change);
    if (keys == new_keys_.end() || (object::FieldsSet(step.operation.after) & kSpec) == 0) continue;
    step.phase = std::max(step.phase, Phase::kOpen);
    for (const uint32_t key : keys->second) step.needs.push_back(key + 1);
  }
}

}  // namespace postern::plan
