// core/jobs/history.h: what a job has done, beside its runs: what became of slots, and the proof.
//
// Runs stand in the outbox. FOLDER/events.jsonl has a line for each slot that gave no file (missed,
// refused, nothing to tell, failed before there was a run), appended and flushed; FOLDER/last.json
// is what plan and drift look at (schemas/job.proto, LastRun). One writer, which holds the job's
// lock; readers any time. A last line that a kill cut off is left out.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/jobs/outbox.h"
#include "schemas/job.pb.h"

namespace postern::jobs {

// Outcomes of runs and events.
inline constexpr char kDeliveredOutcome[] = "delivered";
inline constexpr char kAcknowledgedOutcome[] = "acknowledged";
inline constexpr char kRejectedOutcome[] = "rejected";      // the receiver said so
inline constexpr char kUnansweredOutcome[] = "unanswered";  // delivered, and no answer in time
inline constexpr char kApplied[] = "applied";               // an import's file
inline constexpr char kFailed[] = "failed";
inline constexpr char kRefused[] = "refused";  // a check kept it from being published
inline constexpr char kNothing[] =
    "nothing";                               // a delta without a change; no new file for an import
inline constexpr char kMissed[] = "missed";  // passed over, as catch_up says
inline constexpr char kAbandoned[] =
    "abandoned";  // killed before its file was whole, or made for what isn't declared any more

// A line of events.jsonl. An import has no slots: `slot` is `at` then.
struct Event {
  base::Instant at = 0, slot = 0;
  std::string outcome;
  uint64_t rows = 0;
  std::string why;
};

Result<void> AddEvent(const std::string& folder, const Event& event);
// Likewise, unless one of the newest says it already: what stays as it is would be said at each
// look.
Result<void> AddNews(const std::string& folder, const Event& event);
Result<std::vector<Event>> ReadEvents(const std::string& folder);

// The newest slot that has come to an end: the next ones are due after it. 0: none has.
base::Instant LastSlot(const std::vector<Event>& events, const std::vector<RunRow>& runs);

// The outcome of a run whose parcel came so far; `answered`: an answer was waited for.
const char* OutcomeOf(SendState state, bool answered);
// Whether a run of this outcome did what it is for.
bool IsGood(std::string_view outcome);
// Replaces last.json; `good` is kept from the one before unless this run is good.
Result<void> WriteLast(const std::string& path, job::LastRun last);
// kNotFound: no run has ended yet.
Result<job::LastRun> ReadLast(const std::string& path);

// What doesn't hold of a run's evidence, one line each; empty: all does. `notes` gets what was
// looked at. Offline: the run, its manifest, the kept file, the installed specification. `unsent`:
// what was prepared for the place and never got its final name there.
struct Evidence {
  std::vector<std::string> faults, checked, missing, unsent;
};
// A kept file against what is said of it; `bytes` 0: not said. `name` as messages have it.
void CheckKeptFile(const std::string& path, const std::string& name, uint64_t bytes,
                   const std::string& sha256, Evidence* evidence);
Evidence CheckEvidence(const std::string& folder, const RunRow& run,
                       const std::vector<SentFile>& files);

}  // namespace postern::jobs
