// Memberships: all changes of a group in as few requests as the server takes.
#include <fmt/format.h>

#include "providers/iam/scim/apply_run.h"

namespace postern::iam {

using object::ObjectKey;
using object::Status;
using State = Snapshot::State;

// False: the item is answered, or waits; true: it is to be written.
bool ApplyRun::JudgeMember(Item& item, const Snapshot& group) {
  const ObjectKey part = ScimTarget::PartsOf({item.op->kind, item.key})[1];
  const Snapshot& member = snapshots_.at(part);
  const bool add = !item.is_removal();
  const auto absent = [&](const char* what) {
    if (!add) {
      Finish(item, item.touched() ? Status::kApplied : Status::kAlreadySo);
    } else {
      Finish(item, Status::kPreconditionFailed, fmt::format("the {} doesn't exist", what));
    }
    return false;
  };
  for (const Snapshot* at : {&group, &member}) {
    if (at->state != State::kUnreadable) continue;
    FinishUnreadable(item, *at);
    return false;
  }
  if (group.state == State::kAbsent) return absent("group");
  if (member.state == State::kAbsent) return IsPending(part) ? false : absent("member");
  people_.insert({part, member});
  const object::ReadAnswer live = target_.AnswerOf({item.op->kind, item.key}, snapshots_);
  const bool there = live.answer == object::Answer::kValue;
  if (live.answer == object::Answer::kUnreadable) {
    Finish(item, item.touched() ? Status::kUnknown : Status::kDenied, live.reason);
  } else if (there == add) {
    Finish(item, item.touched() ? Status::kApplied : Status::kAlreadySo);
  } else if (item.failed) {
    Finish(item, item.status, item.message);
  } else if (add && !item.op->before.empty() && !item.touched()) {
    Finish(item, Status::kPreconditionFailed, "the member is gone");
  } else if (item.progress.written) {
    Finish(item, Status::kDenied,
           "the server took the change, and the member isn't as it was written");
  } else {
    return true;
  }
  return false;
}

void ApplyRun::PlanMembers(const std::string& group, std::vector<Item*>& items) {
  const ObjectKey key{object::Kind::kIamGroup, group};
  if (IsPending(key)) return;
  std::vector<Item*> wanted;
  for (Item* item : items) {
    if (!item->done && JudgeMember(*item, snapshots_.at(key))) wanted.push_back(item);
  }
  if (!wanted.empty()) PlanChunk(group, snapshots_.at(key), wanted);
}

// Members that exist already go with the group that is made, where the server takes them so.
void ApplyRun::AddFirstMembers(const Item& group, Planned* planned) {
  const auto found = members_.find(group.key);
  if (group.op->kind != object::Kind::kIamGroup || found == members_.end() ||
      !target_.dialect().Is(Trait::kMembersInCreate, "yes") || bare_.contains(group.key)) {
    return;
  }
  const size_t most = target_.dialect().Number(Trait::kPatchMembers);
  Json members = Json::array();
  for (Item* item : found->second) {
    if (item->done || item->failed || item->is_removal() || !item->op->before.empty()) continue;
    const ObjectKey part = ScimTarget::PartsOf({item->op->kind, item->key})[1];
    const Snapshot& member = snapshots_.at(part);
    if (member.state != State::kFound || members.size() >= most) continue;
    members.push_back(MemberJson({member.id, part.kind == object::Kind::kIamGroup}));
    planned->items.push_back(item);
  }
  if (!members.empty()) planned->write.body["members"] = std::move(members);
}

// One request a round: the next one is made of what is live after it. What is taken away goes
// first.
void ApplyRun::PlanChunk(const std::string& group, const Snapshot& at,
                         const std::vector<Item*>& wanted) {
  const auto split = split_.find(group);
  const size_t most =
      split != split_.end() ? split->second : target_.dialect().Number(Trait::kPatchMembers);
  Planned planned;
  std::vector<Member> add;
  std::vector<std::string> remove;
  for (const bool adds : {false, true}) {
    for (Item* item : wanted) {
      if (item->is_removal() == adds || planned.items.size() >= most) continue;
      const ObjectKey part = ScimTarget::PartsOf({item->op->kind, item->key})[1];
      const Snapshot& member = snapshots_.at(part);
      if (adds) {
        add.push_back({member.id, part.kind == object::Kind::kIamGroup});
      } else {
        remove.push_back(member.id);
      }
      planned.items.push_back(item);
    }
  }
  planned.write = MembersWrite(at, add, remove, target_.dialect());
  planned_.push_back(std::move(planned));
}

}  // namespace postern::iam
