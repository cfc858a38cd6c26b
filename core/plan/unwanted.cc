// What is live and not wanted: ours and declared no longer, or never ours.
#include "core/plan/planner.h"
#include "core/plan/unsupported.h"

namespace postern::plan {
namespace {

using object::Kind;

constexpr base::Instant kDay = 86400;
constexpr uint32_t kDefaultRetention = 30;

// The account, group, group entry or role that an element belongs to.
std::string ContainerOf(Kind kind, std::string_view key) {
  const auto parts = object::SplitKey(key);
  if (kind == Kind::kMembership || kind == Kind::kIamMembership) return std::string(parts[0]);
  return std::string(parts[0]) + object::kKeySeparator + std::string(parts[1]);
}

}  // namespace

// Ours, no longer wanted.
void Planner::DecideRemoved(const Row& row) {
  const ledger::Recorded& recorded = *row.recorded;
  if (row.observed == nullptr) {
    if (ScopeFor(row).complete) AddChange(row, Action::kForget, Reason::kRemoved);
    return;
  }
  // Its elements are never written from now on (authority "observe", or no list of members at all).
  if (IsRelation(row.kind) && AuthorityFor(row) == compile::Authority::kObserve) {
    AddChange(row, Action::kRelease, Reason::kRemoved);
    return;
  }
  if (object::IsOtherId(recorded.id, row.observed->id)) {
    AddChange(row, Action::kForget, Reason::kReplaced);
    NoteForeign(row);
    return;
  }
  if (row.kind == Kind::kSshKey && recorded.owner.empty() && recorded.retired_at != 0) {
    return DecideSetAside(row);
  }
  switch (object::TableOf(row.kind).on_removal) {
    case object::OnRemoval::kRemove:
      AddChange(row, Action::kDelete, Reason::kRemoved);
      return;
    case object::OnRemoval::kRelease:
      AddChange(row, Action::kRelease, Reason::kRemoved);
      return;
    case object::OnRemoval::kStaged:
      break;
  }
  const uint32_t days = RetentionDays(row.target);
  // Locked as foreign: nothing but `remove` ever deletes it. And nobody deletes a directory's here.
  const bool stays = (recorded.owner.empty() && ForeignPolicy(row.target) != "remove") ||
                     IsSourced(row.kind, row.observed->body) ||
                     KeepsDeleted(observed_[row.target]->probe, row.kind);
  if (!stays && recorded.retired_at != 0 && in_.as_of >= recorded.retired_at + days * kDay) {
    AddChange(row, Action::kDelete, Reason::kRetention).retired_at = recorded.retired_at;
  } else if (!stays && days == 0) {
    AddChange(row, Action::kDelete, Reason::kRemoved);
  } else if (recorded.retired_at == 0) {
    AddChange(row, Action::kDisable, Reason::kRemoved).retired_at = in_.as_of;
  } else if (!recorded.body.empty() && FlagIn(row.observed->body, EnabledFieldOf(row.kind), true)) {
    // Locked by us, opened again behind our back.
    AddChange(row, Action::kDisable, Reason::kDrift).retired_at = recorded.retired_at;
  }
}

// Live, neither wanted nor ours.
void Planner::DecideUndeclared(const Row& row) {
  if (row.kind == Kind::kFolder) return;  // data below our roots, not access
  if (row.kind == Kind::kGrant) {
    AddChange(row, Action::kDelete, Reason::kForeign);
    NoteForeign(row);
    return;
  }
  if (IsRelation(row.kind)) {
    if (AuthorityFor(row) == compile::Authority::kExact) DecideForeignElement(row);
    return;
  }
  DecideForeign(row);
}

void Planner::DecideForeign(const Row& row) {
  const std::string policy = ForeignPolicy(row.target);
  if (policy == "ignore") return;
  // The entry that a managed base names is the scope itself, not something in it.
  if (row.kind == Kind::kOu && observed_[row.target]->Scope(row.kind, row.key) != nullptr) return;
  NoteForeign(row);
  if (policy == "quarantine") return Quarantine(row);
  if (policy != "remove") return;
  const bool staged = object::TableOf(row.kind).on_removal == object::OnRemoval::kStaged;
  if (object::TableOf(row.kind).on_removal == object::OnRemoval::kRelease) return;
  Change& change = AddChange(row, staged ? Action::kDisable : Action::kDelete, Reason::kForeign);
  if (staged) change.retired_at = in_.as_of;
  HoldIfUnstable(row, &change);
}

// How far a declared container's elements are ours; nothing for one that isn't declared.
std::optional<compile::Authority> Planner::AuthorityFor(const Row& row) const {
  if (desired_[row.target] == nullptr) return std::nullopt;
  const auto& authority = desired_[row.target]->authority;
  const auto at = authority.find({row.kind, ContainerOf(row.kind, row.key)});
  if (at == authority.end()) return std::nullopt;
  return at->second;
}

std::string Planner::ForeignPolicy(uint32_t target) const {
  const decl::Manage& manage = *manage_[target];
  if (manage.has_foreign()) return manage.foreign();
  // An IAM system holds everybody: whom we don't declare is a fact, not a stranger.
  return IamOf(target) != nullptr ? "ignore" : "report";
}

uint32_t Planner::RetentionDays(uint32_t target) const {
  const decl::Manage& manage = *manage_[target];
  return manage.has_retention_days() ? manage.retention_days() : kDefaultRetention;
}

}  // namespace postern::plan
