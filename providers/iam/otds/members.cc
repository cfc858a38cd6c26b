// Memberships: the set is read, a few requests change it, and it is read again, until every
// operation on it has its answer. Adding is additive and has no condition: what another hand does
// meanwhile stays.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/apply_run.h"
#include "schemas/kinds.pb.h"

namespace postern::iam::otds {

using object::Answer;
using object::Operation;
using object::Status;

namespace {

constexpr size_t kBatch = 100;  // members in one request
constexpr int kRounds = 8;

kinds::IamMembership BodyOf(const Operation& op) {
  return object::DecodeAs<kinds::IamMembership>(op.after.empty() ? op.before : op.after);
}

Next RefuseMember(std::string why, bool precondition) {
  Next next;
  next.need = Next::Need::kRefuse;
  next.why = std::move(why);
  next.precondition = precondition;
  return next;
}

// Roles in roles and organizational units can be taken out; to put one in is said nowhere.
bool Holds(SetType set, MemberType member, bool add) {
  if (member == MemberType::kRole) return set == SetType::kRole && !add;
  if (member == MemberType::kUnit) return set == SetType::kAccessRole && !add;
  return member != MemberType::kPartition || set == SetType::kAccessRole;
}

}  // namespace

MemberRef ApplyRun::MemberOf(const Item& item) const {
  const kinds::IamMembership body = BodyOf(*item.op);
  auto member = ParseMember(body.member().empty() ? object::SplitKey(item.op->key).back()
                                                  : std::string_view(body.member()));
  return member ? *member : MemberRef{MemberType::kRole, ""};
}

void ApplyRun::FinishMember(const Item& item, Status status, std::string message,
                            const LiveSet& live, const SetRef& set) {
  object::Outcome outcome;
  outcome.id = item.op->id;
  outcome.status = status;
  outcome.live = target_.MembershipIn(live, set, {item.op->kind, item.op->key});
  outcome.message = std::move(message);
  sink_.Add(std::move(outcome));
}

Next ApplyRun::DecideMember(const Item& item, const LiveSet& live, const SetRef& set) const {
  const bool wanted = !item.op->after.empty();
  const bool wrote = item.progress.written || item.progress.unsure;
  if (live.answer == Answer::kAbsent) {
    return RefuseMember(fmt::format("{} doesn't exist", TextOf(set)), true);
  }
  if (wanted && !item.op->before.empty() && !wrote) return RefuseMember("it is gone", true);
  const MemberRef member = MemberOf(item);
  if (member.name.empty() || !Holds(set.type, member.type, wanted)) {
    return RefuseMember(fmt::format("OTDS has no \"{}\" as a member of {}",
                                    object::SplitKey(item.op->key).back(), TextOf(set)),
                        false);
  }
  if (!live.partition.empty()) {
    if (std::string why = context_.why_not_written(live.partition); !why.empty()) {
      return RefuseMember(std::move(why), false);
    }
  }
  Next next;
  next.need = Next::Need::kWrite;
  return next;
}

// Answers what is done or can't be; the rest is to be written.
std::vector<Item*> ApplyRun::DecideMembers(const LiveSet& live, const SetRef& set,
                                           const std::vector<Item*>& items) {
  std::vector<Item*> left;
  for (Item* item : items) {
    const bool wrote = item->progress.written || item->progress.unsure;
    if (live.answer == Answer::kUnreadable) {
      const Status status = wrote            ? Status::kUnknown
                            : live.transient ? Status::kTransient
                                             : Status::kDenied;
      FinishMember(*item, status, live.reason, live, set);
      continue;
    }
    const bool there =
        target_.MembershipIn(live, set, {item->op->kind, item->op->key}).answer == Answer::kValue;
    const bool as_planned = there == !item->op->after.empty();
    const Next next = as_planned ? Next() : DecideMember(*item, live, set);
    if (as_planned) {
      if (item->writes > 0) Judge(*item, true);
      FinishMember(*item, item->writes > 0 ? Status::kApplied : Status::kAlreadySo, "", live, set);
    } else if (item->refusal) {
      FinishMember(*item, item->refusal->first, item->refusal->second, live, set);
    } else if (next.need == Next::Need::kRefuse) {
      FinishMember(*item, next.precondition ? Status::kPreconditionFailed : Status::kDenied,
                   next.why, live, set);
    } else if (item->writes >= kWrites && !item->last.guesses.empty() &&
               item->last.guesses[0] == Guess::kAccessRoleDelete) {
      Judge(*item, false);
      item->writes = 0;  // there is another way to try
      left.push_back(item);
    } else if (item->writes >= kWrites) {
      Judge(*item, false);
      FinishMember(*item, Status::kDenied, "the server takes the change and doesn't keep it", live,
                   set);
    } else {
      left.push_back(item);
    }
  }
  return left;
}

// Removals first, then additions; of each, as many as one request may hold.
std::vector<ApplyRun::Batch> ApplyRun::BatchesOf(const LiveSet& /*live*/, const SetRef& set,
                                                 const std::vector<Item*>& items) {
  std::map<std::pair<bool, int>, std::vector<Item*>> lists;
  for (Item* item : items) {
    const bool add = !item->op->after.empty();
    const MemberType member = MemberOf(*item).type;
    const bool own_list = set.type == SetType::kGroup || member == MemberType::kRole;
    const int type = own_list ? static_cast<int>(member) : 0;
    lists[{add, type}].push_back(item);
  }
  std::vector<Batch> batches;
  for (auto& [what, list] : lists) {
    // A role is given from the side of who has it: one request each.
    size_t most = set.type == SetType::kRole && what.first ? 1 : kBatch;
    const bool guessed = set.type == SetType::kAccessRole && !what.first &&
                         (target_.guesses().is_open(Guess::kAccessRoleDelete) ||
                          target_.guesses().is_refuted(Guess::kAccessRoleDelete));
    if (guessed) most = 1;
    for (Item* item : list) {
      const bool full = batches.empty() || batches.back().add != what.first ||
                        static_cast<int>(batches.back().type) != what.second ||
                        batches.back().items.size() >= most || item->alone;
      if (full) batches.push_back({what.first, static_cast<MemberType>(what.second), {}, {}});
      batches.back().items.push_back(item);
    }
    // What is removed by a guess, or by a PUT of the whole, is read back before the next.
    if (guessed) batches.resize(1);
  }
  return batches;
}

void ApplyRun::WriteBatch(const LiveSet& live, const SetRef& set, Batch& batch) {
  auto request = RequestOf(live, set, batch);
  Written written;
  if (request) {
    written = target_.api().Write(std::move(*request));
  } else {
    written.error = request.error();
  }
  for (Item* item : batch.items) {
    item->last = {};
    item->last.guesses = batch.guesses;
    item->last.only_guessed = !batch.guesses.empty();
    if (!request) {
      const bool missing = request.error().code == ErrorCode::kNotFound;
      item->refusal = {missing ? Status::kPreconditionFailed : StatusOf(request.error().code),
                       written.error.message};
    } else if (!written.ok && !written.may_be_done && batch.items.size() > 1 &&
               StatusOf(written.error.code) == Status::kDenied) {
      item->alone = true;
    } else {
      Settle(*item, written);
      const bool other_way = !batch.guesses.empty() &&
                             batch.guesses[0] == Guess::kAccessRoleDelete &&
                             target_.guesses().is_refuted(Guess::kAccessRoleDelete);
      if (other_way) item->refusal.reset();  // there is another way to try
    }
  }
}

void ApplyRun::RunSet(std::vector<Item*> items) {
  const kinds::IamMembership body = BodyOf(*items.front()->op);
  const std::string text = body.set().empty()
                               ? std::string(object::SplitKey(items.front()->op->key).front())
                               : body.set();
  const auto set = ParseSet(text);
  LiveSet live;
  if (!set) {
    live.reason = fmt::format("OTDS has no set \"{}\"", text);
    DecideMembers(live, {SetType::kGroup, text}, items);
    return;
  }
  std::set<std::string> others;  // that a guessed removal must leave
  std::vector<Guess> guesses;
  for (int round = 0; round < kRounds && !items.empty(); ++round) {
    live = target_.ReadSet(*set, !body.set().empty());
    const bool harmed = live.answer == Answer::kValue &&
                        std::any_of(others.begin(), others.end(), [&](const std::string& other) {
                          return !live.members.contains(other);
                        });
    if (harmed) {
      for (const Guess guess : guesses) {
        target_.guesses().Refute(guess, "other members went away with the one that was meant");
      }
      for (Item* item : items) item->last.guesses.clear();
    }
    items = DecideMembers(live, *set, items);
    others.clear();
    guesses.clear();
    for (Batch& batch : BatchesOf(live, *set, items)) {
      WriteBatch(live, *set, batch);
      if (batch.guesses.empty()) continue;
      guesses = batch.guesses;
      for (const auto& [key, member] : live.members) others.insert(key);
      for (const Item* item : batch.items) {
        const auto at = target_.FindMember(live, object::SplitKey(item->op->key).back());
        if (at != live.members.end()) others.erase(at->first);
      }
    }
  }
  for (const Item* item : items) {
    FinishMember(*item, item->progress.written ? Status::kUnknown : Status::kTransient,
                 "the set keeps changing while we write", live, *set);
  }
}

}  // namespace postern::iam::otds
