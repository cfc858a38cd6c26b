// Carrying operations out: read, decide, write in a window, read again, until every operation has
// its answer. The last read is the read-back, so nothing is answered by what was merely sent.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/directory/changes.h"
#include "providers/directory/ldap_error.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Kind;
using object::ObjectKey;
using object::Operation;
using object::Outcome;
using object::OutcomeSink;
using object::Status;

namespace {

// slapd reads at most 4 MiB a request, 389-ds 2 MiB.
constexpr size_t kRequestBytes = size_t{1} << 20;
constexpr int kAttempts = 16;
constexpr int kConflicts = 4;
constexpr int kLostAnswers = 3;

struct Item {
  const Operation* op = nullptr;
  std::string key;  // where the entry is now
  Progress progress;
  int conflicts = 0, lost = 0;
  bool done = false;
  bool failed = false;  // `status` stands; only the read-back is missing
  Status status = Status::kUnknown;
  std::string message;
};

// One write and the operations that it carries out.
struct Planned {
  Write write;
  std::vector<Item*> items;
  std::string group;  // memberships: the group's key
  bool is_password = false;
};

int DepthOf(std::string_view dn) {
  int depth = 0;
  for (std::string_view rest = dn; !rest.empty(); rest = ParentOf(rest)) ++depth;
  return std::min(depth, 900);
}

std::string_view GroupOf(const Operation& op) {
  return object::SplitKey(op.key)[0];
}

}  // namespace

// Operations of which no two are on one object.
class ApplyRun {
 public:
  ApplyRun(DirectoryTarget& target, const object::Secrets& secrets, OutcomeSink& sink)
      : target_(target), sink_(sink) {
    context_ = {&target.features(), &target.reading(), &secrets};
  }
  void Add(const Operation& op) { items_.push_back({.op = &op, .key = op.key}); }
  void Run();

 private:
  // Writes of one stage don't depend on each other; stages run in ascending order.
  using Stages = std::map<int, std::vector<Planned>>;
  std::set<std::string> KeysToRead() const;
  void PlanEntry(Item& item, Stages* stages);
  bool PlanRename(Item& item, Stages* stages);
  Step NextStep(const Item& item, const Snapshot& at, std::vector<Item*>* first);
  void PlanMembers(std::string_view group, std::vector<Item*>& items, Stages* stages);
  void SplitMembers(std::string_view group, const Snapshot& at, const std::vector<Item*>& wanted,
                    Stages* stages);
  void Carry(Stages& stages);
  void Settle(Planned& planned, const WriteAnswer& answer);
  void Fail(Item& item, Status status, std::string message);
  void Finish(Item& item, Status status, std::string message = {});
  void FinishUnreadable(Item& item, const Snapshot& at);
  bool CreatesGroup(std::string_view group) const;

  DirectoryTarget& target_;
  OutcomeSink& sink_;
  ChangeContext context_;
  std::vector<Item> items_;
  Snapshots snapshots_;
  std::map<std::string, std::vector<Item*>, std::less<>> members_;
  std::map<std::string, size_t, std::less<>> split_;  // members a request, where one was refused
};

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
  Outcome outcome;
  outcome.id = item.op->id;
  outcome.status = status;
  outcome.live = target_.AnswerOf({item.op->kind, item.key}, snapshots_);
  outcome.message = std::move(message);
  item.done = true;
  sink_.Add(std::move(outcome));
}

void ApplyRun::Fail(Item& item, Status status, std::string message) {
  item.failed = true;
  // "Nothing was done" can't be said after a write without an answer.
  item.status = status == Status::kTransient && item.progress.unsure ? Status::kUnknown : status;
  item.message = std::move(message);
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
      Fail(*item, Status::kTransient, answer.message);
    } else if (is_add && answer.code == LDAP_NO_SUCH_OBJECT) {
      Fail(*item, Status::kPreconditionFailed,
           fmt::format("the entry above it doesn't exist: {}", ParentOf(planned.write.dn)));
    } else if (IsConflict(answer.code) && ++item->conflicts < kConflicts) {
      continue;  // somebody was faster: read again and decide anew
    } else if (planned.items.size() > 1 && !is_add && StatusOf(answer.code) == Status::kDenied) {
      split_[planned.group] = std::max<size_t>(1, planned.items.size() / 8);  // find the culprit
    } else {
      Fail(*item, StatusOf(answer.code), answer.message);
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
  // Operations on one object follow each other: the nth of each runs in the nth round.
  std::map<ObjectKey, size_t> passed;
  std::vector<std::vector<const Operation*>> rounds;
  for (const object::OperationGroup& group : groups) {
    for (const Operation& op : group.operations) {
      const size_t round = passed[{op.kind, op.key}]++;
      if (rounds.size() <= round) rounds.resize(round + 1);
      rounds[round].push_back(&op);
    }
  }
  // Features are known after the first connection; without one every operation answers transient.
  (void)ConnectAnew();
  for (const auto& round : rounds) {
    ApplyRun run(*this, secrets, sink);
    for (const Operation* op : round) run.Add(*op);
    run.Run();
  }
  return {};
}

}  // namespace postern::directory
