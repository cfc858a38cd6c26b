// core/ledger/sqlite_ledger.h: the ledger in one SQLite file.
//
// Every change is one BEGIN IMMEDIATE transaction that appends events and changes their projection.
// The end of the chain is read anew in each: another process may have written in between.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"
#include "core/ledger/sqlite.h"

namespace postern::ledger {

class SqliteLedger final : public Ledger {
 public:
  // The file must exist.
  static Result<std::unique_ptr<Ledger>> Open(const std::string& path, Mode mode);
  ~SqliteLedger() override;

  const std::string& id() const override { return id_; }
  uint64_t generation() const override { return generation_; }
  const std::string& secret_key() const override { return secret_key_; }

  Result<std::vector<Recorded>> RecordedOf(std::string_view target) override;
  Result<std::vector<std::string>> RecordedTargets() override;
  Result<std::vector<Recorded>> RecordedAt(uint64_t generation, std::string_view target) override;
  Result<std::vector<Census>> LastCensus() override;
  Result<std::vector<std::pair<std::string, uint32_t>>> AllocatedUids() override;
  Result<std::vector<OpenIntent>> OpenIntents() override;
  Result<std::vector<ApplyRow>> Applies(size_t newest) override;
  Result<std::optional<ApplyRow>> FindApply(std::string_view number_or_digest) override;
  Result<std::string> PlanOf(uint64_t apply) override;
  Result<void> Events(uint64_t from, const std::function<bool(const Event&)>& sink) override;
  Result<uint64_t> Verify() override;

  Result<std::unique_ptr<Lock>> Acquire(const std::string& who) override;
  Result<uint64_t> BeginApply(const ApplyStart& start) override;
  Result<void> Commit(uint64_t apply, std::span<const Outcome> outcomes,
                      std::span<const Intent> intents) override;
  Result<void> AllocateUids(std::span<const std::pair<std::string, uint32_t>> uids) override;
  Result<void> RecordCensus(std::span<const Census> census) override;
  Result<std::vector<RosterRow>> Rosters() override;
  Result<void> RecordJob(const JobEvent& event, const RosterRow* roster) override;
  Result<void> FinishApply(uint64_t apply, const std::string& result) override;

 private:
  explicit SqliteLedger(Mode mode) : mode_(mode) {}

  Result<void> ReadIdentity();
  Result<void> PrepareWrites();
  Result<uint64_t> NewestGeneration();
  Result<std::vector<ApplyRow>> SelectApplies(std::string_view rest, std::string_view text,
                                              uint64_t number);

  // Runs `body` in a transaction; any failure in it leaves the file as it was.
  Result<void> Write(const std::function<Result<void>()>& body);
  Result<void> ReadTail();
  // Only inside Write: appends one event; its sequence is then tail_sequence_.
  Result<void> Append(std::string_view type, std::string_view payload);
  Result<void> CommitOutcome(uint64_t apply, const Outcome& outcome);
  Result<void> CommitIntent(uint64_t apply, const Intent& intent);
  Result<void> Record(std::string_view target, const Recorded& record);
  Result<void> Erase(std::string_view target, const object::ObjectKey& key);
  Result<void> KeepVersion(std::string_view target, object::Kind kind, std::string_view key);

  Mode mode_;
  Database db_;
  std::string id_, secret_key_;
  uint64_t generation_ = 0;

  // The end of the chain and the clock, as of the start of the running transaction.
  uint64_t tail_sequence_ = 0;
  base::Digest tail_hash_{};
  base::Instant now_ = 0;
  std::string payload_;  // reused

  Statement tail_, append_, announce_, close_step_, current_, keep_, put_, erase_;
};

}  // namespace postern::ledger
