#include "providers/filetransfer/proftpd_io/daemon.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <sstream>
#include <thread>

namespace postern::filetransfer {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSettle{2000};

// Arguments: unit or "-", pidfile, the configuration's ports (",0015,A489,"), its control socket.
// Prints "PID STATE START", then "LOCAL-ADDRESS INODE" of each socket that the process listens on
// (hexadecimal, as /proc/net/tcp has them). The daemon forbids dumps, so without root nobody sees
// its descriptors, not even its own user: then what listens where the configuration says is its.
constexpr std::string_view kStateScript = R"sh(
ports=$3 control=$4
export ports control
if [ "$1" != - ]; then pid=$(systemctl show -p MainPID --value "$1" 2>/dev/null); else pid=$(cat "$2" 2>/dev/null); fi
pid=${pid%%[!0-9]*}
[ -n "$pid" ] && [ "$pid" != 0 ] || exit 0
s=$(cat "/proc/$pid/stat" 2>/dev/null) || exit 0
case $s in *'(proftpd)'*) ;; *) exit 0 ;; esac
s=${s##*) }
set -- $s
echo "$pid $1 ${20}"
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

// What it starts must not hold our descriptors, or the batch would never end.
constexpr std::string_view kStartScript = R"sh(
if [ "$1" != - ]; then exec systemctl start "$1"; fi
shift
command -v "$1" >/dev/null || { echo "$1: not found" >&2; exit 127; }
setsid "$@" </dev/null >/dev/null 2>&1 &
)sh";

// Arguments: address, port, ... Prints the first line that each port says, or nothing.
constexpr std::string_view kGreetScript = R"sh(
while [ $# -gt 1 ]; do
  timeout 10 bash -c 'exec 3<>"/dev/tcp/$0/$1" && IFS= read -r -t 8 line <&3 && printf "%s" "$line"' "$1" "$2" 2>/dev/null
  echo
  shift 2
done
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
  const std::string unit = settings_.unit.empty() ? "-" : settings_.unit;
  std::string ports = ",";
  for (const uint16_t port : settings_.ports) ports += fmt::format("{:04X},", port);
  auto out = RunBatch(transport_, {.script = kStateScript,
                                   .args = {unit, settings_.pidfile, ports, settings_.control}});
  if (!out) return tl::unexpected(out.error());
  DaemonState state;
  std::istringstream lines(*out);
  std::string letter;
  if (!(lines >> state.pid >> letter >> state.start)) return DaemonState{};
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
  std::istringstream lines(*out);
  for (const Listener& listener : listeners) {
    std::string line;
    std::getline(lines, line);
    if (!IsGreeting(line)) return fmt::format("{}:{}", listener.address, listener.port);
  }
  return std::string();
}

Result<void> Daemon::AwaitNew(const DaemonState& before, milliseconds settle,
                              std::chrono::seconds limit) {
  const auto began = Clock::now();
  std::string missing = "it doesn't listen where it did";
  while (Clock::now() - began < limit) {
    auto now = State();
    if (!now) return tl::unexpected(now.error());
    const bool waited = Clock::now() - began >= settle;
    if (!now->alive() && before.alive() && waited) {
      return Fail(ErrorCode::kUnavailable,
                  "proftpd ended after it was told to read its files again");
    }
    // While it reads its files it takes connections and doesn't greet.
    const bool listens = now->alive() && !now->listeners.empty() && ListensWhere(*now, before);
    if (listens && waited) {
      auto silent = Greets(now->listeners);
      if (!silent) return tl::unexpected(silent.error());
      if (silent->empty()) return {};
      missing = *silent + " doesn't greet";
    }
    std::this_thread::sleep_for(milliseconds(100));
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("proftpd isn't back after {} s: {}", limit.count(), missing));
}

Result<void> Daemon::Signal(const DaemonState& state, bool restart) {
  const std::string unit = settings_.unit.empty() ? "-" : settings_.unit;
  auto done = RunBatch(transport_, {.script = kSignalScript,
                                    .args = {unit, restart ? "stop" : "reload",
                                             restart ? "TERM" : "HUP", std::to_string(state.pid)}});
  if (!done) return base::Wrap("signal proftpd", done.error());
  return {};
}

Result<void> Daemon::Stop(const DaemonState& state) {
  if (auto done = Signal(state, true); !done) return done;
  for (int i = 0; i < 100; ++i) {
    auto now = State();
    if (!now) return tl::unexpected(now.error());
    if (!now->alive()) return {};
    std::this_thread::sleep_for(milliseconds(100));
  }
  return Fail(ErrorCode::kTimeout, "proftpd didn't stop within 10 s");
}

Result<void> Daemon::Reload(bool restart, std::chrono::seconds limit) {
  auto before = State();
  if (!before) return tl::unexpected(before.error());
  if (!before->alive()) return Start(limit);
  if (restart && can_start()) {
    if (auto done = Stop(*before); !done) return done;
    return Start(limit);
  }
  if (auto done = Signal(*before, false); !done) return done;
  return AwaitNew(*before, kSettle, limit);
}

Result<void> Daemon::Start(std::chrono::seconds limit) {
  if (!can_start()) {
    return Fail(ErrorCode::kUnsupported,
                "proftpd isn't running and nothing says how to start it: set control.unit or "
                "control.start");
  }
  std::vector<std::string> args = {settings_.start.empty() ? settings_.unit : "-"};
  args.insert(args.end(), settings_.start.begin(), settings_.start.end());
  auto done = RunBatch(transport_, {.script = kStartScript, .args = args});
  if (!done) return base::Wrap("start proftpd", done.error());
  return AwaitNew(DaemonState{}, milliseconds(0), limit);
}

}  // namespace postern::filetransfer
