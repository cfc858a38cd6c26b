// Carrying operations on objects out: read a few, decide, write, read again, until each has its
// answer. The last read is the read-back.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/apply_run.h"
#include "providers/sdk/operations.h"
#include "schemas/kinds.pb.h"

namespace postern::iam::otds {

using object::Answer;
using object::Kind;
using object::ObjectKey;
using object::Operation;
using object::Status;

namespace {

// So many are read and written together: few enough that little time lies between both.
constexpr size_t kChunk = 16;

bool Deletes(const Operation& op) {
  return op.after.empty() && op.clear.empty();
}

// The name in a body as it is spelled there: keys don't tell case and runs of blanks.
std::string SpelledKey(Kind kind, std::string_view body) {
  if (body.empty()) return {};
  switch (kind) {
    case Kind::kIamUser:
      return object::DecodeAs<kinds::IamUser>(body).user_name();
    case Kind::kIamGroup:
      return object::DecodeAs<kinds::IamGroup>(body).name();
    case Kind::kIamRole:
      return object::DecodeAs<kinds::IamRole>(body).name();
    case Kind::kIamAccessRole:
      return object::DecodeAs<kinds::IamAccessRole>(body).name();
    default:
      return object::DecodeAs<kinds::OauthClient>(body).client_id();
  }
}

// That the server has no such call, or doesn't take what it says.
bool SaysNo(int status) {
  return status == 400 || status == 404 || status == 405 || status == 501;
}

}  // namespace

Status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return Status::kTransient;
    default:
      return Status::kDenied;
  }
}

ApplyRun::ApplyRun(OtdsTarget& target, const object::Secrets& secrets, object::OutcomeSink& sink)
    : target_(target), secrets_(secrets), sink_(sink) {
  context_ = {&target.names(), &target.guesses(), &secrets_,
              [&target](std::string_view partition) { return target.WhyNotWritten(partition); }};
}

void ApplyRun::Finish(const Item& item, Status status, std::string message, const Live& live) {
  object::Outcome outcome;
  outcome.id = item.op->id;
  outcome.status = status;
  outcome.live = {live.answer, live.object, live.answer == Answer::kUnreadable ? live.reason : ""};
  outcome.message = std::move(message);
  sink_.Add(std::move(outcome));
}

void ApplyRun::ReadChunk(const std::vector<Item*>& chunk, std::vector<Live>* at,
                         std::vector<Live>* other) {
  std::vector<ObjectKey> keys;
  std::vector<std::string> spelled;
  for (const Item* item : chunk) {
    keys.push_back({item->op->kind, item->key});
    const bool moved = !item->op->new_key.empty() && item->key == item->op->new_key;
    const bool old = item->op->after.empty() || (!item->op->new_key.empty() && !moved);
    spelled.push_back(SpelledKey(item->op->kind, old ? item->op->before : item->op->after));
  }
  const size_t own = keys.size();
  for (const Item* item : chunk) {
    if (item->op->new_key.empty()) continue;
    keys.push_back({item->op->kind, item->op->new_key});
    spelled.push_back(SpelledKey(item->op->kind, item->op->after));
  }
  std::vector<Live> all = target_.ReadObjects(keys, spelled);
  other->resize(own);
  size_t next = own;
  for (size_t i = 0; i < own; ++i) {
    (*other)[i].answer = Answer::kAbsent;
    if (!chunk[i]->op->new_key.empty()) (*other)[i] = std::move(all[next++]);
  }
  all.resize(own);
  *at = std::move(all);
}

// Whether a client has the secret already is shown by its use: nothing else tells.
void ApplyRun::CheckSecret(Item& item) {
  const std::string wanted = SecretWanted(*item.op);
  if (wanted.empty() || item.progress.secret_set || item.progress.written) return;
  const std::string* secret = SecretValue(wanted, secrets_);
  item.progress.secret_set =
      secret != nullptr && target_.SecretWorks(SpelledKey(item.op->kind, item.op->after), *secret);
}

// What the last write showed of what it relied on.
void ApplyRun::Judge(const Item& item, bool kept) {
  for (const Guess guess : item.last.guesses) {
    if (kept) {
      target_.guesses().Confirm(guess, "a write of it was read back");
    } else if (item.last.only_guessed) {
      target_.guesses().Refute(guess, "the server took the write, and nothing changed");
    }
  }
}

bool ApplyRun::Decide(Item& item, Live& at, const Live& other, Next* next) {
  const Operation& op = *item.op;
  const bool wrote = item.progress.written || item.progress.unsure || item.progress.renamed;
  const bool moved = !op.new_key.empty() && item.key != op.new_key;
  if (moved && at.answer == Answer::kAbsent && other.answer == Answer::kValue &&
      !object::IsOtherId(op.expect_id, other.object.id)) {
    // The rename is done: by this call, or by one that was cut off.
    item.key = op.new_key;
    item.progress.renamed = true;
    at = other;
  }
  if (at.answer == Answer::kUnreadable) {
    const Status status = wrote          ? Status::kUnknown
                          : at.transient ? Status::kTransient
                                         : Status::kDenied;
    Finish(item, status, at.reason, at);
    return false;
  }
  if (op.kind == Kind::kOauthClient && at.answer == Answer::kValue) CheckSecret(item);
  *next = NextWrite(op, item.progress, at, &other, context_);
  const bool done = next->need == Next::Need::kNothing;
  if (done && item.writes > 0) Judge(item, true);
  if (done) {
    Finish(item, item.writes > 0 ? Status::kApplied : Status::kAlreadySo, "", at);
  } else if (item.refusal) {
    Finish(item, item.refusal->first, item.refusal->second, at);
  } else if (next->need == Next::Need::kRefuse) {
    Finish(item, next->precondition ? Status::kPreconditionFailed : Status::kDenied, next->why, at);
  } else if (item.writes >= kWrites) {
    Judge(item, false);
    Finish(item, Status::kDenied, "the server takes the change and doesn't keep it", at);
  } else {
    return true;
  }
  return false;
}

// A write that relies on a guess goes alone until the guess is settled.
bool ApplyRun::MayGoNow(const Next& next, std::set<Guess>* tried) const {
  const auto open = [&](Guess guess) { return target_.guesses().is_open(guess); };
  for (const Guess guess : next.guesses) {
    if (open(guess) && tried->contains(guess)) return false;
  }
  for (const Guess guess : next.guesses) {
    if (open(guess)) tried->insert(guess);
  }
  return true;
}

void ApplyRun::Settle(Item& item, const Written& written) {
  ++item.writes;
  if (written.ok) {
    item.progress.written = true;
    item.progress.secret_set |= item.last.sets_secret;
    if (item.last.renames) {
      item.progress.renamed = true;
      item.key = item.op->new_key;
    }
    return;
  }
  if (written.may_be_done) {
    item.progress.unsure = true;
    if (++item.lost < kLostAnswers) return;  // the next read decides, and it may be written again
    item.refusal = {Status::kTransient, written.error.message};
    return;
  }
  item.refusal = {StatusOf(written.error.code), written.error.message};
  const bool creates = item.op->before.empty() && !item.progress.written;
  if (creates && written.error.code == ErrorCode::kConflict) {
    // The read that follows finds who has the name; where nobody is shown, somebody still has it.
    item.refusal->second +=
        "; nobody of that name is shown, so that it may lie in the recycle bin: restore or "
        "delete it there";
  }
  if (item.last.only_guessed && SaysNo(written.status)) {
    for (const Guess guess : item.last.guesses) {
      target_.guesses().Refute(guess, written.error.message);
    }
  }
}

// One round for a few; answers those that aren't done.
std::vector<Item*> ApplyRun::Step(const std::vector<Item*>& chunk) {
  std::vector<Live> at, other;
  ReadChunk(chunk, &at, &other);
  std::vector<Item*> writing, left;
  std::vector<HttpRequest> requests;
  std::set<Guess> tried;
  for (size_t i = 0; i < chunk.size(); ++i) {
    Next next;
    if (!Decide(*chunk[i], at[i], other[i], &next)) continue;
    left.push_back(chunk[i]);
    if (!MayGoNow(next, &tried)) continue;
    requests.push_back(next.request);
    chunk[i]->last = std::move(next);
    writing.push_back(chunk[i]);
  }
  if (requests.empty()) return left;
  const std::vector<Written> written = target_.api().WriteAll(std::move(requests));
  for (size_t i = 0; i < writing.size(); ++i) Settle(*writing[i], written[i]);
  return left;
}

void ApplyRun::RunObjects(std::deque<Item*> pending) {
  while (!pending.empty()) {
    const size_t count = std::min(kChunk, pending.size());
    std::vector<Item*> chunk(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count));
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(count));
    while (!chunk.empty()) chunk = Step(chunk);
  }
}

void ApplyRun::Run() {
  std::deque<Item*> changes, deletions;
  std::map<std::string, std::vector<Item*>> sets;  // by folded set
  for (Item& item : items_) {
    if (item.op->kind == Kind::kIamMembership) {
      sets[std::string(object::SplitKey(item.op->key).front())].push_back(&item);
    } else if (object::TableOf(item.op->kind).observed_only || !object::IsIamKind(item.op->kind)) {
      Live nothing;
      nothing.object.kind = item.op->kind;
      nothing.object.key = item.op->key;
      nothing.reason = "it is only observed";
      Finish(item, Status::kDenied, nothing.reason, nothing);
    } else {
      (Deletes(*item.op) ? deletions : changes).push_back(&item);
    }
  }
  RunObjects(std::move(changes));
  for (auto& [set, items] : sets) RunSet(std::move(items));
  RunObjects(std::move(deletions));
}

Result<void> OtdsTarget::Apply(std::span<const object::OperationGroup> groups,
                               const object::Secrets& secrets, object::OutcomeSink& sink) {
  if (auto connected = Connect(); !connected) {
    // Nothing was sent: that is an answer to each.
    for (const object::OperationGroup& group : groups) {
      for (const Operation& op : group.operations) {
        object::Outcome outcome{
            op.id, StatusOf(connected.error().code), {}, connected.error().message};
        outcome.live.object.kind = op.kind;
        outcome.live.object.key = op.key;
        outcome.live.reason = connected.error().message;
        sink.Add(std::move(outcome));
      }
    }
    return {};
  }
  for (const auto& round : sdk::RoundsOf(groups)) {
    ApplyRun run(*this, secrets, sink);
    for (const Operation* op : round) run.Add(*op);
    run.Run();
  }
  return {};
}

bool OtdsTarget::SecretWorks(const std::string& client, const std::string& secret) {
  ClientCredentials credentials;
  credentials.token_url = token_url_;
  credentials.client_id = client;
  credentials.client_secret = secret;
  auto authority = MakeClientCredentials(std::move(credentials));
  return authority && (*authority)->Proof(api_->client(), true).has_value();
}

}  // namespace postern::iam::otds
