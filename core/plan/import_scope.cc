#include "core/plan/import_scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using object::Kind;

// Whether the import may change this person: one that it made, makes or takes over in its base, or
// whose attributes it gives.
bool IsOwn(const decl::Import& import, const std::string& target, const Change& change,
           const ledger::Recorded* row) {
  if (target != import.to()) return false;
  if (row != nullptr && row->owner.starts_with("import:" + import.name() + " (")) return true;
  if (import.what() == "attributes" && change.action == Action::kUpdate) return true;
  if (row != nullptr) return false;
  // What is live below the import's own base is its to take over; elsewhere it is somebody else's.
  return change.action == Action::kCreate || (import.has_base() && change.kind == Kind::kUser);
}

bool IsPerson(const Change& change) {
  return change.kind == Kind::kUser || change.kind == Kind::kIamUser;
}

// Whether the import's last accepted file declares, or declared, this person.
bool IsDeclaredBy(const decl::Import& import, const Plan& plan, const Change& change) {
  return IsPerson(change) && plan.targets[change.target].name == import.to() &&
         change.owner.starts_with("import:" + import.name() + " (");
}

}  // namespace

std::string MarkOf(const Plan& plan, const Change& change) {
  constexpr size_t kDigits = 32;
  base::Hasher hasher;
  hasher.AddField(plan.targets[change.target].name);
  hasher.AddField(object::Describe(change.kind, change.key));
  hasher.AddField(change.old_key);
  hasher.AddField(NameOf(change.action));
  hasher.AddField(change.after);
  return base::Hex(hasher.Finish()).substr(0, kDigits);
}

std::vector<std::string> MarksOf(const Plan& plan) {
  std::vector<std::string> marks;
  for (const Change& change : plan.changes) marks.push_back(MarkOf(plan, change));
  std::sort(marks.begin(), marks.end());
  return marks;
}

size_t OthersThan(const decl::Import& import, const std::vector<std::string>& marks,
                  const Plan& plan) {
  const std::unordered_set<std::string_view> known(marks.begin(), marks.end());
  size_t others = 0;
  for (const Change& change : plan.changes) {
    if (IsDeclaredBy(import, plan, change) || known.contains(MarkOf(plan, change))) continue;
    ++others;
  }
  return others;
}

std::vector<std::string> AgainstImport(
    const decl::Import& import, const std::vector<std::string>& marks, const Plan& without,
    const Plan& with, const std::map<std::string, std::vector<ledger::Recorded>>& recorded) {
  static const std::vector<ledger::Recorded> kNone;
  std::vector<std::string> against;
  if (const size_t others = OthersThan(import, marks, without); others != 0) {
    against.push_back(fmt::format("{} other changes than its file's wait ({}): postern apply",
                                  diag::code::kImportWaits, others));
  }
  for (const Refusal& refusal : with.refusals) against.push_back(refusal.text);
  for (const Change& change : with.changes) {
    if (!IsPerson(change)) continue;
    const std::string& target = with.targets[change.target].name;
    const auto rows = recorded.find(target);
    const auto* row = FindRecorded(rows == recorded.end() ? kNone : rows->second, change.kind,
                                   change.old_key.empty() ? change.key : change.old_key);
    if (IsOwn(import, target, change, row)) continue;
    against.push_back(fmt::format("{} {} {} isn't of import \"{}\"", diag::code::kRosterScope,
                                  target, object::Describe(change.kind, change.key),
                                  import.name()));
  }
  if (!with.observed_all()) against.push_back("a target was not observed");
  // Whom the file would bring into a role isn't seen then, and no later plan would ask.
  for (const FactSummary& source : with.facts) {
    const auto target =
        std::find_if(with.targets.begin(), with.targets.end(),
                     [&](const TargetSummary& one) { return one.name == source.target; });
    if (source.roles == 0 || target == with.targets.end()) continue;
    if (target->incomplete.empty() && target->unstable.empty()) continue;
    against.push_back(fmt::format("who is in {} role{} can't be said: {} wasn't read in full",
                                  source.roles, source.roles == 1 ? "" : "s", source.target));
  }
  if (const size_t held = with.held(); held != 0) {
    against.push_back(held == 1 ? "a change is held" : fmt::format("{} changes are held", held));
  }
  return against;
}

}  // namespace postern::plan
