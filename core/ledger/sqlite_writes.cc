// The writing half of SqliteLedger: one transaction a call, events first, then their projection.
#include <fmt/format.h>

#include <cstring>

#include "core/base/kill_point.h"
#include "core/ledger/chain.h"
#include "core/ledger/payload.h"
#include "core/ledger/sqlite_ledger.h"

namespace postern::ledger {

Result<void> SqliteLedger::PrepareWrites() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&tail_, "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1"},
      {&append_, "INSERT INTO events VALUES (?, ?, ?, ?, ?)"},
      {&announce_,
       "INSERT INTO steps(apply, step, intent) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"},
      {&close_step_, "UPDATE steps SET outcome = ? WHERE apply = ? AND step = ? AND outcome = 0"},
      {&current_,
       "SELECT generation, body, id, owner, retired_at, secret_desired, secret_stored "
       "FROM recorded WHERE target = ? AND kind = ? AND key = ?"},
      {&keep_,
       "INSERT INTO versions(target, kind, key, generation, past, body, id, owner, retired_at, "
       "secret_desired, secret_stored) SELECT target, kind, key, generation, ?, body, id, owner, "
       "retired_at, secret_desired, secret_stored FROM recorded "
       "WHERE target = ? AND kind = ? AND key = ?"},
      {&put_,
       "REPLACE INTO recorded(target, kind, key, body, id, owner, retired_at, secret_desired, "
       "secret_stored, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {&erase_, "DELETE FROM recorded WHERE target = ? AND kind = ? AND key = ?"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = db_.Prepare(sql);
    if (!prepared) return tl::unexpected<Error>(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> SqliteLedger::Write(const std::function<Result<void>()>& body) {
  if (mode_ == Mode::kReadOnly) {
    return Fail(ErrorCode::kInvalid, "the ledger is open for reading only");
  }
  POSTERN_LEDGER_TRY(db_.Execute("BEGIN IMMEDIATE"));
  Result<void> done = ReadTail();
  if (done) done = body();
  if (done) {
    base::KillPoint("ledger.before-commit");
    done = db_.Execute("COMMIT");
  }
  if (!done) {
    // A COMMIT that fails may have ended the transaction itself; then there is nothing to roll
    // back.
    if (sqlite3_get_autocommit(db_.handle()) == 0) (void)db_.Execute("ROLLBACK");
    return done;
  }
  base::KillPoint("ledger.after-commit");
  return {};
}

Result<void> SqliteLedger::ReadTail() {
  const auto row = tail_.Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row || tail_.Bytes(1).size() != tail_hash_.size()) {
    tail_.Reset();
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the ledger {} is damaged (its last event is missing)", db_.path()));
  }
  tail_sequence_ = tail_.Unsigned(0);
  std::memcpy(tail_hash_.data(), tail_.Bytes(1).data(), tail_hash_.size());
  tail_.Reset();
  now_ = base::Now();
  const auto generation = NewestGeneration();
  if (!generation) return tl::unexpected<Error>(generation.error());
  generation_ = *generation;
  return {};
}

Result<void> SqliteLedger::Append(std::string_view type, std::string_view payload) {
  const base::Digest hash = EventHash(tail_hash_, tail_sequence_ + 1, now_, type, payload);
  POSTERN_LEDGER_TRY(append_.Bind(tail_sequence_ + 1, now_, type, payload, Blob{View(hash)}).Run());
  ++tail_sequence_;
  tail_hash_ = hash;
  return {};
}

Result<uint64_t> SqliteLedger::BeginApply(const ApplyStart& start) {
  uint64_t apply = 0;
  POSTERN_LEDGER_TRY(Write([&]() -> Result<void> {
    auto insert = db_.Prepare(
        "INSERT INTO applies(started, plan_digest, intent_digest, summary, who, revision) "
        "VALUES (?, ?, ?, ?, ?, ?) RETURNING apply");
    if (!insert) return tl::unexpected<Error>(insert.error());
    insert->Bind(now_, start.plan_digest, start.intent_digest, start.summary, start.who,
                 start.revision);
    const auto row = insert->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    apply = insert->Unsigned(0);
    insert->Reset();
    auto plan = db_.Prepare("INSERT INTO plans VALUES (?, ?)");
    if (!plan) return tl::unexpected<Error>(plan.error());
    POSTERN_LEDGER_TRY(plan->Bind(apply, Blob{start.plan}).Run());
    return Append("apply-started", StartedPayload(apply, start));
  }));
  base::KillPoint("ledger.after-begin-apply");
  return apply;
}

Result<void> SqliteLedger::Commit(uint64_t apply, std::span<const Outcome> outcomes,
                                  std::span<const Intent> intents) {
  if (outcomes.empty() && intents.empty()) return {};
  return Write([&]() -> Result<void> {
    uint64_t failed = 0;
    for (const Outcome& outcome : outcomes) {
      POSTERN_LEDGER_TRY(CommitOutcome(apply, outcome));
      failed += IsFailure(outcome.status) ? 1 : 0;
    }
    for (const Intent& intent : intents) POSTERN_LEDGER_TRY(CommitIntent(apply, intent));
    auto counts = db_.Prepare(
        "UPDATE applies SET intents = intents + ?1, outcomes = outcomes + ?2, failed = failed + ?3 "
        "WHERE apply = ?4 AND (finished = 0 OR ?1 = 0)");
    if (!counts) return tl::unexpected<Error>(counts.error());
    POSTERN_LEDGER_TRY(counts->Bind(intents.size(), outcomes.size(), failed, apply).Run());
    if (db_.changes() != 1) {
      return Fail(ErrorCode::kInvalid, fmt::format("there is no open apply {}", apply));
    }
    base::KillPoint("ledger.in-commit");
    return {};
  });
}

Result<void> SqliteLedger::CommitOutcome(uint64_t apply, const Outcome& outcome) {
  payload_.clear();
  AppendOutcome(apply, outcome, &payload_);
  POSTERN_LEDGER_TRY(Append("outcome", payload_));
  POSTERN_LEDGER_TRY(close_step_.Bind(tail_sequence_, apply, outcome.step).Run());
  if (db_.changes() != 1) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("step {} of apply {} has no open intent", outcome.step, apply));
  }
  if (outcome.record) return Record(outcome.target, *outcome.record);
  if (outcome.erase) return Erase(outcome.target, *outcome.erase);
  return {};
}

Result<void> SqliteLedger::CommitIntent(uint64_t apply, const Intent& intent) {
  payload_.clear();
  AppendIntent(apply, intent, &payload_);
  POSTERN_LEDGER_TRY(Append("intent", payload_));
  POSTERN_LEDGER_TRY(announce_.Bind(apply, intent.step, tail_sequence_).Run());
  if (db_.changes() != 1) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("step {} of apply {} was announced before", intent.step, apply));
  }
  return {};
}

// Moves the row that stands now into the history, as of the generation that is being made.
Result<void> SqliteLedger::KeepVersion(std::string_view target, object::Kind kind,
                                       std::string_view key) {
  return keep_.Bind(generation_ + 1, target, static_cast<int64_t>(kind), key).Run();
}

Result<void> SqliteLedger::Record(std::string_view target, const Recorded& record) {
  const auto kind = static_cast<int64_t>(record.kind);
  const auto row = current_.Bind(target, kind, record.key).Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (*row) {
    const bool same = current_.Bytes(1) == record.body && current_.Bytes(2) == record.id &&
                      current_.Bytes(3) == record.owner && current_.Int(4) == record.retired_at &&
                      current_.Bytes(5) == record.secret_desired &&
                      current_.Bytes(6) == record.secret_stored;
    const bool of_older = current_.Unsigned(0) <= generation_;
    current_.Reset();
    if (same) return {};
    if (of_older) POSTERN_LEDGER_TRY(KeepVersion(target, record.kind, record.key));
  }
  return put_
      .Bind(target, kind, record.key, Blob{record.body}, record.id, record.owner, record.retired_at,
            record.secret_desired, record.secret_stored, generation_ + 1)
      .Run();
}

Result<void> SqliteLedger::Erase(std::string_view target, const object::ObjectKey& key) {
  const auto kind = static_cast<int64_t>(key.kind);
  const auto row = current_.Bind(target, kind, key.key).Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row) return {};
  const bool of_older = current_.Unsigned(0) <= generation_;
  current_.Reset();
  if (of_older) POSTERN_LEDGER_TRY(KeepVersion(target, key.kind, key.key));
  return erase_.Bind(target, kind, key.key).Run();
}

Result<void> SqliteLedger::AllocateUids(std::span<const std::pair<std::string, uint32_t>> uids) {
  if (uids.empty()) return {};
  return Write([&]() -> Result<void> {
    auto insert = db_.Prepare("INSERT INTO uids VALUES (?, ?) ON CONFLICT DO NOTHING");
    if (!insert) return tl::unexpected<Error>(insert.error());
    for (const auto& [server, uid] : uids) {
      POSTERN_LEDGER_TRY(insert->Bind(server, uid).Run());
      if (db_.changes() != 1) {
        return Fail(ErrorCode::kConflict,
                    fmt::format("uid {} of server {} was given before", uid, server));
      }
    }
    return Append("uid", UidPayload(uids));
  });
}

Result<void> SqliteLedger::RecordCensus(std::span<const Census> census) {
  std::vector<Census> news;
  const auto known = LastCensus();
  if (!known) return tl::unexpected<Error>(known.error());
  for (const Census& row : census) {
    const bool same = std::any_of(known->begin(), known->end(), [&](const Census& old) {
      return old.kind == row.kind && old.count == row.count && old.target == row.target &&
             old.scope == row.scope;
    });
    if (!same) news.push_back(row);
  }
  if (news.empty()) return {};
  return Write([&]() -> Result<void> {
    auto put = db_.Prepare("REPLACE INTO census VALUES (?, ?, ?, ?)");
    if (!put) return tl::unexpected<Error>(put.error());
    for (const Census& row : news) {
      POSTERN_LEDGER_TRY(
          put->Bind(row.target, static_cast<int64_t>(row.kind), row.scope, row.count).Run());
    }
    return Append("census", CensusPayload(news));
  });
}

Result<void> SqliteLedger::RecordJob(const JobEvent& event, const RosterRow* roster) {
  return Write([&]() -> Result<void> {
    POSTERN_LEDGER_TRY(Append("job", JobPayload(event, roster)));
    if (roster == nullptr) return {};
    auto put = db_.Prepare("REPLACE INTO rosters VALUES (?, ?, ?, ?, ?)");
    if (!put) return tl::unexpected<Error>(put.error());
    return put
        ->Bind(roster->import, event.run, event.file_sha256,
               base::Hex(base::Sha256(roster->roster)), Blob{roster->roster})
        .Run();
  });
}

Result<void> SqliteLedger::FinishApply(uint64_t apply, const std::string& result) {
  base::KillPoint("ledger.before-finish");
  const bool done = result == "done";
  POSTERN_LEDGER_TRY(Write([&]() -> Result<void> {
    const uint64_t made = done ? generation_ + 1 : 0;
    auto finish = db_.Prepare(
        "UPDATE applies SET finished = ?1, result = ?2, generation = ?3 "
        "WHERE apply = ?4 AND finished = 0 AND (?3 = 0 OR intents = outcomes)");
    if (!finish) return tl::unexpected<Error>(finish.error());
    POSTERN_LEDGER_TRY(finish->Bind(now_, result, made, apply).Run());
    if (db_.changes() != 1) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("apply {} isn't open{}", apply, done ? ", or has open intents" : ""));
    }
    if (done) {
      auto insert = db_.Prepare("INSERT INTO generations VALUES (?, ?)");
      if (!insert) return tl::unexpected<Error>(insert.error());
      POSTERN_LEDGER_TRY(insert->Bind(made, apply).Run());
    }
    POSTERN_LEDGER_TRY(Append("apply-finished", FinishedPayload(apply, result, made)));
    return {};
  }));
  if (done) ++generation_;
  base::KillPoint("ledger.after-finish");
  return {};
}

}  // namespace postern::ledger
