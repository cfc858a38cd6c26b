// core/jobs/release.h: a second person's word for a held import.
//
// The text that is signed names job, run, file, plan and reason, so that a signature counts for
// exactly what was looked at, and for why. It is verified by `ssh-keygen -Y verify` (namespace
// postern-release) against the keys of the operator file's [releaser] tables, one table at a time;
// the person who started the run never counts. Threads: any; starts a process. Errors: kUnavailable
// when ssh-keygen can't be started. Sources: ssh-keygen(1) ALLOWED SIGNERS, PROTOCOL.sshsig.
#pragma once
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/config/declarations.h"

namespace postern::jobs {

inline constexpr char kReleaseNamespace[] = "postern-release";

struct HeldRun {
  std::string job, run, file, file_sha256, plan_digest;
  std::string started_by;  // user@machine
  // What else it waits for: while there is any, no release opens it.
  std::vector<std::string> others;
  // Who may have had that user run it, as user@machine: by the session's login, by sudo. None of
  // them may release it either; nobody is taken off by what stands here.
  std::vector<std::string> behind;
};

// What a releaser signs, with a line feed at its end. Without a reason: the form of releases before
// there was one, which stand in ledgers.
std::string ReleaseText(const HeldRun& held, const std::string& reason);
// Why a reason can't be taken; empty: it can. It is one line of a text that is signed.
std::string WhyNoReason(const std::string& reason);

// Whether `who` ("user@machine") is the person: by name, or by a login of an account or a directory
// entry of theirs.
bool IsSamePerson(const std::string& who, const std::string& person,
                  const config::Declarations& declarations);
// Whether the person started the run, himself or by another user.
bool HasStarted(const HeldRun& held, const std::string& person,
                const config::Declarations& declarations);

// "jobs@night", or "jobs@night for li@night": who started the run, for people.
std::string StarterOf(const HeldRun& held);

struct ReleaseVerdict {
  std::string releaser;  // name of the [releaser]; empty: it doesn't count
  std::string why;       // then
  // Then: it is somebody's signature over exactly this, and the key is no releaser's now.
  bool of_unknown_key = false;
};
// By `declarations.releasers`. `folder`: below which files for ssh-keygen may be written for the
// moment, in a folder of their own.
Result<ReleaseVerdict> VerifyRelease(const HeldRun& held, const std::string& reason,
                                     const std::string& signature,
                                     const config::Declarations& declarations,
                                     const std::string& folder);

}  // namespace postern::jobs
