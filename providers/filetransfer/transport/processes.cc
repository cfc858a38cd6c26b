#include "providers/filetransfer/transport/processes.h"

#include <fmt/format.h>

#include <string>

namespace postern::filetransfer {
namespace {

// Arguments: grace in tenths of a second, the user or nothing. Input: lines "PID START". Prints the
// pids that are left. A process that ends between the look and the signal is no failure; one that
// the signal may not reach stays and is printed.
constexpr std::string_view kEndScript = R"sh(
grace=$1; user=$2
is_it() {
  [ -z "$user" ] || [ "$(stat -c %U "/proc/$1" 2>/dev/null)" = "$user" ] || return 1
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  want=$2
  s=${s##*) }
  set -- $s
  [ "${20}" = "$want" ] && [ "$1" != Z ]
}
todo=$(cat)
signal() {
  left=
  while read -r pid start; do
    is_it "$pid" "$start" || continue
    left="$left $pid"
    kill -s "$1" "$pid" 2>/dev/null
  done <<EOT
$todo
EOT
}
wait_for() {
  i=0
  while signal 0; [ -n "$left" ] && [ "$i" -lt "$1" ]; do sleep 0.1; i=$((i + 1)); done
}
signal TERM
wait_for "$grace"
[ -n "$left" ] || exit 0
signal KILL
wait_for 50
echo "$left"
)sh";

}  // namespace

Result<void> EndProcesses(Transport& transport, const std::vector<StartedProcess>& processes,
                          int grace_seconds, std::string_view user) {
  if (processes.empty()) return {};
  Batch batch;
  batch.script = kEndScript;
  batch.args = {std::to_string(grace_seconds * 10), std::string(user)};
  std::string list;
  for (const StartedProcess& one : processes) list += fmt::format("{} {}\n", one.pid, one.start);
  batch.input = list;
  auto left = RunBatch(transport, batch);
  if (!left) return tl::unexpected(left.error());
  const size_t first = left->find_first_not_of(" \n");
  if (first == std::string::npos) return {};
  const size_t end = left->find_last_not_of(" \n") + 1;
  return Fail(ErrorCode::kDenied,
              fmt::format("still there after KILL: process {}", left->substr(first, end - first)));
}

}  // namespace postern::filetransfer
