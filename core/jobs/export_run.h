// core/jobs/export_run.h: one waking of an export: what is due is made and delivered, once.
//
// Order: take the lock; outside the job's time refuse; deliver what earlier runs prepared and
// couldn't bring over; ask DueSlots; of each slot make the file (core/jobs/export_file.h) and
// deliver it (core/jobs/deliver.h); note the outcome; retention. Killed anywhere and woken again it
// goes on where it stood: a prepared run has its name and bytes for ever, and a run that isn't
// prepared has sent nothing. What an earlier run prepared goes only under the terms that it was
// made by (core/jobs/terms.h). One thread; blocks as long as the receiver's answer is waited for.
// Errors: kConflict when a run is running already.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/diag/diagnostic.h"
#include "core/jobs/export_file.h"
#include "core/jobs/history.h"
#include "core/jobs/job_lock.h"
#include "core/jobs/schedule/schedule.h"

namespace postern::jobs {

struct Asked {
  std::optional<base::Instant> slot;  // this one alone, due or not
  bool full = false;                  // also where a delta would do
  std::string digest;                 // of the specification
};

struct SlotReport {
  base::Instant slot = 0;
  std::string outcome;  // of history.h
  std::string why;
  Manifest manifest;  // of a run
  uint64_t rows = 0;
  std::string credential;
};

struct RunReport {
  std::vector<SlotReport> slots;      // in order; runs that were delivered late come first
  std::vector<base::Instant> missed;  // passed over, as catch_up says
  std::optional<base::Instant> next;  // after now; unset: no schedule
};

class ExportRun {
 public:
  // All outlive it. `folder`: FolderOf(spec.runner, spec.name); it exists.
  ExportRun(const job::JobSpec& spec, Asked asked, std::string folder, const Ports& ports,
            diag::Diagnostics* diagnostics);

  Result<RunReport> Run();

 private:
  Result<Due> FindDue();
  Result<void> RefuseClosed(const std::string& why, RunReport* report);
  Result<void> RunDue(RunReport* report);
  // export_earlier.cc: runs that were begun before this waking.
  Result<void> FinishEarlier(RunReport* report);
  enum class Fate : uint8_t { kFinish, kDelivered, kLetGo };
  Result<Fate> FateOf(const RunRow& run);
  Result<bool> StandsThere(const SentFile& file);
  Result<void> StopAt(const RunRow& run, const Manifest& manifest, const Error& error,
                      RunReport* report);
  Result<void> LetGo(RunRow run);
  Result<void> LookForAnswers();
  Result<std::set<std::string>> NamesUnderWay();
  Result<void> LookForAnswer(RunRow run);
  Result<void> Abandon();
  Result<void> RunSlot(base::Instant slot, RunReport* report);
  Result<SlotReport> Bring(const Manifest& manifest, const std::string& bytes);
  Result<SendState> Send(const Parcel& parcel, std::string* credential);
  void TellUndelivered(const Manifest& manifest, const Error& error);
  Result<void> OpenPlace();
  Parcel ParcelFor(const Manifest& manifest, const std::string& bytes) const;
  Result<bool> WantsFull();
  Result<void> Note(const SlotReport& slot);
  Result<void> KeepOrder();
  CatchUp ModeOfCatchUp() const;

  const job::JobSpec& spec_;
  const Asked asked_;
  const std::string folder_;
  const Ports& ports_;
  diag::Diagnostics* const diagnostics_;
  const Terms terms_;
  std::unique_ptr<JobLock> lock_;
  std::unique_ptr<Outbox> outbox_;
  Ports::OpenedAt place_;
  std::set<std::string> told_;  // credentials that are left out
  std::optional<Schedule> schedule_;
};

}  // namespace postern::jobs
