// core/jobs/import_close.h: what a sender hears of his file, and the way of one that is done with
// into the archive.
//
// The sender may replace a file while it is worked on: what stands at the place is moved only when
// it is what was fetched. What is being moved stands in IN/moving.json until all of it is, because
// a file without its trigger would be waited for, and a trigger without its file would make the
// next one complete before it is. One thread. Errors are those of the place and the disk.
#pragma once
#include <string>

#include "core/jobs/intake.h"
#include "core/jobs/quarantine.h"

namespace postern::jobs {

class Closing {
 public:
  Closing(const decl::Import& import, const Quarantine& quarantine, Place& place)
      : import_(import), fetch_(import.fetch()), quarantine_(quarantine), place_(place) {}

  // The summary and the refused rows, to the sender.
  Result<void> Report(const FileOutcome& file) const;
  // Keeps the file's last state and moves it, as `taken` says it was, to the archive. False:
  // another one is there under its name, and stays.
  Result<bool> Close(const FileOutcome& file, const TakenFile& taken) const;
  // What a killed run began to move.
  Result<void> Finish() const;
  // What was kept for long enough goes, here and in the archive, never what is of `last`; why some
  // of it stays goes to `notes`.
  void CleanUp(const decl::AcceptedRoster& last, base::Instant now,
               std::vector<std::string>* notes) const;

 private:
  Result<void> Send(const std::string& name, const std::string& text) const;
  Result<bool> Archive(const TakenFile& taken) const;
  std::string MovingPath() const { return quarantine_.folder() + "/moving.json"; }

  const decl::Import& import_;
  const decl::Fetch& fetch_;
  const Quarantine& quarantine_;
  Place& place_;
};

}  // namespace postern::jobs
