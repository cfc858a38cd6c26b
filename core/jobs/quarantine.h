// core/jobs/quarantine.h: the files that an import took, and how far each of them has come.
//
// IN/KEY/ holds `file` (as it came, 0600), `rejects.csv`, `changes` and `state.json`; the key is of
// its name, its sequence and its bytes (import_order.h). What a file did is known for ever, its
// bytes and its people's rows for as long as `keep` says. One thread. Errors are those of the disk.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/jobs/match.h"
#include "core/jobs/release.h"

namespace postern::jobs {

enum class FileState : uint8_t { kWaiting, kRefused, kHeld, kAccepted, kApplied, kDone, kOld };
std::string_view ToString(FileState state);

struct FileOutcome {
  std::string name, sha256, key, run;
  FileState state = FileState::kWaiting;
  std::vector<std::string> reasons;   // of refused, held
  std::vector<std::string> warnings;  // of rows that were taken: look at them
  const char* code = "";              // of core/diag/codes.h, where one stands for all reasons
  bool ours = false;                  // the reasons are nothing that concerns its sender; of a
                                      // held file also: nothing that a release opens
  size_t untold = 0;                  // of the reasons of a held file, the last ones: who would get
                                      // which access is nothing for its sender
  bool taken = false;                 // at some time; what is old may never have been
  bool passed_over = false;           // old and never taken, and its sender wasn't told so far
  RosterCounts counts;
  std::string plan_digest, view;
  std::string started_by;
  std::vector<std::string> behind;  // of release.h
  base::Instant taken_at = 0;  // when its bytes were first here: ends are counted from then, so
                               // that a held plan is the same tomorrow
  uint64_t bytes = 0;          // 0: taken by a program that didn't note them
  // By the clock: when it was fetched, came to its state, and the last disabling of it was
  // confirmed. 0: not yet, or not noted.
  base::Instant fetched_at = 0, ended = 0, locked_at = 0;
};

// From the fetching of a file that somebody leaves with to the last disabling that was confirmed.
std::optional<uint64_t> LockedSeconds(const FileOutcome& file);
// As a releaser is asked about it; `job`: "import.acme".
HeldRun HeldOf(const std::string& job, const FileOutcome& file);

// summary.json for the sender: counts, state, run, reasons that are his; no personal data.
std::string SummaryFile(const FileOutcome& outcome);

class Quarantine {
 public:
  // `folder`: STATE/jobs/NAME/in
  explicit Quarantine(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }
  // All that it knows, in no order. A state that can't be read is none.
  Result<std::vector<FileOutcome>> Files() const;
  // The bytes of a file, for as long as they are kept.
  std::string FilePath(const std::string& key) const { return PathOf(key, "file"); }
  // Nothing: it wasn't taken so far.
  Result<std::optional<FileOutcome>> Find(const std::string& key) const;
  Result<void> Save(const FileOutcome& file) const;
  // As for the sender; empty: none were kept.
  Result<void> KeepRejects(const std::string& key, const std::vector<RefusedRow>& refused) const;
  Result<std::string> Rejects(const std::string& key) const;
  // Of the changes that the file was accepted for (core/plan/import_scope.h).
  Result<void> KeepMarks(const std::string& key, const std::vector<std::string>& marks) const;
  Result<std::vector<std::string>> Marks(const std::string& key) const;
  // Those of the file that was accepted last.
  Result<std::vector<std::string>> MarksOf(const decl::AcceptedRoster& last) const;
  // Where what is in a sealed or packed file is for as long as it is read.
  std::string OpenedPath(const std::string& key) const { return PathOf(key, "opened"); }
  std::string UnpackedPath(const std::string& key) const { return PathOf(key, "unpacked"); }
  // What a killed run left there.
  void ForgetOpened() const;
  // As if it had never come.
  void Drop(const std::string& key) const;
  // Removes bytes and rejects of files that are over and were taken longer ago than `keep` says;
  // never those of `last`, the file that counts now. How many files that were.
  Result<size_t> CleanUp(const decl::Keep& keep, base::Instant now,
                         const decl::AcceptedRoster& last) const;
  // A held run of `import`, by its id or the first digits of it (four or more).
  Result<std::optional<HeldRun>> FindHeld(const std::string& import, const std::string& run) const;

 private:
  std::string PathOf(const std::string& key, const char* name) const {
    return folder_ + "/" + key + "/" + name;
  }
  std::vector<std::string> All() const;  // their keys

  std::string folder_;
};

}  // namespace postern::jobs
