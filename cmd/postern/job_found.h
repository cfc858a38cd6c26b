// cmd/postern/job_found.h: the job that `postern job run`, `history` and `verify` are asked about,
// by its sealed specification. Main thread.
#pragma once
#include <string>

#include "cmd/postern/command.h"
#include "schemas/job.pb.h"

namespace postern::cmd {

struct JobArguments {
  std::string name, spec, digest, slot, run, as_of;
  bool full = false, detail = false;
};

// A job's specification, as it is installed or as a file says.
struct FoundJob {
  job::JobSpec spec;
  std::string digest, folder;
};

// NAME, --spec and --digest, into `given`.
Arguments JobArgumentsOf(JobArguments* given);

// kOk, or the exit code. What has an import's ledger is the operator's file that its runner names,
// where the command line names none and none is here.
int FindJob(Shell& shell, const JobArguments& arguments, FoundJob* found);

}  // namespace postern::cmd
