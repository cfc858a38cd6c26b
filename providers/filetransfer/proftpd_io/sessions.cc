#include "providers/filetransfer/proftpd_io/sessions.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace postern::filetransfer {
namespace {

using Json = nlohmann::json;

// Arguments: scoreboard or "", "stopped" when no daemon runs: one that was stopped has ended its
// sessions and removed its scoreboard; one that died leaves both. Prints ftpwho's JSON, NUL, then
// "PID START" of each process in it.
constexpr std::string_view kListScript = R"sh(
if [ "$2" = stopped ] && [ -n "$1" ] && [ ! -e "$1" ]; then printf '{"connections":[]}\0'; exit 0; fi
command -v ftpwho >/dev/null || { echo 'ftpwho is not installed' >&2; exit 127; }
out=$(ftpwho -o json ${1:+-f "$1"}) || exit 1
printf '%s\0' "$out"
for pid in $(printf '%s\n' "$out" | sed -n 's/.*"pid": *\([0-9][0-9]*\).*/\1/p'); do
  s=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
  s=${s##*) }
  set -- $s
  echo "$pid ${20}"
done
)sh";

// Argument: the daemon. Input: lines "PID START".
constexpr std::string_view kEndScript = R"sh(
daemon=$1
is_ours() {
  s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  case $s in *'(proftpd)'*) ;; *) return 1 ;; esac
  want=$2
  s=${s##*) }
  set -- $s
  [ "$2" = "$daemon" ] && [ "${20}" = "$want" ] && [ "$1" != Z ]
}
todo=$(cat)
signal() {
  left=
  while read -r pid start; do
    if is_ours "$pid" "$start"; then left=1; kill -s "$1" "$pid" || exit 3; fi
  done <<EOT
$todo
EOT
}
signal TERM
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
  signal 0
  [ -n "$left" ] || exit 0
  sleep 0.2
done
signal KILL
)sh";

std::string Text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

int64_t Number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

}  // namespace

Result<std::vector<OpenSession>> ListSessions(Transport& transport, const std::string& scoreboard,
                                              bool daemon_runs) {
  auto answer = transport.Exec(
      {.script = kListScript, .args = {scoreboard, daemon_runs ? "running" : "stopped"}});
  if (!answer) return tl::unexpected(answer.error());
  const size_t end = answer->out.find('\0');
  if (answer->status != 0 || end == std::string::npos) {
    return Fail(ErrorCode::kUnsupported,
                "sessions can't be listed: " + answer->err.substr(0, answer->err.find('\n')));
  }
  std::map<int, uint64_t> starts;
  std::istringstream lines(answer->out.substr(end + 1));
  int pid = 0;
  uint64_t start = 0;
  while (lines >> pid >> start) starts[pid] = start;

  const Json json = Json::parse(answer->out.substr(0, end), nullptr, false);
  if (!json.is_object() || !json.contains("connections") || !json["connections"].is_array()) {
    return Fail(ErrorCode::kIncomplete, "ftpwho printed something that isn't its JSON");
  }
  std::vector<OpenSession> out;
  for (const Json& connection : json["connections"]) {
    OpenSession session;
    session.login = Text(connection, "user");
    session.pid = static_cast<int>(Number(connection, "pid"));
    const auto found = starts.find(session.pid);
    // Not logged in yet, or ended between the two reads.
    if (session.login.empty() || session.login == "(none)" || found == starts.end()) continue;
    session.start = found->second;
    session.id = fmt::format("{}.{}", session.pid, session.start);
    session.address = Text(connection, "remote_address");
    session.protocol = Text(connection, "protocol");
    session.since = Number(connection, "connected_since_ms") / 1000;
    out.push_back(std::move(session));
  }
  return out;
}

Result<void> EndSessions(Transport& transport, const std::vector<OpenSession>& sessions,
                         int daemon_pid) {
  std::string input;
  for (const OpenSession& session : sessions) {
    input += fmt::format("{} {}\n", session.pid, session.start);
  }
  auto done = RunBatch(
      transport, {.script = kEndScript, .args = {std::to_string(daemon_pid)}, .input = input});
  if (!done) return base::Wrap("end sessions", done.error());
  return {};
}

}  // namespace postern::filetransfer
