// core/jobs/import_read.h: the rows of a fetched file, whatever it is sealed and packed in.
//
// What was sealed or packed is in the clear, in quarantine, for as long as it is read. One thread.
#pragma once
#include <string>

#include "core/jobs/intake.h"
#include "core/jobs/quarantine.h"
#include "core/jobs/roster.h"

namespace postern::jobs {

struct ReadInput {
  const decl::Import& import;
  const decl::Endpoint& from;  // whose keys open it
  const std::string& folder;   // STATE/jobs/NAME
  const ReadyFile& file;
  uint64_t most_bytes = 0;
  uint64_t last = 0;  // the sequence that was accepted last; 0: none
};

// Errors: kAuthentication a signature that doesn't fit, kInvalid and kIncomplete a broken seal or
// packing; others are those of the disk and of gpg and age.
Result<RosterFile> ReadFetched(const ReadInput& input, const Fetched& fetched,
                               const Quarantine& quarantine);

}  // namespace postern::jobs
