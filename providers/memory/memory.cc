#include "providers/memory/memory.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <map>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "providers/memory/body.h"
#include "providers/memory/change.h"
#include "providers/memory/faults.h"
#include "providers/memory/scopes.h"
#include "providers/memory/world.h"
#include "schemas/provider.pb.h"

namespace postern::memory {
namespace {

using object::Answer;
using object::Kind;
using object::Operation;
using object::Outcome;
using object::ReadAnswer;
using object::Status;

constexpr std::string_view kScheme = "memory:";

class MemoryTarget final : public object::Target {
 public:
  MemoryTarget(const provider::v1::TargetConfig& config, const object::Secrets& secrets,
               const std::string& path, std::unique_ptr<World> world)
      : path_(path), world_(std::move(world)), scopes_(config), faults_(path + ".faults") {
    TakeLedgerKey(secrets);
  }

  Result<object::Probe> ProbeTarget() override;
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const Kind> kinds,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override;
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override;

 private:
  struct Counting;
  using KindSet = std::array<bool, 64>;  // by number
  std::vector<object::ScopeStatus> Statuses(const Counting& counting, const KindSet& asked) const;
  Result<Faults*> Begin();
  void TakeLedgerKey(const object::Secrets& secrets);
  void Observe(const Record& record, std::string* body, uint64_t* unreadable) const;
  ReadAnswer Look(Kind kind, std::string_view key, const Faults& faults) const;
  Result<void> ApplyGroup(const object::OperationGroup& group, const object::Secrets& secrets,
                          Faults* faults, object::OutcomeSink& sink);
  Verdict Carry(const Operation& operation, const object::Secrets& secrets, Faults* faults);
  void Drift(const Operation& operation);
  void DieIf(uint64_t* countdown);

  const std::string path_;
  std::unique_ptr<World> world_;
  const Scopes scopes_;
  FaultFile faults_;
  std::string ledger_key_;
};

void MemoryTarget::TakeLedgerKey(const object::Secrets& secrets) {
  if (const auto found = secrets.find("ledger-key"); found != secrets.end()) {
    ledger_key_ = found->second;
  }
}

Result<Faults*> MemoryTarget::Begin() {
  auto faults = faults_.Current();
  if (!faults) return faults;
  (*faults)->Slow();
  if ((*faults)->unreachable) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} does not answer", path_));
  }
  if (auto read = world_->Refresh(); !read) return tl::unexpected(read.error());
  return faults;
}

Result<object::Probe> MemoryTarget::ProbeTarget() {
  if (auto faults = Begin(); !faults) return tl::unexpected(faults.error());
  object::Probe probe;
  probe.product = "memory";
  probe.product_version = "1";
  probe.identity = kMe;
  probe.checks.push_back({"world file", true, path_, {}, path_});
  for (const Scope& scope : scopes_.all()) probe.concurrency[scope.kind] = "native CAS";
  return probe;
}

void MemoryTarget::Observe(const Record& record, std::string* body, uint64_t* unreadable) const {
  base::DecodeBase64(record.body64, body);
  const uint64_t hidden = *unreadable;
  HidePassword(record.kind, ledger_key_, body, unreadable);
  if (hidden != 0) *body = WithoutFields(*body, hidden);
}

// Counts one enumeration and knows when a fault ends it early.
struct MemoryTarget::Counting {
  const Faults& faults;
  std::vector<uint64_t> by_scope;
  std::map<Kind, uint64_t> by_kind;
  base::Instant begun = 0;

  bool Ends(Kind kind) const {
    const auto seen = by_kind.find(kind);
    const uint64_t count = seen == by_kind.end() ? 0 : seen->second;
    const auto reached = [&](const std::map<Kind, uint64_t>& limits) {
      const auto limit = limits.find(kind);
      return limit != limits.end() && count >= limit->second;
    };
    return reached(faults.short_read) || reached(faults.silent_short);
  }
};

Result<std::vector<object::ScopeStatus>> MemoryTarget::Enumerate(std::span<const Kind> kinds,
                                                                 object::ObjectSink& sink) {
  auto begun = Begin();
  if (!begun) return tl::unexpected(begun.error());
  const Faults& faults = **begun;
  KindSet asked{};
  for (const Kind kind : kinds) asked[static_cast<size_t>(kind)] = true;
  if (kinds.empty()) asked.fill(true);
  Counting counting{faults, std::vector<uint64_t>(scopes_.all().size()), {}, base::Now()};
  const bool limited = !faults.short_read.empty() || !faults.silent_short.empty();

  std::string body;
  uint64_t sent = 0;
  for (const Record& record : world_->records()) {
    if (!record.alive || !asked[static_cast<size_t>(record.kind)]) continue;
    const auto scope = scopes_.Find(record.kind, record.key);
    if (!scope || (limited && counting.Ends(record.kind))) continue;
    uint64_t unreadable = faults.UnreadableFields(record.kind, record.key);
    Observe(record, &body, &unreadable);
    if (!sink.Add({record.kind, record.key, body, record.id, unreadable, record.who, record.when,
                   record.who.empty() ? "" : "exact"})) {
      return Fail(ErrorCode::kCancelled, "the core stopped the enumeration");
    }
    ++counting.by_scope[*scope];
    if (limited) ++counting.by_kind[record.kind];
    if (++sent % 100 == 0) faults.Slow();
  }

  return Statuses(counting, asked);
}

std::vector<object::ScopeStatus> MemoryTarget::Statuses(const Counting& counting,
                                                        const KindSet& asked) const {
  const Faults& faults = counting.faults;
  std::vector<object::ScopeStatus> statuses;
  for (size_t i = 0; i < scopes_.all().size(); ++i) {
    const Scope& scope = scopes_.all()[i];
    if (!asked[static_cast<size_t>(scope.kind)] || faults.silent_short.contains(scope.kind)) {
      continue;
    }
    object::ScopeStatus status{scope.kind, scope.name, true, "", counting.by_scope[i], true};
    if (const auto limit = faults.short_read.find(scope.kind); limit != faults.short_read.end()) {
      status.complete = false;
      status.reason = fmt::format("the answer was cut off at {} objects", limit->second);
      status.sentinel_seen = false;
    }
    if (faults.lose_sentinel.contains(scope.kind)) status.sentinel_seen = false;
    if (faults.unstable.contains(scope.kind)) status.unstable = "the count moved, says the fault";
    if (const auto more = faults.wrong_count.find(scope.kind); more != faults.wrong_count.end()) {
      status.count += more->second;
    }
    status.at = counting.begun;
    statuses.push_back(std::move(status));
  }
  return statuses;
}

ReadAnswer MemoryTarget::Look(Kind kind, std::string_view key, const Faults& faults) const {
  ReadAnswer answer;
  answer.object.kind = kind;
  answer.object.key = key;
  uint64_t unreadable = faults.UnreadableFields(kind, key);
  uint64_t all = 0;
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (!field.key) all |= uint64_t{1} << field.number;
  }
  const Record* live = world_->Find(kind, key);
  if (live == nullptr) {
    answer.answer = Answer::kAbsent;
    return answer;
  }
  if (unreadable != 0 && unreadable == all) {
    answer.answer = Answer::kUnreadable;
    answer.reason = "a fault makes the whole object unreadable";
    return answer;
  }
  answer.answer = Answer::kValue;
  Observe(*live, &answer.object.body, &unreadable);
  answer.object.id = live->id;
  answer.object.unreadable = unreadable;
  answer.object.changed_by = live->who;
  answer.object.changed_at = live->when;
  answer.object.how_known = live->who.empty() ? "" : "exact";
  return answer;
}

Result<std::vector<ReadAnswer>> MemoryTarget::Read(std::span<const object::ObjectKey> keys) {
  auto faults = Begin();
  if (!faults) return tl::unexpected(faults.error());
  std::vector<ReadAnswer> answers;
  answers.reserve(keys.size());
  for (const object::ObjectKey& key : keys) answers.push_back(Look(key.kind, key.key, **faults));
  return answers;
}

Result<void> MemoryTarget::Apply(std::span<const object::OperationGroup> groups,
                                 const object::Secrets& secrets, object::OutcomeSink& sink) {
  auto faults = Begin();
  if (!faults) return tl::unexpected(faults.error());
  TakeLedgerKey(secrets);
  for (const object::OperationGroup& group : groups) {
    if (auto done = ApplyGroup(group, secrets, *faults, sink); !done) return done;
  }
  return {};
}

Result<void> MemoryTarget::ApplyGroup(const object::OperationGroup& group,
                                      const object::Secrets& secrets, Faults* faults,
                                      object::OutcomeSink& sink) {
  if (auto locked = world_->Lock(); !locked) return locked;
  std::vector<Verdict> verdicts;
  verdicts.reserve(group.operations.size());
  for (const Operation& operation : group.operations) {
    faults->Slow();
    verdicts.push_back(Carry(operation, secrets, faults));
  }
  if (auto written = world_->Commit(); !written) return written;
  for (size_t i = 0; i < verdicts.size(); ++i) {
    const Operation& operation = group.operations[i];
    Outcome outcome{operation.id, verdicts[i].status, {}, std::move(verdicts[i].message)};
    const bool moved = !operation.new_key.empty() &&
                       (outcome.status == Status::kApplied || outcome.status == Status::kAlreadySo);
    const std::string& key = moved ? operation.new_key : operation.key;
    if (outcome.status == Status::kUnknown) {
      outcome.live.object.kind = operation.kind;
      outcome.live.object.key = key;
      outcome.live.reason = outcome.message;
    } else {
      outcome.live = Look(operation.kind, key, *faults);
    }
    sink.Add(std::move(outcome));
  }
  return {};
}

// What is done so far is written first: a provider that dies has done all that came before.
void MemoryTarget::DieIf(uint64_t* countdown) {
  if (*countdown == 0 || --*countdown != 0) return;
  (void)world_->Commit();
  std::raise(SIGKILL);
}

Verdict MemoryTarget::Carry(const Operation& operation, const object::Secrets& secrets,
                            Faults* faults) {
  if (faults->deny.contains(operation.kind)) {
    return {Status::kDenied, "the server denies changes of this kind to us"};
  }
  if (!scopes_.Find(operation.kind, operation.key)) {
    return {Status::kDenied, "the object lies outside of what this target manages"};
  }
  if (faults->transient > 0) {
    --faults->transient;
    return {Status::kTransient, "the server is busy"};
  }
  if (faults->drift > 0) {
    --faults->drift;
    Drift(operation);
  }
  DieIf(&faults->die_before);
  base::KillPoint("memory.apply.before");
  Verdict verdict = Change(*world_, operation, ledger_key_, secrets);
  base::KillPoint("memory.apply.after");
  DieIf(&faults->die_after);
  if (faults->lost_answer > 0) {
    --faults->lost_answer;
    return {Status::kUnknown, "the answer was lost"};
  }
  return verdict;
}

// Another hand makes the precondition fail: it removes what should be there, or creates what should
// be absent.
void MemoryTarget::Drift(const Operation& operation) {
  const Record* live = world_->Find(operation.kind, operation.key);
  if (live != nullptr) {
    world_->Delete(operation.kind, operation.key, "another-hand");
    return;
  }
  if (operation.before.empty() && !operation.after.empty()) {
    const std::string bare = WithoutFields(operation.after, ~KeyFields(operation.kind));
    world_->Put(operation.kind, operation.key, bare, "another-hand");
  }
}

}  // namespace

Result<std::unique_ptr<object::Target>> OpenTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& secrets) {
  const std::string& address = config.has_directory() ? config.directory().url()
                               : config.has_iam()     ? config.iam().url()
                                                      : config.host().address();
  if (!address.starts_with(kScheme) || address.size() == kScheme.size()) {
    return Fail(
        ErrorCode::kInvalid,
        fmt::format("the memory provider needs an address \"memory:FILE\", not \"{}\"", address));
  }
  // A runner's world stands beside that of the machine that it is.
  const std::string path =
      address.substr(kScheme.size()) + (config.has_runner() ? "." + config.runner().name() : "");
  auto world = World::Open(path);
  if (!world) return tl::unexpected(world.error());
  return std::make_unique<MemoryTarget>(config, secrets, path, std::move(*world));
}

}  // namespace postern::memory
