#include "providers/filetransfer/server/checker.h"

#include <fmt/format.h>

#include "core/base/hash.h"

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

Result<void> RunChecker(Transport& transport, const Candidate& candidate, std::string_view name,
                        const std::function<std::string(const std::string&)>& words) {
  std::string input;
  for (const auto& [path, content] : candidate.files) {
    input += fmt::format("{}\n{}\n{}", content.size(), path, content);
  }
  std::vector<std::string> args = {candidate.folder};
  args.insert(args.end(), candidate.command.begin(), candidate.command.end());
  auto answer = transport.Exec({.script = kCheckScript, .args = args, .input = input});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 0) return {};
  std::string line = words(answer->err);
  line = line.substr(0, line.find('\n'));
  if (line.empty()) line = "it gives no reason";
  const std::string& folder = candidate.folder;
  for (size_t found = line.find(folder); found != std::string::npos; found = line.find(folder)) {
    line.replace(found, folder.size(), "(candidate)");
  }
  return Fail(ErrorCode::kDenied,
              fmt::format("{} refuses the new include, nothing was changed: {}", name, line));
}

}  // namespace postern::filetransfer
