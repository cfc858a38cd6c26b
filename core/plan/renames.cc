// A known id under a new key is a rename: either somebody moved our object, or its declaration
// (same owner) now asks for another key. Runs over the changes that the join by key has left.
#include <algorithm>

#include "core/plan/looks.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using object::Kind;

bool IsEntry(Kind kind) {
  return kind == Kind::kUser || kind == Kind::kDirectoryGroup || kind == Kind::kOu ||
         kind == Kind::kIamUser || kind == Kind::kIamGroup || kind == Kind::kIamRole ||
         kind == Kind::kIamAccessRole;
}

bool IsRemoval(Action action) {
  return action == Action::kDisable || action == Action::kRelease || action == Action::kDelete;
}

}  // namespace

const ledger::Recorded* FindRecorded(const std::vector<ledger::Recorded>& recorded, Kind kind,
                                     std::string_view key) {
  const auto at = std::lower_bound(recorded.begin(), recorded.end(), std::pair(kind, key),
                                   [](const ledger::Recorded& a, const auto& wanted) {
                                     return a.kind != wanted.first ? a.kind < wanted.first
                                                                   : a.key < wanted.second;
                                   });
  return at != recorded.end() && at->kind == kind && at->key == key ? &*at : nullptr;
}

// The declaration stands, its key is new: the entry under the old key moves and keeps its id.
void Planner::RenamesByOwner(uint32_t target, std::set<size_t>* dropped) {
  std::map<std::pair<Kind, std::string>, size_t> gone;
  for (size_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& change = plan_.changes[i];
    if (change.target != target || change.id.empty() || change.owner.empty()) continue;
    if (IsEntry(change.kind) && IsRemoval(change.action) && change.reason != Reason::kForeign) {
      gone[{change.kind, change.owner}] = i;
    }
  }
  for (Change& change : plan_.changes) {
    if (change.target != target || change.action != Action::kCreate) continue;
    const auto moved = gone.find({change.kind, change.owner});
    if (moved == gone.end() || !dropped->insert(moved->second).second) continue;
    const Change& old = plan_.changes[moved->second];
    change.action = Action::kRename;
    change.old_key = old.key;
    change.before = old.before;
    change.id = old.id;
    change.held.clear();
  }
}

// Ours by its id, under a name that nobody declared: somebody moved it, and it gets its name back.
// Entries and IAM objects only: a moved folder holds data and stays where it is, and a login in a
// server's file is its name (the one that somebody wrote there is foreign).
void Planner::RenamesById(uint32_t target, std::set<size_t>* dropped) {
  const auto recorded = in_.recorded->find(plan_.targets[target].name);
  if (recorded == in_.recorded->end()) return;
  std::unordered_map<std::string_view, const object::ObjectView*> by_id;
  for (Change& change : plan_.changes) {
    if (change.target != target || change.action != Action::kCreate) continue;
    if (change.reason != Reason::kDrift || !IsEntry(change.kind)) continue;
    const ledger::Recorded* ours = FindRecorded(recorded->second, change.kind, change.key);
    if (ours == nullptr || ours->id.empty()) continue;
    if (by_id.empty()) {
      for (const object::ObjectView& object : observed_[target]->objects.all()) {
        if (!object.id.empty() && IsEntry(object.kind)) by_id.emplace(object.id, &object);
      }
    }
    const auto live = by_id.find(ours->id);
    if (live == by_id.end() || live->second->kind != change.kind) continue;
    TakeMoved(*live->second, &change, dropped);
  }
}

void Planner::TakeMoved(const object::ObjectView& live, Change* change, std::set<size_t>* dropped) {
  change->action = Action::kRename;
  change->old_key = live.key;
  change->before =
      Restrict(live.body, ~(SecretMask(change->kind) | object::ServerOwnedMask(change->kind)));
  change->id = live.id;
  change->changed_by = live.changed_by;
  change->changed_at = live.changed_at;
  change->how_known = live.how_known;
  for (Drift& drift : plan_.drift) {
    const bool here = drift.target == change->target && drift.kind == change->kind;
    if (!here || drift.key != change->key) continue;
    drift.type = Drift::Type::kChanged;
    drift.effect = Drift::Effect::kEqual;
    drift.what = "renamed to " + std::string(live.key);
    drift.changed_by = live.changed_by;
    drift.changed_at = live.changed_at;
    drift.how_known = live.how_known;
  }
  // The moved object is ours after all: it isn't foreign.
  std::erase_if(plan_.drift, [&](const Drift& drift) {
    return drift.target == change->target && drift.kind == change->kind &&
           drift.key == change->old_key;
  });
  for (size_t i = 0; i < plan_.changes.size(); ++i) {
    const Change& other = plan_.changes[i];
    if (other.target == change->target && other.kind == change->kind &&
        other.key == change->old_key && other.reason == Reason::kForeign) {
      dropped->insert(i);
    }
  }
}

// Who is in a set of an IAM system stays in it under its new name, and so does a set in a set under
// its own: nobody is taken out, not for a moment. The record of the membership by the old names
// goes, and the new one is found to stand. A renamed user is taken out first: what the set is given
// meanwhile would go to a name that has it neither before nor after, which no order may do.
void Planner::KeepMembersOfRenamed(uint32_t target) {
  const auto renamed = RenamedMemberships(plan_, /*of_users=*/false);
  for (Change& change : plan_.changes) {
    if (change.target != target || !renamed.contains({target, change.key})) continue;
    if (change.kind != Kind::kIamMembership) continue;
    change.action = Action::kForget;
    change.held.clear();
  }
}

void Planner::MatchRenames(uint32_t target) {
  std::set<size_t> dropped;
  RenamesByOwner(target, &dropped);
  RenamesById(target, &dropped);
  size_t index = 0;
  std::erase_if(plan_.changes, [&](const Change&) { return dropped.contains(index++); });
  KeepMembersOfRenamed(target);
}

}  // namespace postern::plan
