// core/jobs/terms.h: under which terms a run was made. Pure; any thread.
//
// A run that couldn't be delivered outlives the specification that it was made by: it goes out only
// while the terms are the same, and a delta is of what the same receiver has.
#pragma once
#include <string>

#include "schemas/job.pb.h"

namespace postern::jobs {

struct Terms {
  std::string to;      // for whom and where: "partner:acme at sftp://wong@files.acme.test:2222"
  std::string folder;  // there
  std::string rows;    // hash of what says which rows
  std::string form;    // hash of what each of them becomes: columns, format, encryption, names

  bool SameReceiver(const Terms& other) const { return to == other.to && folder == other.folder; }
  bool operator==(const Terms&) const = default;
};

// Of an export.
Terms TermsOf(const job::JobSpec& spec);
// 16 hex digits for a manifest; empty: there are none.
std::string DigestOf(const Terms& terms);
// "partner:acme at sftp://wong@files.acme.test:2222, /in", for people.
std::string Describe(const Terms& terms);

}  // namespace postern::jobs
