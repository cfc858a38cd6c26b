// core/jobs/release.h: a second person's word for a held import.
//
// The text that is signed names job, run, file and plan, so that a signature counts for exactly
// what was looked at. It is verified by `ssh-keygen -Y verify` (namespace postern-release) against
// the keys of the operator file's [releaser] tables, one table at a time; the person
// who started the run never counts. Threads: any; starts a process. Errors: kUnavailable when
// ssh-keygen can't be started. Sources: ssh-keygen(1) ALLOWED SIGNERS, PROTOCOL.sshsig.
#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/config/declarations.h"

namespace postern::jobs {

inline constexpr char kReleaseNamespace[] = "postern-release";

struct HeldRun {
  std::string job, run, file, file_sha256, plan_digest;
  std::string started_by;  // "person:li.wong", or user@machine
  // What else it waits for: while there is any, no release opens it.
  std::vector<std::string> others;
};

// What a releaser signs, with a line feed at its end.
std::string ReleaseText(const HeldRun& held);

// Whether `who` ("user@machine") is the person: by name, or by a login of an account of theirs.
bool IsSamePerson(const std::string& who, const std::string& person,
                  const config::Declarations& declarations);

struct ReleaseVerdict {
  std::string releaser;  // name of the [releaser]; empty: it doesn't count
  std::string why;       // then
};
// By `declarations.releasers`. `folder`: where files for ssh-keygen may be written for the moment
// (0700).
Result<ReleaseVerdict> VerifyRelease(const HeldRun& held, const std::string& signature,
                                     const config::Declarations& declarations,
                                     const std::string& folder);

}  // namespace postern::jobs
