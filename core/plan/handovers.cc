// Logins and entries that pass from one person to another: the one loses what he had by them, the
// other gains what he gets. An account is made anew, so that no password, key or session of the one
// before opens it; an entry of a directory or an IAM system stays, and that is said.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/identity.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

bool IsEntry(Kind kind) {
  return kind == Kind::kUser || kind == Kind::kIamUser;
}

// Keys that were of the one before and are still declared with the account: nobody else can tell
// whether that is meant.
void LookAtKeptKeys(const Change& account, const std::string& had, Plan* plan) {
  const std::string prefix = account.key + object::kKeySeparator;
  const auto kept = std::count_if(plan->changes.begin(), plan->changes.end(), [&](const Change& c) {
    return c.target == account.target && c.kind == Kind::kSshKey && c.action == Action::kAdopt &&
           c.key.starts_with(prefix);
  });
  if (kept == 0) return;
  plan->looks.push_back(
      {fmt::format("{}: {} of {} {} declared with it", object::Describe(account.kind, account.key),
                   kept == 1 ? "a key" : fmt::format("{} keys", kept), compile::LabelOf(had),
                   kept == 1 ? "is still" : "are still"),
       "whoever has it still comes in: take it out of `keys` unless it is meant", account.place});
}

}  // namespace

// Who had what is somebody else's now; empty: nobody else.
std::string Planner::HandedOver(const Row& row) const {
  if (row.recorded == nullptr || (row.kind != Kind::kAccount && !IsEntry(row.kind))) return "";
  if (row.kind == Kind::kAccount && !in_.desired->inherited.empty()) {
    const auto by_role =
        in_.desired->inherited.find({plan_.targets[row.target].name, std::string(row.key)});
    if (by_role != in_.desired->inherited.end()) return by_role->second;
  }
  // Of one source mostly; what several roles give is judged above.
  const std::string& owner = in_.desired->provenance[row.desired->sources.front()].owner;
  if (owner == row.recorded->owner || owner.starts_with("role:")) return "";
  const std::string_view had = compile::IdentityInOwner(row.recorded->owner);
  const std::string_view has = compile::IdentityInOwner(owner);
  if (had.empty() || has.empty() || SamePerson(had, has)) return "";
  return std::string(had);
}

// Whom a role knew by the source's own id may be declared by now.
bool Planner::SamePerson(std::string_view had, std::string_view has) const {
  if (had == has) return true;
  const auto joined = in_.desired->joined_as.find(had);
  if (joined != in_.desired->joined_as.end() && joined->second == has) return true;
  const compile::FactIdentityParts parts = compile::SplitFactIdentity(had);
  if (parts.target.empty()) return false;
  const observe::ObservedTarget* source = in_.observed->Find(std::string(parts.target));
  if (source == nullptr || !source->reached) return true;  // nobody can say: nothing is taken
  const Kind kind = parts.target.starts_with("iam:") ? Kind::kIamUser : Kind::kUser;
  for (const object::ObjectView& user : source->objects.OfKind(kind)) {
    const std::string shown = compile::FactIdentityOf(parts.target, user);
    if (compile::SplitFactIdentity(shown).id != parts.id) continue;
    const auto* declared = in_.desired->DeclaredIdentity({std::string(parts.target), ""}, user.key);
    return declared != nullptr && *declared == has;
  }
  return false;
}

void Planner::NoteHandover(const Row& row, std::string had) {
  handovers_[{row.target, row.kind, std::string(row.key)}] = std::move(had);
}

// Of the changes that are carried out: what is held leaves things with who has them.
void Planner::TakeHandovers() {
  if (handovers_.empty()) return;
  for (const Change& change : plan_.changes) {
    const auto at = handovers_.find({change.target, change.kind, change.key});
    if (at == handovers_.end() || !change.held.empty()) continue;
    const std::string& target = plan_.targets[change.target].name;
    if (change.kind == Kind::kAccount) {
      const auto parts = object::SplitKey(change.key);
      handed_over_[{{target, std::string(parts[0])}, std::string(parts[1])}] = at->second;
      LookAtKeptKeys(change, at->second, &plan_);
      continue;
    }
    handed_over_[{{target, ""}, access::EntryOf(change.kind, change.key)}] = at->second;
    plan_.looks.push_back(
        {fmt::format("{}: it is {}'s now, it was {}'s", object::Describe(change.kind, change.key),
                     compile::LabelOf(IdentityAt({target, ""}, change.key)),
                     compile::LabelOf(at->second)),
         "the entry stays with its password: whoever knows it still comes in", change.place});
  }
}

// Whose it is before this plan.
std::string Planner::IdentityBefore(const access::Place& place, std::string_view account) const {
  if (!handed_over_.empty()) {
    const auto at = handed_over_.find(std::pair(place, std::string(account)));
    if (at != handed_over_.end()) return at->second;
  }
  return IdentityAt(place, account);
}

// The row that he had by it stands, for another: it doesn't tell why he loses it.
void Planner::ExplainHandovers() {
  if (handed_over_.empty()) return;
  for (const access::AccessChange& line : plan_.delta.lost) {
    const auto at = handed_over_.find(std::pair(line.place, line.account));
    if (at == handed_over_.end() || at->second != line.identity) continue;
    plan_.lost_by.erase({line.identity, line.path});
  }
}

}  // namespace postern::plan
