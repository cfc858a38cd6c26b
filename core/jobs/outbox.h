// core/jobs/outbox.h: what a job has run and how far its files have come:
// STATE/jobs/NAME/outbox.db.
//
// SQLite in WAL mode with synchronous=FULL, as the ledger: what a call answered survives a crash.
// One thread and one process at a time (a run holds the job's lock); readers may be others. Errors:
// kIncomplete damaged, kConflict somebody else writes, kDenied no right to the file, kUnavailable
// the disk. Cost: about one fsync a change.
//
// A file at the place goes through kPrepared (its bytes and name are decided), kSent (all bytes are
// under the temporary name), kVerified (checked there; from here on a temporary name that is gone
// was renamed), kPlaced (under its final name). The parcel as a whole is kTriggered when all files
// of its order are placed, kAcknowledged when the receiver said so.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/jobs/terms.h"
#include "core/ledger/sqlite.h"

namespace postern::jobs {

enum class SendState : uint8_t {
  kPrepared = 1,
  kSent = 2,
  kVerified = 3,
  kPlaced = 4,
  kTriggered = 5,
  kAcknowledged = 6,
  kRejected = 7,  // the receiver said that it didn't take it
};
std::string_view ToString(SendState state);  // "prepared", "sent", ...

// hex of SHA-256 over job, slot, census and the digest of the terms, as neighbours that can't flow
// into each other: the same rows for somebody else, or in another form, are another run.
std::string RunId(std::string_view job, base::Instant slot, std::string_view census,
                  std::string_view terms = {});

// One run of the job. An export that changed nothing is a run, too (rows of the census, no file).
struct RunRow {
  std::string id;         // RunId
  uint64_t sequence = 0;  // 1, 2, ...; given by Begin; names files and orders deltas
  base::Instant slot = 0;
  std::string mode;  // "full", "delta"; what the engine says
  uint64_t rows = 0, bytes = 0;
  std::string sha256;  // of the delivered file, in hex
  std::string file;    // final name at the place; empty: none yet
  base::Instant started = 0;
  base::Instant ended = 0;  // 0: under way, or killed
  std::string outcome;      // "", "delivered", "acknowledged", "failed", "refused", "held", ...
  std::string error;
  std::string credential;  // fingerprint or name of what opened the place
  Terms terms;             // empty: begun by a program that didn't note them
};

// One file of a parcel: "file", "checksum", "trigger" or "manifest", or "set/PATH" of a set.
struct SentFile {
  std::string run, item;
  std::string path;       // final, at the place
  std::string temporary;  // at the place
  uint64_t bytes = 0;
  std::string sha256;
  SendState state = SendState::kPrepared;
};

// What stood under a name before a run was brought and couldn't be taken away.
struct Earlier {
  uint64_t bytes = 0;
  base::Instant modified = 0;
};

class Outbox {
 public:
  // Creates it (0600) and its folder when missing.
  static Result<std::unique_ptr<Outbox>> Open(const std::string& path);
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // ---- runs
  // A new run gets the next sequence and keeps `slot`, `mode`, `started`, `terms`; one that is
  // known is answered as it stands, with `started` as it was: a run that is begun again is the same
  // run.
  Result<RunRow> Begin(const RunRow& run);
  // Rewrites all but id, sequence, slot, started and terms. kNotFound: never begun.
  Result<void> Update(const RunRow& run);
  Result<std::optional<RunRow>> FindRun(std::string_view id);
  // Newest first by sequence.
  Result<std::vector<RunRow>> Runs(size_t limit);
  // The newest run whose parcel is triggered or acknowledged. With `acknowledged` only the latter;
  // with `receiver` only what went to the same one, into the same folder.
  Result<std::optional<RunRow>> LastDelivered(bool acknowledged = false,
                                              const Terms* receiver = nullptr);

  // ---- files under way
  // Idempotent; kConflict when the same item of the run was prepared with other bytes. The names
  // that it was prepared with stay, whatever is declared by now.
  Result<SentFile> Prepare(const SentFile& file);
  Result<void> SetFile(std::string_view run, std::string_view item, SendState state);
  Result<std::vector<SentFile>> FilesOf(std::string_view run);
  // An answer that stood at `path` before this run's file did; nothing: none.
  Result<void> SetEarlier(std::string_view run, std::string_view path,
                          const std::optional<Earlier>& there);
  Result<std::optional<Earlier>> EarlierAt(std::string_view run, std::string_view path);
  // The parcel's own state: kTriggered, kAcknowledged or kRejected; kPrepared before.
  Result<SendState> StateOf(std::string_view run);
  // When SetState was last called for it; 0: never.
  Result<base::Instant> StateSince(std::string_view run);
  Result<void> SetState(std::string_view run, SendState state, base::Instant at);
  // Retention forgets what it has removed at the place: the files stay known as removed.
  Result<void> MarkRemoved(std::string_view run);
  // Runs with something at the place (triggered, not removed), newest first. `to`: Terms::to.
  Result<std::vector<RunRow>> AtPlace(std::string_view to);
  // Files there of runs with this outcome that never came to their final name.
  Result<std::vector<SentFile>> Unplaced(std::string_view outcome, std::string_view to);
  // As if no file of the run had been prepared: made again, it may have other bytes.
  Result<void> ForgetFiles(std::string_view run);

 private:
  Outbox() = default;
  ledger::Database db_;
};

}  // namespace postern::jobs
