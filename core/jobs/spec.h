// core/jobs/spec.h: the sealed specification of a job: what is installed on a runner, and nothing
// else is what a run goes by.
//
// Canonical JSON: members in the order of their field numbers, only what is set, two blanks of
// indent, one line feed at the end; the same message gives the same bytes. The digest is over those
// bytes. Holds no value of a secret, only where one is found. Pure; any thread. Source of the form:
// protobuf's JSON mapping with the names of the fields as they are in schemas/job.proto.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"
#include "core/base/time.h"
#include "schemas/job.pb.h"

namespace postern::jobs {

inline constexpr uint32_t kSpecVersion = 1;
inline constexpr char kDefaultState[] = "/var/lib/postern";
inline constexpr char kDefaultProgram[] = "/usr/bin/postern";
inline constexpr char kDefaultOperatorFile[] = "/etc/postern/operator/postern.toml";

struct Sealed {
  std::string bytes;
  std::string digest;  // "sha256:" and 64 hex digits, over the bytes
};

// The version is set here. Aborts when the message has no name, or not one of export and import.
Sealed Seal(job::JobSpec spec);
// The same job as `sealed`, whatever their seals (ledger, generation, commit, time) say.
bool SameJob(std::string_view sealed, const job::JobSpec& spec);
// The bytes without their seal, for digests that a later generation mustn't move; the text as it is
// where it isn't a specification.
std::string WithoutSeal(std::string_view bytes);

// "sha256:..."
std::string DigestOf(std::string_view bytes);
// kConflict: the bytes have another digest. kInvalid: not a specification, or of a newer version.
Result<job::JobSpec> ReadSpec(std::string_view bytes, std::string_view digest);
// Without a digest to hold it against: for showing what is there.
Result<job::JobSpec> ParseSpec(std::string_view bytes);

// Why nothing may be carried at `now`, as what is said of the job; empty: it may. A timer that
// fires after the end, a waking by hand and a file that waits all ask this.
std::string WhyClosed(const job::JobSpec& spec, base::Instant now);

// Where things are on a runner: STATE/jobs/NAME/ holds spec.json, last.json, lock, out/, in/.
std::string StateOf(const decl::Runner& runner);
std::string FolderOf(const decl::Runner& runner, std::string_view job);
std::string SpecPathOf(const decl::Runner& runner, std::string_view job);
// `lock`: held by a run (flock) with one line in it, "PID START": process id and the start time of
// that process as in field 22 of /proc/PID/stat.
std::string LockPathOf(const decl::Runner& runner, std::string_view job);
std::string LastRunPathOf(const decl::Runner& runner, std::string_view job);
// Outcome of an import's run whose file waits for a second person; others: history.h.
inline constexpr char kHeldOutcome[] = "held";
// For those who look at a runner: the outcome, and of a held file the run to release behind it.
std::string ShownOutcome(const job::LastRun& last);
// What ShownOutcome says, taken apart; the run is empty where none is held.
std::pair<std::string, std::string> OutcomeAndRun(const std::string& shown);
// What imports there plan and apply with.
std::string OperatorFileOf(const decl::Runner& runner);

// How much one file of an import may do before a second person must look, every number set.
decl::Thresholds ThresholdsOf(const decl::Import& import);

}  // namespace postern::jobs
