// Memberships: all changes of a group in as few requests as the server takes.
#include "providers/directory/apply_run.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Status;

void ApplyRun::PlanMembers(std::string_view group, std::vector<Item*>& items, Stages* stages) {
  const Snapshot& at = snapshots_.find(group)->second;
  const bool created_now = at.state == Snapshot::State::kAbsent && CreatesGroup(group);
  std::vector<Item*> wanted;
  for (Item* item : items) {
    if (item->done) continue;
    const bool wrote = item->progress.written || item->progress.unsure;
    const bool add = !item->op->after.empty();
    const auto parts = object::SplitKey(item->op->key);
    if (at.state == Snapshot::State::kUnreadable) {
      FinishUnreadable(*item, at);
    } else if (at.state == Snapshot::State::kAbsent) {
      if (created_now) continue;  // goes with the creation, or after it
      if (add) {
        Finish(*item, Status::kPreconditionFailed, "the group doesn't exist");
      } else {
        Finish(*item, wrote ? Status::kApplied : Status::kAlreadySo);
      }
    } else if (at.entry.type != Class::kGroup || at.Members().empty()) {
      Finish(*item, Status::kDenied,
             at.entry.type != Class::kGroup ? "the entry is no group"
                                            : "the group's members are hidden from us");
    } else if (IsPlaceholder(parts[0], parts[1])) {
      Finish(*item, Status::kDenied, "a group can't be its own member");
    } else if (add && !item->op->before.empty() && !wrote &&
               !at.Members().contains(std::string(parts[1]))) {
      Finish(*item, Status::kPreconditionFailed, "the member is gone");
    } else if (at.Members().contains(std::string(parts[1])) == add) {
      Finish(*item, wrote ? Status::kApplied : Status::kAlreadySo);
    } else if (item->failed) {
      Finish(*item, item->status, item->message);
    } else if (item->progress.written) {
      Finish(*item, Status::kApplied, "somebody else changed it back at once");
    } else {
      wanted.push_back(item);
    }
  }
  if (!wanted.empty()) SplitMembers(group, at, wanted, stages);
}

// One modify with one delete clause and one add clause; more only where a request would be too big
// or the server refused a value of it.
void ApplyRun::SplitMembers(std::string_view group, const Snapshot& at,
                            const std::vector<Item*>& wanted, Stages* stages) {
  const char* attribute = NameOf(at.entry.member_attribute());
  const auto limit = split_.find(group);
  const size_t most = limit == split_.end() ? wanted.size() : limit->second;
  const auto& live = at.Members();
  const auto placeholder = live.find(std::string(group));
  size_t remaining = live.size() - (placeholder == live.end() ? 0 : 1);
  for (const Item* item : wanted) remaining += item->op->after.empty() ? -1 : 1;
  std::vector<std::string> remove, add;
  std::vector<Item*> carried;
  size_t bytes = 0;
  int stage = 7000;
  const auto flush = [&] {
    Planned planned;
    planned.group = group;
    planned.items = std::move(carried);
    planned.write.dn = at.entry.dn;
    planned.write.assertion = UnchangedSince(at, context_, false);
    auto& changes = planned.write.modifications;
    // The new ones first: so the class never lacks a member in between.
    if (!add.empty()) changes.push_back({LDAP_MOD_ADD, attribute, std::move(add)});
    if (!remove.empty()) changes.push_back({LDAP_MOD_DELETE, attribute, std::move(remove)});
    (*stages)[stage++].push_back(std::move(planned));
    carried.clear();
    add.clear();
    remove.clear();
    bytes = 0;
  };
  if (remaining == 0 && placeholder == live.end()) add.push_back(at.entry.dn);
  for (Item* item : wanted) {
    if (item->op->after.empty()) {
      remove.push_back(live.find(std::string(object::SplitKey(item->op->key)[1]))->second);
      bytes += remove.back().size();
    } else {
      add.push_back(object::DecodeAs<kinds::Membership>(item->op->after).member());
      bytes += add.back().size();
    }
    carried.push_back(item);
    if (item == wanted.back() && remaining > 0 && placeholder != live.end()) {
      remove.push_back(placeholder->second);
    }
    if (bytes > kRequestBytes || carried.size() >= most) flush();
  }
  if (!carried.empty()) flush();
}

}  // namespace postern::directory
