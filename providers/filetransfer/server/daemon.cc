#include "providers/filetransfer/server/daemon.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include "core/base/kill_point.h"
#include "providers/filetransfer/server/daemon_reason.h"

namespace postern::filetransfer {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSettle{2000};
// From the end of a process that goes to the background to its child's pid file.
constexpr milliseconds kHandover{3000};

// Arguments: unit or "-", pidfile, the configuration's ports (",0015,A489,"), its control socket,
// the program's name.
// Prints "PID STATE START UID GID", then "LOCAL-ADDRESS INODE" of each socket that the process
// listens on (hexadecimal, as /proc/net/tcp has them). The daemon forbids dumps, so without root
// nobody sees its descriptors, not even its own user: then what listens where the configuration
// says is its.
constexpr std::string_view kStateScript = R"sh(
ports=$3 control=$4 program=$5
export ports control
if [ "$1" != - ]; then
  command -v systemctl >/dev/null || { echo "systemctl isn't there, and control names a unit" >&2; exit 9; }
  pid=$(systemctl show -p MainPID --value "$1") || exit 9
else
  { read -r pid <"$2"; } 2>/dev/null
fi
pid=${pid%%[!0-9]*}
[ -n "$pid" ] && [ "$pid" != 0 ] || exit 0
{ read -r s <"/proc/$pid/stat"; } 2>/dev/null || exit 0
case $s in *"($program)"*) ;; *) exit 0 ;; esac
uid=0 gid=0
{
  while read -r key id rest; do
    case $key in Uid:) uid=$id ;; Gid:) gid=$id; break ;; esac
  done <"/proc/$pid/status"
} 2>/dev/null
s=${s##*) }
set -- $s
echo "$pid $1 ${20} $uid $gid"
if ! ls "/proc/$pid/fd" >/dev/null 2>&1; then
  cat /proc/net/tcp /proc/net/tcp6 /proc/net/unix 2>/dev/null | awk '
    $4 == "0A" && index(ENVIRON["ports"], "," substr($2, index($2, ":") + 1) ",") { print $2, $10 }
    $4 == "00010000" && $8 != "" && $8 == ENVIRON["control"] { print "-", $7 }'
  exit 0
fi
{
  find "/proc/$pid/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null
  cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" "/proc/$pid/net/unix" 2>/dev/null
} | awk '
  /^socket:/ { gsub(/[^0-9]/, ""); own[$0] = 1; next }
  $4 == "0A" && ($10 in own) { print $2, $10 }
  $4 == "00010000" && ($7 in own) { print "-", $7 }'
)sh";

constexpr std::string_view kSignalScript = R"sh(
if [ "$1" != - ]; then exec systemctl "$2" "$1"; fi
kill -s "$3" "$4"
)sh";

// What it starts must not hold our descriptors, or the batch would never end. Prints its process.
constexpr std::string_view kStartScript = R"sh(
if [ "$1" != - ]; then exec systemctl start "$1"; fi
shift
command -v "$1" >/dev/null || { echo "$1: not found" >&2; exit 127; }
setsid "$@" </dev/null >/dev/null 2>&1 &
echo $!
)sh";

// Argument: the log, or nothing. Prints the time and the log's size.
constexpr std::string_view kMarkScript = R"sh(
date +%s
[ -z "$1" ] || stat -L -c %s -- "$1" 2>/dev/null
)sh";

// Arguments: unit or "-", the log or nothing, the time and the size of the mark. Prints what was
// said since; a log that is shorter than it was is another file.
constexpr std::string_view kSaidScript = R"sh(
if [ -n "$2" ] && [ -f "$2" ]; then
  [ "$(stat -L -c %s -- "$2")" -ge "$4" ] && from=$(($4 + 1)) || from=1
  tail -c "+$from" -- "$2" | tail -n 50
fi
if [ "$1" != - ] && command -v journalctl >/dev/null; then
  journalctl -q --no-pager -o cat -u "$1" --since "@$3" -n 50 2>/dev/null
fi
exit 0
)sh";

// Argument: pid. Status 0: it is gone, or a zombie.
constexpr std::string_view kGoneScript = R"sh(
{ read -r s <"/proc/$1/stat"; } 2>/dev/null || exit 0
s=${s##*) }
case $s in Z*|X*) exit 0 ;; esac
exit 1
)sh";

// Arguments: address, port, ... Asks all at once; prints for each a line with its number and the
// first line that it says, or nothing.
constexpr std::string_view kGreetScript = R"sh(
i=0
while [ $# -gt 1 ]; do
  {
    line=$(timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && IFS= read -r -t 8 line <&3 && printf "%s" "$line"' "$1" "$2" 2>/dev/null)
    printf '%s %s\n' "$i" "$line"
  } &
  i=$((i + 1))
  shift 2
done
wait
)sh";

// "0100007F:A489" -> an address that the host itself can connect to.
Listener ParseListener(const std::string& local, uint64_t inode) {
  Listener out;
  out.inode = inode;
  const size_t colon = local.find(':');
  out.port = static_cast<uint16_t>(std::strtoul(local.c_str() + colon + 1, nullptr, 16));
  std::array<uint32_t, 4> words{};
  const size_t count = std::min<size_t>(colon / 8, 4);
  for (size_t i = 0; i < count; ++i) {
    words[i] = static_cast<uint32_t>(std::strtoul(local.substr(i * 8, 8).c_str(), nullptr, 16));
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool any = std::all_of(words.begin(), words.end(), [](uint32_t w) { return w == 0; });
  if (count == 1) {
    ::inet_ntop(AF_INET, words.data(), text.data(), text.size());
    out.address = any ? "127.0.0.1" : text.data();
  } else {
    ::inet_ntop(AF_INET6, words.data(), text.data(), text.size());
    // A socket on :: takes IPv4 as well, unless the host forbids; loopback of either kind reaches
    // it.
    out.address = any ? "localhost" : text.data();
    if (out.address.starts_with("::ffff:")) out.address.erase(0, 7);
  }
  return out;
}

bool IsGreeting(std::string_view line) {
  return line.starts_with("SSH-") ||
         (line.size() >= 4 && line.starts_with("220") && (line[3] == ' ' || line[3] == '-'));
}

bool ListensWhere(const DaemonState& now, const DaemonState& before) {
  return std::all_of(before.listeners.begin(), before.listeners.end(), [&](const Listener& was) {
    return std::any_of(now.listeners.begin(), now.listeners.end(), [&](const Listener& is) {
      return is.port == was.port && is.address == was.address;
    });
  });
}

}  // namespace

Result<DaemonState> Daemon::State() {
  std::string ports = ",";
  for (const uint16_t port : settings_.ports) ports += fmt::format("{:04X},", port);
  auto out =
      RunBatch(transport_,
               {.script = kStateScript,
                .args = {Unit(), settings_.pidfile, ports, settings_.control, settings_.program}});
  if (!out) return tl::unexpected(out.error());
  DaemonState state;
  std::istringstream lines(*out);
  std::string letter;
  if (!(lines >> state.pid >> letter >> state.start >> state.uid >> state.gid))
    return DaemonState{};
  if (letter == "Z" || letter == "X") return DaemonState{};
  std::string local;
  uint64_t inode = 0;
  while (lines >> local >> inode) {
    state.sockets.push_back(inode);
    if (local != "-") state.listeners.push_back(ParseListener(local, inode));
  }
  std::sort(state.listeners.begin(), state.listeners.end());
  std::sort(state.sockets.begin(), state.sockets.end());
  return state;
}

Result<std::string> Daemon::Greets(const std::vector<Listener>& listeners) {
  std::vector<std::string> args;
  for (const Listener& listener : listeners) {
    args.push_back(listener.address);
    args.push_back(std::to_string(listener.port));
  }
  auto out = RunBatch(transport_, {.script = kGreetScript, .args = args});
  if (!out) return tl::unexpected(out.error());
  std::set<size_t> greeted;
  std::istringstream lines(*out);
  for (std::string line; std::getline(lines, line);) {
    const size_t blank = std::min(line.find(' '), line.size() - 1);
    if (IsGreeting(std::string_view(line).substr(blank + 1))) {
      greeted.insert(std::strtoul(line.c_str(), nullptr, 10));
    }
  }
  for (size_t i = 0; i < listeners.size(); ++i) {
    if (!greeted.contains(i)) {
      return fmt::format("{}:{}", listeners[i].address, listeners[i].port);
    }
  }
  return std::string();
}

bool Daemon::IsGone(int pid) {
  auto answer = transport_.Exec({.script = kGoneScript, .args = {std::to_string(pid)}});
  return answer && answer->status == 0;
}

void Daemon::MarkLog() {
  auto out = transport_.Exec({.script = kMarkScript, .args = {settings_.log}});
  if (!out) return;
  std::istringstream words(out->out);
  words >> log_since_ >> log_size_;
}

tl::unexpected<Error> Daemon::Failed(const std::string& what) {
  std::string why = settings_.program + " " + what;
  const std::string checker = settings_.program + " -t";
  if (!settings_.checker.empty()) {
    auto answer =
        transport_.Exec({.script = R"(exec "$@" </dev/null >&2)", .args = settings_.checker});
    const std::string reason = !answer               ? ""
                               : answer->status == 0 ? FatalReason(answer->err)
                                                     : CheckerReason(answer->err);
    if (!reason.empty()) {
      why += fmt::format("; {} says: {}", checker, reason);
    } else if (answer && answer->status == 0) {
      why += fmt::format("; {} finds nothing wrong with the configuration", checker);
    }
  }
  if (!log_since_.empty() && (!settings_.log.empty() || !settings_.unit.empty())) {
    auto said = transport_.Exec(
        {.script = kSaidScript,
         .args = {Unit(), settings_.log, log_since_, log_size_.empty() ? "0" : log_size_}});
    const std::string reason = said ? LogReason(said->out) : "";
    if (!reason.empty()) why += "; its log says: " + reason;
  }
  return Fail(ErrorCode::kUnavailable, std::move(why));
}

Result<void> Daemon::AwaitNew(const DaemonState& before, int starter, std::chrono::seconds limit) {
  const auto began = Clock::now();
  const bool started = !before.alive();
  auto gone = Clock::time_point::max();
  std::string missing = "it doesn't listen where it did";
  while (Clock::now() - began < limit) {
    auto now = State();
    if (!now) return tl::unexpected(now.error());
    // sshd runs itself anew at a reload and makes its sockets anew; the process stays the same.
    const bool renews = settings_.program == "sshd" && !before.sockets.empty();
    const bool waited = started || (renews ? now->alive() && now->sockets != before.sockets
                                           : Clock::now() - began >= kSettle);
    const bool settled = started || Clock::now() - began >= kSettle;
    if (!now->alive() && !started && settled) {
      return Failed("ended after it was told to read its files again");
    }
    if (!now->alive() && starter != 0 && gone == Clock::time_point::max() && IsGone(starter)) {
      gone = Clock::now();
    }
    if (!now->alive() && gone != Clock::time_point::max() && Clock::now() - gone > kHandover) {
      return Failed("ended at its start");
    }
    // While it reads its files it takes connections and doesn't greet.
    const bool listens = now->alive() && !now->listeners.empty() && ListensWhere(*now, before);
    if (listens && waited) {
      auto silent = Greets(now->listeners);
      if (!silent) return tl::unexpected(silent.error());
      if (silent->empty()) return {};
      missing = *silent + " doesn't greet";
    }
    // Before it has settled its state says nothing, and asking costs the host a dozen processes.
    const auto until = renews || settled ? began : std::min(began + kSettle, began + limit);
    std::this_thread::sleep_for(std::max<Clock::duration>(until - Clock::now(), milliseconds(100)));
  }
  return Failed(fmt::format("isn't back after {} s: {}", limit.count(), missing));
}

Result<void> Daemon::Signal(const DaemonState& state, bool restart) {
  const std::string action = restart ? "stop" : "reload";
  auto done = RunBatch(
      transport_, {.script = kSignalScript,
                   .args = {Unit(), action, restart ? "TERM" : "HUP", std::to_string(state.pid)}});
  if (done) return {};
  const Error& error = done.error();
  if (error.retryable()) return tl::unexpected(error);
  return Fail(ErrorCode::kDenied, fmt::format("{} could not be told to {}: {}", settings_.program,
                                              action, error.message));
}

Result<void> Daemon::Stop(const DaemonState& state) {
  if (auto done = Signal(state, true); !done) return done;
  for (int i = 0; i < 100; ++i) {
    auto now = State();
    if (!now) return tl::unexpected(now.error());
    if (!now->alive()) return {};
    std::this_thread::sleep_for(milliseconds(100));
  }
  return Fail(ErrorCode::kTimeout, settings_.program + " didn't stop within 10 s");
}

Result<void> Daemon::Reload(bool restart, std::chrono::seconds limit) {
  auto before = State();
  if (!before) return tl::unexpected(before.error());
  if (!before->alive()) return Start(limit);
  if (restart && can_start()) {
    if (auto done = Stop(*before); !done) return done;
    base::KillPoint("filetransfer.stopped");
    return StartAs(*before, limit);
  }
  MarkLog();
  if (auto done = Signal(*before, false); !done) return done;
  return AwaitNew(*before, 0, limit);
}

Result<void> Daemon::StartAs(const DaemonState& before, std::chrono::seconds limit) {
  if (!can_start()) {
    return Fail(ErrorCode::kUnsupported,
                settings_.program +
                    " isn't running and nothing says how to start it: set control.unit or "
                    "control.start");
  }
  MarkLog();
  std::vector<std::string> args = {Unit()};
  args.insert(args.end(), settings_.start.begin(), settings_.start.end());
  auto done = RunBatch(transport_, {.script = kStartScript, .args = args});
  if (!done) {
    if (done.error().retryable()) return tl::unexpected(done.error());
    return Failed("could not be started: " + done.error().message);
  }
  DaemonState wanted;
  wanted.listeners = before.listeners;
  return AwaitNew(wanted, std::atoi(done->c_str()), limit);
}

}  // namespace postern::filetransfer
