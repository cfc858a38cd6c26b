// core/ledger/ledger.h: what we own, and the event log that says how it came about.
//
// One append-only, hash-chained sequence of events; the tables of recorded objects are its
// projection, changed in the same transaction. SQLite in WAL mode with synchronous=FULL: what a
// call has returned survives a killed process and a power cut. Callers batch: one commit for a
// whole wave of intents and outcomes, so that the number of fsyncs doesn't follow the number of
// operations. Not thread-safe; one Ledger a thread. Readers go on while one apply writes.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/object/object.h"

namespace postern::ledger {

// What we last applied and saw confirmed for one object.
struct Recorded {
  object::Kind kind{};
  std::string key;
  std::string body;   // the fields that we manage, as read back; secrets never
  std::string id;     // the target's stable id at that time
  std::string owner;  // address of the declaration: "account:acme-in", "grant:access/a.toml:12"
  base::Instant retired_at = 0;  // disabled on removal, to be deleted after retention; 0: in use
  // HMAC(desired) and HMAC(stored server value) of the kind's secret field, hex; empty: none.
  std::string secret_desired, secret_stored;
  // The first generation that holds it like this; set by the ledger, ignored when it is written.
  uint64_t generation = 0;
};

// A step that is about to be carried out. Written before the call.
struct Intent {
  uint64_t step = 0;  // unique in its apply
  std::string target;
  object::Kind kind{};
  std::string key;
  std::string before, after;  // canonical bodies, secrets left out; empty: absent
  std::string phase;          // "revoke", "open", ...
  std::string owner;
};

// How it ended, with what to record. Exactly one of `record`, `erase` or neither (nothing changed).
struct Outcome {
  uint64_t step = 0;
  std::string status;  // applied, already-so, precondition-failed, transient, denied, unknown
  std::string message;
  std::string target;
  std::optional<Recorded> record;
  std::optional<object::ObjectKey> erase;
};

struct OpenIntent {
  uint64_t apply = 0;
  Intent intent;
  base::Instant at = 0;
};

struct ApplyStart {
  std::string plan_digest, intent_digest;  // hex
  std::string summary;                     // one line for `ledger list`
  std::string who;                         // user@machine
  std::string revision;                    // commit of the reviewed tree, empty: not known
  std::string plan;                        // the canonical plan bytes, for evidence
};

struct ApplyRow {
  uint64_t apply = 0;
  base::Instant started = 0, finished = 0;  // finished 0: open
  std::string plan_digest, intent_digest, summary, who, revision, result;
  uint64_t generation = 0;  // that it produced; 0: none
  uint64_t intents = 0, outcomes = 0, failed = 0;
};

struct Event {
  uint64_t sequence = 0;
  base::Instant at = 0;
  std::string type;     // created, apply-started, intent, outcome, apply-finished, census, uid, job
  std::string payload;  // JSON, one line; members by type in README.md
  base::Digest hash{};  // SHA-256 over the previous hash and this event's fields
};

// Last confirmed count of one (target, kind, scope), for the shrink bound.
struct Census {
  std::string target;
  object::Kind kind{};
  std::string scope;
  uint64_t count = 0;
};

// What a job did, or was allowed to do, beside its applies; evidence.
struct JobEvent {
  std::string job;   // "import.acme-roster"
  std::string run;   // its id
  std::string what;  // held, released, accepted, applied
  std::string who;   // user@machine, or the releaser
  std::string plan_digest, file_sha256;
  std::string note;       // why, for people
  std::string signature;  // of a release, as it was given
  std::string reason;     // of a release, as it was signed
  // Of what was applied and took access: from the file's fetching to the last disabling that was
  // confirmed.
  std::optional<uint64_t> locked_seconds;
};

// What an import last accepted, as core/config/roster.h takes it.
struct RosterRow {
  std::string import;  // its name
  std::string run, file_sha256;
  std::string roster;  // canonical bytes
};

// Held while one apply runs; an OS lock that dies with the process plus a row that says who holds
// it.
class Lock {
 public:
  virtual ~Lock() = default;
};

class Ledger {
 public:
  enum class Mode : uint8_t { kReadOnly, kReadWrite };
  // Creates the file (0600) and its folder with kReadWrite; kReadOnly on a missing file answers an
  // empty ledger (no id, no key). kIncomplete: the file is damaged or of a newer version (says
  // which).
  static Result<std::unique_ptr<Ledger>> Open(const std::string& path, Mode mode);
  virtual ~Ledger() = default;

  virtual const std::string& id() const = 0;  // random, fixed at creation; empty: nothing there yet
  virtual uint64_t generation() const = 0;
  // Key for HMACs over secrets; random, fixed at creation, never leaves the ledger's file.
  virtual const std::string& secret_key() const = 0;

  // Sorted by (kind, key).
  virtual Result<std::vector<Recorded>> RecordedOf(std::string_view target) = 0;
  // Names of all targets that have any, declared still or not; sorted.
  virtual Result<std::vector<std::string>> RecordedTargets() = 0;
  // As it was when `generation` was made, sorted alike. kNotFound: there is no such generation yet.
  virtual Result<std::vector<Recorded>> RecordedAt(uint64_t generation,
                                                   std::string_view target) = 0;
  virtual Result<std::vector<Census>> LastCensus() = 0;
  // Every numeric id ever allocated at a server: never given twice.
  virtual Result<std::vector<std::pair<std::string, uint32_t>>> AllocatedUids() = 0;

  // One apply at a time. kConflict names user, machine, process and start of the holder.
  virtual Result<std::unique_ptr<Lock>> Acquire(const std::string& who) = 0;
  virtual Result<uint64_t> BeginApply(const ApplyStart& start) = 0;
  // One transaction: outcomes of what is done, then intents of what comes next. Durable on return.
  // An outcome closes the intent of the same apply and step, once; recovery commits it to the apply
  // that left it, also when that one is finished. kInvalid, and nothing is written: an outcome
  // without an open intent, a step announced twice, an intent in a finished apply. Cost: one fsync,
  // about 10 microseconds a row.
  virtual Result<void> Commit(uint64_t apply, std::span<const Outcome> outcomes,
                              std::span<const Intent> intents) = 0;
  // kConflict: one was given before; then none is.
  virtual Result<void> AllocateUids(std::span<const std::pair<std::string, uint32_t>> uids) = 0;
  // Rows that say nothing new are left out; without any other no event is written.
  virtual Result<void> RecordCensus(std::span<const Census> census) = 0;
  // By import. kConflict: a roster isn't the one that its event names.
  virtual Result<std::vector<RosterRow>> Rosters() = 0;
  // One transaction: the event, and with a roster its row in place of the import's last one.
  virtual Result<void> RecordJob(const JobEvent& event, const RosterRow* roster) = 0;

  // `result`: "done", or in a word what else. "done" makes a new generation: what is recorded now
  // is the whole desired state, kept for RecordedAt. kInvalid: finished before, or "done" with open
  // intents.
  virtual Result<void> FinishApply(uint64_t apply, const std::string& result) = 0;

  // Intents of earlier applies without an outcome: what a killed apply left.
  virtual Result<std::vector<OpenIntent>> OpenIntents() = 0;
  virtual Result<std::vector<ApplyRow>> Applies(size_t newest) = 0;  // newest first
  // By number, else by the first hex digits (4 or more) of the plan's digest: the newest apply of
  // that plan. kInvalid: the digits fit several plans.
  virtual Result<std::optional<ApplyRow>> FindApply(std::string_view number_or_digest) = 0;
  virtual Result<std::string> PlanOf(uint64_t apply) = 0;
  virtual Result<void> Events(uint64_t from, const std::function<bool(const Event&)>& sink) = 0;
  // Recomputes the whole chain and the projection; answers the number of events. kConflict: the
  // first place that doesn't fit, with the event's sequence and what differs; kIncomplete: a
  // damaged file. Cost: about 10 microseconds and 500 bytes of memory an event; writers go on.
  virtual Result<uint64_t> Verify() = 0;
};

}  // namespace postern::ledger
