// Steps put in order: what takes access away before what gives it, what others stand on first.
#include <algorithm>
#include <span>

#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using object::Kind;

// Order of kinds inside a phase: what others stand on comes first when building; removals lock the
// account first, because that ends the most at once.
int KindOrder(Kind kind, Phase phase) {
  static constexpr Kind kBuild[] = {
      Kind::kOu,          Kind::kUser,          Kind::kDirectoryGroup,
      Kind::kMembership,  Kind::kIamUser,       Kind::kIamGroup,
      Kind::kIamRole,     Kind::kIamAccessRole, Kind::kIamMembership,
      Kind::kOauthClient, Kind::kFolder,        Kind::kServerGroup,
      Kind::kAccount,     Kind::kSshKey,        Kind::kServerMembership,
      Kind::kGrant,       Kind::kJob,           Kind::kSession};
  // What wakes a job before its runs: none begins behind the one that is stopped.
  static constexpr Kind kRevokeOrder[] = {
      Kind::kJob,           Kind::kJobRun,           Kind::kAccount,    Kind::kUser,
      Kind::kIamUser,       Kind::kOauthClient,      Kind::kGrant,      Kind::kNativeRule,
      Kind::kSshKey,        Kind::kServerMembership, Kind::kMembership, Kind::kIamMembership,
      Kind::kServerGroup,   Kind::kDirectoryGroup,   Kind::kIamGroup,   Kind::kIamRole,
      Kind::kIamAccessRole, Kind::kFolder,           Kind::kOu,         Kind::kSession};
  const bool removes = phase == Phase::kStop || phase == Phase::kRevoke || phase == Phase::kRetire;
  const std::span<const Kind> order = removes ? std::span<const Kind>(kRevokeOrder) : kBuild;
  return static_cast<int>(std::find(order.begin(), order.end(), kind) - order.begin());
}

// Parents before children when building, after them when retiring.
int Depth(const Step& step) {
  const std::string_view key = step.operation.key;
  const char separator =
      step.operation.kind == Kind::kFolder || step.operation.kind == Kind::kGrant ? '/' : ',';
  const auto depth = static_cast<int>(std::count(key.begin(), key.end(), separator));
  return step.phase == Phase::kRetire ? -depth : depth;
}

}  // namespace

void Planner::OrderSteps() {
  std::stable_sort(plan_.steps.begin(), plan_.steps.end(), [&](const Step& a, const Step& b) {
    if (a.phase != b.phase) return a.phase < b.phase;
    // Sessions end after every revocation of the phase, on all targets.
    const bool a_session = a.operation.kind == Kind::kSession;
    const bool b_session = b.operation.kind == Kind::kSession;
    if (a_session != b_session) return b_session;
    // What comes from a change of a fact follows it.
    if (a.needs.empty() != b.needs.empty()) return a.needs.empty();
    const uint32_t a_target = plan_.changes[a.change].target;
    const uint32_t b_target = plan_.changes[b.change].target;
    if (a_target != b_target) return a_target < b_target;
    const int a_order = KindOrder(a.operation.kind, a.phase);
    const int b_order = KindOrder(b.operation.kind, b.phase);
    if (a_order != b_order) return a_order < b_order;
    const int a_depth = Depth(a), b_depth = Depth(b);
    if (a_depth != b_depth) return a_depth < b_depth;
    return a.operation.key < b.operation.key;
  });
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    plan_.steps[i].id = i + 1;
    plan_.steps[i].operation.id = i + 1;
  }
}

}  // namespace postern::plan
