// Carrying operations out: read, decide, write in a window, read again, until every operation has
// its answer. The last read is the read-back, so nothing is answered by what was merely sent.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/directory/apply_run.h"
#include "providers/directory/ldap_error.h"
#include "providers/sdk/operations.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Kind;
using object::Operation;
using object::OutcomeSink;
using object::Status;

namespace {

constexpr int kAttempts = 16;
constexpr int kConflicts = 4;
constexpr int kLostAnswers = 3;

int DepthOf(std::string_view dn) {
  int depth = 0;
  for (std::string_view rest = dn; !rest.empty(); rest = ParentOf(rest)) ++depth;
  return std::min(depth, 900);
}

std::string_view GroupOf(const Operation& op) {
  return object::SplitKey(op.key)[0];
}

}  // namespace

std::set<std::string> ApplyRun::KeysToRead() const {
  std::set<std::string> keys;
  for (const Item& item : items_) {
    if (item.done) continue;
    keys.emplace(GroupOf(*item.op));
    if (!item.op->new_key.empty()) keys.insert(item.op->new_key);
  }
  return keys;
}

void ApplyRun::Finish(Item& item, Status status, std::string message) {
  sdk::Finish(item, status, std::move(message), target_, snapshots_, sink_);
}

// We can't see what is there: nothing may be done on a guess.
void ApplyRun::FinishUnreadable(Item& item, const Snapshot& at) {
  if (item.progress.written || item.progress.renamed || item.progress.unsure) {
    Finish(item, Status::kUnknown, at.reason);
  } else {
    Finish(item, at.lost ? Status::kTransient : Status::kDenied, at.reason);
  }
}

bool ApplyRun::CreatesGroup(std::string_view group) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
    return !item.done && !item.failed && item.op->kind == Kind::kDirectoryGroup &&
           item.op->before.empty() && !item.op->after.empty() && item.op->key == group;
  });
}

// True: the rename is planned or answered; false: it is done, go on at the new name.
bool ApplyRun::PlanRename(Item& item, Stages* stages) {
  const Operation& op = *item.op;
  const Snapshot& from = snapshots_[op.key];
  const Snapshot& to = snapshots_[op.new_key];
  for (const Snapshot* at : {&from, &to}) {
    if (at->state != Snapshot::State::kUnreadable) continue;
    FinishUnreadable(item, *at);
    return true;
  }
  const bool there = to.state == Snapshot::State::kFound;
  if (from.state == Snapshot::State::kAbsent) {
    const auto& ids = to.entry.values[kEntryUuid];
    const bool ours = there && (op.expect_id.empty() || (!ids.empty() && ids[0] == op.expect_id));
    if (!ours) {
      Finish(item, Status::kPreconditionFailed, "the entry is gone");
      return true;
    }
    // An earlier call renamed it and was cut off.
    item.key = op.new_key;
    item.progress.renamed = true;
    return false;
  }
  std::string why = there ? "there is an entry of the new name already" : "";
  Operation check = op;
  check.after.clear();  // as for a removal: is the live entry the one that is meant?
  if (why.empty()) {
    const Step step = NextStep({.op = &check, .key = op.key}, from, nullptr);
    if (step.need == Step::Need::kRefuse) why = step.why;
  }
  if (!why.empty()) {
    Finish(item, Status::kPreconditionFailed, why);
    return true;
  }
  (*stages)[0].push_back({RenameWrite(from.entry.dn, WantedDn(op), from, context_), {&item}});
  return true;
}

Step ApplyRun::NextStep(const Item& item, const Snapshot& at, std::vector<Item*>* first) {
  const Operation& op = *item.op;
  if (op.kind == Kind::kUser) return NextUserStep(op, item.progress, at, context_);
  if (op.kind == Kind::kOu) return NextOuStep(op, item.progress, at, context_);
  std::vector<std::string> values;
  size_t bytes = 0;
  if (const auto found = members_.find(op.key); first != nullptr && found != members_.end()) {
    for (Item* member : found->second) {
      if (member->done || member->op->after.empty() || bytes > kRequestBytes) continue;
      values.push_back(object::DecodeAs<kinds::Membership>(member->op->after).member());
      bytes += values.back().size();
      first->push_back(member);
    }
  }
  return NextGroupStep(op, item.progress, at, context_, values);
}

void ApplyRun::PlanEntry(Item& item, Stages* stages) {
  const Operation& op = *item.op;
  if (op.kind != Kind::kUser && op.kind != Kind::kOu && op.kind != Kind::kDirectoryGroup) {
    Finish(item, Status::kDenied, fmt::format("a directory has no {}", object::NameOf(op.kind)));
    return;
  }
  const bool renames = !op.new_key.empty() && op.new_key != op.key && !item.progress.renamed;
  if (renames && PlanRename(item, stages)) return;
  const Snapshot& at = snapshots_[item.key];
  if (at.state == Snapshot::State::kUnreadable) return FinishUnreadable(item, at);
  std::vector<Item*> first;
  Step step = NextStep(item, at, &first);
  const bool wrote = item.progress.written || item.progress.unsure;
  switch (step.need) {
    case Step::Need::kNothing:
      Finish(item, wrote ? Status::kApplied : Status::kAlreadySo);
      return;
    case Step::Need::kRefuse:
      Finish(item, step.precondition ? Status::kPreconditionFailed : Status::kDenied, step.why);
      return;
    case Step::Need::kWrite:
      break;
  }
  int stage = 6000;
  Planned planned{std::move(step.write), {&item}, {}, step.is_password};
  if (planned.write.type == Write::Type::kAdd) {
    stage = op.kind == Kind::kDirectoryGroup ? 5000 : 1000 + DepthOf(item.key);
    planned.items.insert(planned.items.end(), first.begin(), first.end());
  } else if (planned.write.type == Write::Type::kDelete) {
    stage = 9000 - DepthOf(item.key);
  }
  (*stages)[stage].push_back(std::move(planned));
}

void ApplyRun::Settle(Planned& planned, const WriteAnswer& answer) {
  for (Item* item : planned.items) {
    if (answer.code == LDAP_SUCCESS) {
      if (planned.write.type == Write::Type::kRename) {
        item->key = item->op->new_key;
        item->progress.renamed = true;
      }
      item->progress.written = true;
      item->progress.password_set |= planned.is_password;
      item->progress.lock_tried = true;
      continue;
    }
    const bool is_add = planned.write.type == Write::Type::kAdd;
    const bool lost = answer.code == LDAP_SERVER_DOWN || answer.code == LDAP_TIMEOUT;
    item->progress.unsure |= answer.sent && lost;
    if (is_add && item != planned.items.front()) continue;  // memberships: decided with the group
    if (lost && ++item->lost < kLostAnswers) {
      continue;  // a read tells whether it was done; every write may be repeated
    } else if (!answer.sent && lost) {
      sdk::Fail(*item, Status::kTransient, answer.message);
    } else if (is_add && answer.code == LDAP_NO_SUCH_OBJECT) {
      sdk::Fail(*item, Status::kPreconditionFailed,
                fmt::format("the entry above it doesn't exist: {}", ParentOf(planned.write.dn)));
    } else if (IsConflict(answer.code) && ++item->conflicts < kConflicts) {
      continue;  // somebody was faster: read again and decide anew
    } else if (planned.items.size() > 1 && !is_add && StatusOf(answer.code) == Status::kDenied) {
      split_[planned.group] = std::max<size_t>(1, planned.items.size() / 8);  // find the culprit
    } else {
      sdk::Fail(*item, StatusOf(answer.code), answer.message);
    }
  }
}

void ApplyRun::Carry(Stages& stages) {
  for (auto& [stage, planned] : stages) {
    std::vector<Write> writes;
    writes.reserve(planned.size());
    for (const Planned& one : planned) writes.push_back(one.write);
    auto connection = target_.Connect();
    std::vector<WriteAnswer> answers;
    if (connection) {
      answers = (*connection)->WriteMany(writes);
    } else {
      answers.assign(writes.size(), {false, LDAP_SERVER_DOWN, connection.error().message});
    }
    for (size_t i = 0; i < planned.size(); ++i) Settle(planned[i], answers[i]);
    // Whether the stages to come have what they stand on isn't known: read again first.
    if (connection && (*connection)->lost()) return;
  }
}

void ApplyRun::Run() {
  for (Item& item : items_) {
    if (item.op->kind == Kind::kMembership)
      members_[std::string(GroupOf(*item.op))].push_back(&item);
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::set<std::string> keys = KeysToRead();
    if (keys.empty()) return;
    snapshots_ = target_.ReadEntries(keys);
    Stages stages;
    for (Item& item : items_) {
      if (item.done || item.op->kind == Kind::kMembership) continue;
      if (item.failed) {
        Finish(item, item.status, item.message);
      } else {
        PlanEntry(item, &stages);
      }
    }
    for (auto& [group, items] : members_) PlanMembers(group, items, &stages);
    Carry(stages);
  }
  for (Item& item : items_) {
    if (!item.done) Finish(item, Status::kTransient, "the entry keeps changing while we write");
  }
}

Result<void> DirectoryTarget::Apply(std::span<const object::OperationGroup> groups,
                                    const object::Secrets& secrets, OutcomeSink& sink) {
  if (const auto key = secrets.find("ledger-key"); key != secrets.end()) {
    set_ledger_key(key->second);
  }
  ForgetAccess();
  // Features are known after the first connection; without one every operation answers transient.
  (void)ConnectAnew();
  for (const auto& round : sdk::RoundsOf(groups)) {
    ApplyRun run(*this, secrets, sink);
    for (const Operation* op : round) run.Add(*op);
    run.Run();
  }
  return {};
}

}  // namespace postern::directory
