// Carrying operations out: read, decide, write, read again, until every operation has its answer.
// The last read is the read-back, so nothing is answered by what a server merely echoed, and a
// write whose answer was lost is decided by it.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/scim/apply_run.h"
#include "providers/sdk/operations.h"
#include "schemas/kinds.pb.h"

namespace postern::iam {

using object::Kind;
using object::ObjectKey;
using object::Operation;
using object::Status;
using State = Snapshot::State;

namespace {

constexpr size_t kRounds = 16;
constexpr int kConflicts = 8;
constexpr int kLostAnswers = 3;

std::string ReadId(const HttpAnswer& answer) {
  const auto document = ReadDocument(answer);
  return document ? TextAt(*document, "id") : "";
}

bool IsEntry(Kind kind) {
  return kind == Kind::kIamUser || kind == Kind::kIamGroup;
}

}  // namespace

void ApplyRun::Finish(Item& item, Status status, std::string message) {
  sdk::Finish(item, status, std::move(message), target_, snapshots_, sink_);
}

// We can't see what is there: nothing may be done on a guess.
void ApplyRun::FinishUnreadable(Item& item, const Snapshot& at) {
  if (item.touched()) return Finish(item, Status::kUnknown, at.reason);
  Finish(item, at.lost ? Status::kTransient : Status::kDenied, at.reason);
}

// Names that we are about to give are looked for less carefully than what must be there.
void ApplyRun::ReadAll() {
  std::set<ObjectKey> there, fresh;
  LocateOptions options;
  Snapshots known;
  for (const Item& item : items_) {
    if (item.done) continue;
    const Operation& op = *item.op;
    const bool creates = op.before.empty() && !op.after.empty() && IsEntry(op.kind) &&
                         !item.progress.unsure && item.taken.empty();
    for (ObjectKey& part : ScimTarget::PartsOf({op.kind, item.key})) {
      const auto seen = people_.find(part);
      if (op.kind == Kind::kIamMembership && seen != people_.end()) {
        known.insert(*seen);
      } else {
        (creates ? fresh : there).insert(std::move(part));
      }
    }
    if (!op.new_key.empty()) there.insert({op.kind, op.new_key});
    if (op.after.empty() && item.touched()) options.deleted.insert({op.kind, item.key});
  }
  for (const ObjectKey& key : there) fresh.erase(key);
  snapshots_ = ReadKeys(target_, there, options);
  options.recent = true;
  snapshots_.merge(ReadKeys(target_, fresh, options));
  snapshots_.merge(known);
}

bool ApplyRun::IsPending(const ObjectKey& key) const {
  return std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
    return !item.done && item.op->kind == key.kind && !item.is_removal() &&
           (item.key == key.key || item.op->new_key == key.key);
  });
}

// What goes away does so last: memberships would go with it without having been answered.
bool ApplyRun::Waits(const Item& item) const {
  return item.is_removal() && std::any_of(items_.begin(), items_.end(), [](const Item& other) {
           return !other.done && !(IsEntry(other.op->kind) && other.is_removal());
         });
}

// True: the rename is answered; false: go on with what stands under item.key.
bool ApplyRun::PlanRename(Item& item) {
  const Operation& op = *item.op;
  const Snapshot& from = snapshots_.at({op.kind, op.key});
  const Snapshot& to = snapshots_.at({op.kind, op.new_key});
  for (const Snapshot* at : {&from, &to}) {
    if (at->state != State::kUnreadable) continue;
    FinishUnreadable(item, *at);
    return true;
  }
  if (from.state == State::kAbsent) {
    const bool ours = to.state == State::kFound && (op.expect_id.empty() || to.id == op.expect_id);
    if (!ours) {
      Finish(item, Status::kPreconditionFailed, "it is gone");
      return true;
    }
    item.key = op.new_key;  // this call, or one before it, renamed it
    return false;
  }
  if (to.state != State::kFound) return false;
  Finish(item, Status::kPreconditionFailed, "there is one of the new name already");
  return true;
}

void ApplyRun::PlanEntry(Item& item) {
  const Operation& op = *item.op;
  if (!IsEntry(op.kind)) {
    return Finish(
        item, Status::kDenied,
        fmt::format("SCIM has no {}: product \"otds\" may have it", object::NameOf(op.kind)));
  }
  const bool renames = !op.new_key.empty() && item.key != op.new_key;
  if (renames && PlanRename(item)) return;
  const Snapshot& at = snapshots_.at({op.kind, item.key});
  if (at.state == State::kUnreadable) return FinishUnreadable(item, at);
  if (!item.taken.empty() && at.state == State::kAbsent) {
    return Finish(item, Status::kDenied, item.taken);
  }
  Step step = NextStep(op, item.progress, at, target_.dialect());
  if (step.need == Step::Need::kNothing) {
    return Finish(item, item.touched() ? Status::kApplied : Status::kAlreadySo);
  }
  if (step.need == Step::Need::kRefuse) {
    return Finish(item, step.precondition ? Status::kPreconditionFailed : Status::kDenied,
                  step.why);
  }
  if (Waits(item)) return;
  item.progress.was = target_.AnswerOf({op.kind, item.key}, snapshots_).object.body;
  Planned planned{std::move(step.write), {&item}};
  if (planned.write.method == Method::kPost) AddFirstMembers(item, &planned);
  planned_.push_back(std::move(planned));
}

// Where the server doesn't say under which id it made it, the name is looked for.
void ApplyRun::TakeId(const Item& item, const std::string& id) {
  if (id.empty()) return;
  const std::string& after = item.op->after;
  target_.names(item.op->kind)
      .Put(id, item.op->kind == Kind::kIamUser ? object::DecodeAs<kinds::IamUser>(after).user_name()
                                               : object::DecodeAs<kinds::IamGroup>(after).name());
}

void ApplyRun::SettleLost(Item& item, const std::string& why) {
  item.progress.unsure = true;
  if (++item.lost >= kLostAnswers) sdk::Fail(item, Status::kTransient, why);
}

void ApplyRun::SettleAnswer(const Planned& planned, Item& item, const HttpAnswer& answer) {
  const bool creates = planned.write.method == Method::kPost;
  const std::string said =
      fmt::format("{} {}: {}", NameOf(planned.write.method), planned.write.path, SaidIn(answer));
  if (answer.status / 100 == 2) {
    item.progress.written = true;
    (creates ? item.progress.created : item.progress.changed) = true;
    const Operation& op = *item.op;
    if (creates) TakeId(item, ReadId(answer));
    if (!creates && !op.new_key.empty() && item.key != op.new_key) {
      TakeId(item, snapshots_.at({op.kind, item.key}).id);
      item.key = op.new_key;
    }
  } else if (answer.status == 409 && creates) {
    item.taken = said;  // a read tells whether it is ours
  } else if ((answer.status == 412 || answer.status == 409 || answer.status == 404) && !creates) {
    // Somebody was faster: read again and decide anew. A deletion is so short that libcurl may have
    // sent it twice, the first without an answer.
    if (planned.write.method == Method::kDelete && answer.status == 404)
      item.progress.unsure = true;
    // And 409 may as well say that a value is taken, which another try doesn't change.
    if (answer.status == 409 && item.conflicts > 0) {
      sdk::Fail(item, Status::kDenied, said);
    } else if (++item.conflicts >= kConflicts) {
      sdk::Fail(item, Status::kTransient, said);
    }
  } else if (answer.status == 429) {
    sdk::Fail(item, Status::kTransient, said);
  } else if (answer.status >= 500 && answer.status != 501) {
    SettleLost(item, said);
  } else {
    sdk::Fail(item, Status::kDenied, said);
  }
}

// A group with its first members. Whether the server took them is for the read to say: who isn't in
// then is put in like any other.
void ApplyRun::SettleCreation(const Planned& planned, const HttpResult& result) {
  Item& group = *planned.items.front();
  if (result && result->status == 400) {
    bare_.insert(group.key);
    return;
  }
  Settle({planned.write, {&group}}, result);
  const bool may_be_in = result ? result->status / 100 == 2 : result.error().may_be_done;
  for (size_t i = 1; i < planned.items.size(); ++i) planned.items[i]->progress.unsure |= may_be_in;
}

void ApplyRun::Settle(const Planned& planned, const HttpResult& result) {
  const bool refused = result && result->status == 400;
  if (planned.write.method == Method::kPost && planned.items.size() > 1) {
    return SettleCreation(planned, result);
  }
  if (refused && planned.items.size() > 1) {
    // One of them spoils it for all: find out which.
    split_[ScimTarget::PartsOf({Kind::kIamMembership, planned.items[0]->key})[0].key] = 1;
  }
  for (Item* item : planned.items) {
    if (result) {
      if (!refused || planned.items.size() == 1) SettleAnswer(planned, *item, *result);
    } else if (result.error().may_be_done) {
      SettleLost(*item, result.error().error.message);
    } else {
      sdk::Fail(*item, result.error().error.retryable() ? Status::kTransient : Status::kDenied,
                result.error().error.message);
    }
  }
}

// Whoever declares versions wants no write that isn't bound to one.
void ApplyRun::RefuseUnbound() {
  const Dialect& dialect = target_.dialect();
  if (!dialect.IsDeclared(Trait::kVersions) || !dialect.Is(Trait::kVersions, "etag")) return;
  std::erase_if(planned_, [](const Planned& planned) {
    if (planned.write.method == Method::kPost || !planned.write.etag.empty()) return false;
    for (Item* item : planned.items) {
      sdk::Fail(*item, Status::kDenied,
                fmt::format("{} has no version, and versions = \"etag\" is declared",
                            planned.write.path));
    }
    return true;
  });
}

void ApplyRun::Carry() {
  std::vector<HttpRequest> requests;
  for (const Planned& planned : planned_) {
    HttpRequest request;
    request.method = planned.write.method;
    request.url = planned.write.path;
    request.headers = {{"Accept", "application/scim+json, application/json"}};
    if (!planned.write.body.is_null()) {
      request.headers.emplace_back("Content-Type", "application/scim+json");
      request.body = planned.write.body.dump();
    }
    if (!planned.write.etag.empty()) request.headers.emplace_back("If-Match", planned.write.etag);
    requests.push_back(std::move(request));
  }
  target_.session().SendAll(std::move(requests), [&](size_t at, const HttpResult& result) {
    Settle(planned_[at], result);
  });
}

void ApplyRun::Run() {
  for (Item& item : items_) {
    const auto parts = ScimTarget::PartsOf({item.op->kind, item.key});
    if (parts.size() == 2) members_[parts[0].key].push_back(&item);
  }
  // Each round carries at least one membership of a group on.
  for (size_t round = 0; round < kRounds + 2 * items_.size(); ++round) {
    if (std::all_of(items_.begin(), items_.end(), [](const Item& item) { return item.done; })) {
      return;
    }
    ReadAll();
    planned_.clear();
    for (Item& item : items_) {
      if (item.done || ScimTarget::PartsOf({item.op->kind, item.key}).size() == 2) continue;
      if (item.failed) {
        Finish(item, item.status, item.message);
      } else {
        PlanEntry(item);
      }
    }
    for (auto& [group, items] : members_) PlanMembers(group, items);
    RefuseUnbound();
    Carry();
  }
  ReadAll();
  for (Item& item : items_) {
    if (!item.done) {
      Finish(item, item.touched() ? Status::kUnknown : Status::kTransient,
             "it keeps changing while we write");
    }
  }
}

Result<void> ScimTarget::Apply(std::span<const object::OperationGroup> groups,
                               const object::Secrets&, object::OutcomeSink& sink) {
  if (auto ready = Discover(); !ready) return tl::unexpected(ready.error());
  Examine();
  missing_.clear();
  for (const auto& round : sdk::RoundsOf(groups)) {
    ApplyRun run(*this, sink);
    for (const Operation* op : round) run.Add(*op);
    run.Run();
  }
  return {};
}

}  // namespace postern::iam
