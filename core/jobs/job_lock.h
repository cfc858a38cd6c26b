// core/jobs/job_lock.h: one run of a job at a time.
//
// flock on the job's lock file: it goes with the process, so a kill leaves nothing to clean up. The
// file holds one line, "PID START" (core/jobs/spec.h), for those who look. Whoever takes it draws
// a fencing token, the last one plus one; a run whose token isn't the newest any more (somebody has
// removed the lock file under it) must not publish. One thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/result.h"

namespace postern::jobs {

class JobLock {
 public:
  // `path`: of the lock file; the token stands beside it in `fence`. kConflict: a run holds it, the
  // message says which process.
  static Result<std::unique_ptr<JobLock>> Take(const std::string& path);
  ~JobLock();
  JobLock(const JobLock&) = delete;
  JobLock& operator=(const JobLock&) = delete;

  uint64_t token() const { return token_; }
  // kConflict when another run has come since. Before anything is published.
  Result<void> Check() const;

 private:
  JobLock(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Result<void> Draw();

  const std::string path_;
  const int file_;
  uint64_t token_ = 0;
};

}  // namespace postern::jobs
