#include "providers/filetransfer/server/checker.h"

#include <fmt/format.h>

#include "core/base/hash.h"
#include "providers/filetransfer/server/daemon_reason.h"

namespace postern::filetransfer {
namespace {

// Arguments: scratch folder, then the checker. Input: "SIZE", path, bytes, for each file. The
// scratch folder is ours alone and goes with the shell. The checker gets no standard input: proftpd
// takes a socket there for a client's and then says nothing on standard error.
constexpr std::string_view kCheckScript = R"sh(
folder=$1; shift
mkdir -m 700 -- "$folder" || exit 3
trap 'rm -rf -- "$folder"' EXIT
while read -r size && IFS= read -r path; do head -c "$size" >"$path" || exit 3; done
program=$(command -v "$1") || { echo "$1: not found" >&2; exit 127; }
shift
"$program" "$@" </dev/null >&2 || exit 5
)sh";

}  // namespace

std::string ScratchFolder() {
  return fmt::format("/tmp/.postern-check-{}", base::Hex(base::RandomBytes(8)));
}

Result<void> RunChecker(Transport& transport, const Candidate& candidate, std::string_view name) {
  std::string input;
  for (const CandidateFile& file : candidate.files) {
    input += fmt::format("{}\n{}\n{}", file.content.size(), file.path, file.content);
  }
  std::vector<std::string> args = {candidate.folder};
  args.insert(args.end(), candidate.command.begin(), candidate.command.end());
  auto answer = transport.Exec({.script = kCheckScript, .args = args, .input = input});
  if (!answer) return tl::unexpected(answer.error());
  std::string line = answer->status == 0 ? FatalReason(answer->err) : CheckerReason(answer->err);
  if (answer->status == 0 && line.empty()) return {};
  if (line.empty()) line = "it gives no reason";
  // The reader knows the files where they stand, and no scratch folder.
  for (const CandidateFile& file : candidate.files) {
    for (size_t at = line.find(file.path); at != std::string::npos; at = line.find(file.path)) {
      line.replace(at, file.path.size(), file.of);
    }
  }
  return Fail(ErrorCode::kDenied,
              fmt::format("{} refuses the new include, nothing was changed: {}", name, line));
}

}  // namespace postern::filetransfer
