// cmd/postern/job_alert.h: tells somebody that a run ended badly, or well again.
//
// What tells is a program that the operator's file names at the runner (logger, sendmail, curl with
// a webhook's address): it starts as the job's user in a clean environment, gets the run as JSON on
// its standard input and 60 seconds. FOLDER/alert.json holds what was told last and goes with the
// first run that did something good, which is told as "recovered". That nobody could be told is a
// warning (W0862) and doesn't change what the run's exit code says. A run that is killed tells
// nothing: its silence is what `postern drift` and `job status --metrics` show.
#pragma once
#include <string>

#include "cmd/postern/shell.h"
#include "core/base/time.h"
#include "schemas/job.pb.h"

namespace postern::cmd {

struct EndedRun {
  const job::JobSpec& spec;
  std::string folder;    // STATE/jobs/NAME
  base::Instant at = 0;  // when it began
  int exit = 0;
  bool missed = false;      // slots were passed over
  bool overlapped = false;  // it did nothing, as another run of the job goes on
};

// Starts the program where there is something to tell. Main thread.
void AlertOf(Shell& shell, const EndedRun& run);

}  // namespace postern::cmd
