#include "providers/filetransfer/host/ssh_sessions.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "providers/filetransfer/transport/processes.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Object;
using object::Operation;
using object::Outcome;
using object::Status;

// Prints lines: "B BOOT HZ"; "P PID PARENT REAL-UID EFFECTIVE-UID" of every process; "S PID START"
// likewise; of sshd's own processes that run as root "T PID TITLE" and "F PID SOCKET"; "N INODE
// REMOTE" of every open TCP connection. The kernel escapes newlines in a Name: line; a command name
// in stat ends at the last parenthesis. grep passes over a process that ended meanwhile, where awk
// would end.
constexpr std::string_view kListScript = R"sh(
[ "$(id -u)" = 0 ] || { echo 'only root sees which login a session belongs to' >&2; exit 1; }
echo "B $(sed -n 's/^btime //p' /proc/stat) $(getconf CLK_TCK)"
all=$(grep -sHE '^(Name|PPid|Uid):' /proc/[0-9]*/status | awk '
  { split($1, part, "/") }
  /^[^:]*:Name:/ { name = $2 }
  /^[^:]*:PPid:/ { parent = $2 }
  /^[^:]*:Uid:/ { print "P", part[3], parent, $2, $3, name }')
printf '%s\n' "$all" | cut -d' ' -f1-5
grep -sH '' /proc/[0-9]*/stat | awk '
  { split($0, part, "/"); sub(/^[^:]*:/, ""); text[part[3]] = text[part[3]] "\n" $0 }
  END {
    for (pid in text) { sub(/.*\) /, "", text[pid]); split(text[pid], field, " "); print "S", pid, field[20] }
  }'
printf '%s\n' "$all" | while read -r p pid parent real effective name; do
  case $real.$effective.$name in
    0.0.sshd | 0.0.sshd-session)
      echo "T $pid $(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | head -n 1)"
      readlink /proc/$pid/fd/* 2>/dev/null | sed -n "s/^socket:\[\([0-9]*\)\]$/F $pid \1/p" ;;
  esac
done
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "01" { print "N", $10, $3 }'
:
)sh";

// What a session has to end by itself.
constexpr int kGraceSeconds = 5;

struct Process {
  int parent = 0;
  uint32_t real = 0, effective = 0;
  uint64_t start = 0;
  std::string title;              // of sshd's own processes only
  std::vector<uint64_t> sockets;  // likewise
};

struct Processes {
  std::map<int, Process> all;
  std::map<uint64_t, std::string> remotes;  // by inode, in hex
  int64_t boot = 0, hz = 0;
};

// "0100007F:1F90" and the 32 digits of IPv6: words of the machine, each as it lies in memory. All
// hosts that Postern knows are little-endian.
std::string AddressOf(std::string_view hex) {
  hex = hex.substr(0, hex.find(':'));
  if (hex.size() != 8 && hex.size() != 32) return "";
  unsigned char bytes[16] = {};
  for (size_t word = 0; word * 8 < hex.size(); ++word) {
    for (size_t i = 0; i < 4; ++i) {
      unsigned value = 0;
      const char* at = hex.data() + word * 8 + i * 2;
      std::from_chars(at, at + 2, value, 16);
      bytes[word * 4 + 3 - i] = static_cast<unsigned char>(value);
    }
  }
  char text[INET6_ADDRSTRLEN] = {};
  const bool six = hex.size() == 32;
  if (::inet_ntop(six ? AF_INET6 : AF_INET, bytes, text, sizeof text) == nullptr) return "";
  std::string out = text;
  return out.starts_with("::ffff:") ? out.substr(7) : out;
}

Result<Processes> ReadProcesses(Transport& transport) {
  auto text = RunBatch(transport, {.script = kListScript, .args = {}, .input = {}});
  if (!text) return base::Wrap("list sessions", text.error());
  Processes out;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, rest;
    int pid = 0;
    uint64_t inode = 0;
    words >> kind;
    if (kind == "B") {
      words >> out.boot >> out.hz;
    } else if (kind == "N") {
      words >> inode >> rest;
      out.remotes[inode] = rest;
    } else if (words >> pid) {
      Process& process = out.all[pid];
      if (kind == "P") words >> process.parent >> process.real >> process.effective;
      if (kind == "S") words >> process.start;
      if (kind == "T") std::getline(words >> std::ws, process.title);
      if (kind == "F" && words >> inode) process.sockets.push_back(inode);
    }
  }
  if (out.boot == 0 || out.hz == 0 || out.all.empty()) {
    return Fail(ErrorCode::kIncomplete, "sessions can't be listed: /proc isn't readable");
  }
  return out;
}

// "sshd: LOGIN [priv]"; empty for another process.
std::string LoginOfTitle(std::string_view title) {
  for (const std::string_view prefix : {"sshd: ", "sshd-session: "}) {
    if (!title.starts_with(prefix)) continue;
    title.remove_prefix(prefix.size());
    const size_t end = title.find(" [priv]");
    if (end == std::string_view::npos ||
        title.substr(end + 7).find_first_not_of(' ') != std::string_view::npos) {
      return "";
    }
    return std::string(title.substr(0, end));
  }
  return "";
}

bool IsBelow(const Processes& processes, int pid, int ancestor) {
  for (int depth = 0; depth < 64; ++depth) {
    const auto at = processes.all.find(pid);
    if (at == processes.all.end()) return false;
    pid = at->second.parent;
    if (pid == ancestor) return true;
  }
  return false;
}

std::string SessionKey(const std::string& server, const SshdSession& session) {
  return object::MakeKey(Kind::kSession, {server, session.login, session.id});
}

// An operation names one session, or with "*" every session of its login.
bool Names(const Operation& operation, const std::string& server, const SshdSession& session) {
  const auto parts = object::SplitKey(operation.key);
  if (parts.size() == 3 && parts[2] == "*") return session.login == parts[1];
  return SessionKey(server, session) == operation.key;
}

}  // namespace

Result<std::vector<SshdSession>> ListSshSessions(Transport& transport,
                                                 const posix::HostAccounts& host, int daemon_pid) {
  auto processes = ReadProcesses(transport);
  if (!processes) return tl::unexpected(processes.error());
  // Logins in: monitor -> uids of its children.
  std::map<int, std::set<uint32_t>> children;
  for (const auto& [pid, process] : processes->all) children[process.parent].insert(process.real);
  std::vector<SshdSession> out;
  for (const auto& [pid, process] : processes->all) {
    const std::string login = LoginOfTitle(process.title);
    const posix::User* user = login.empty() ? nullptr : host.FindUser(login);
    if (user == nullptr || process.start == 0 || !children[pid].contains(user->uid)) continue;
    if (daemon_pid != 0 && !IsBelow(*processes, pid, daemon_pid)) continue;
    SshdSession session;
    session.login = login;
    session.pid = pid;
    session.start = process.start;
    session.id = fmt::format("{}.{}", pid, process.start);
    session.since = processes->boot + static_cast<int64_t>(process.start) / processes->hz;
    for (const uint64_t inode : process.sockets) {
      const auto remote = processes->remotes.find(inode);
      if (remote != processes->remotes.end()) session.address = AddressOf(remote->second);
    }
    out.push_back(std::move(session));
  }
  return out;
}

Result<void> EndSshSessions(Transport& transport, const std::vector<SshdSession>& sessions) {
  auto processes = ReadProcesses(transport);
  if (!processes) return tl::unexpected(processes.error());
  std::vector<StartedProcess> ending;
  for (const auto& one : processes->all) {
    const bool ends = std::any_of(sessions.begin(), sessions.end(), [&](const auto& session) {
      const auto monitor = processes->all.find(session.pid);
      if (monitor == processes->all.end() || monitor->second.start != session.start) return false;
      return one.first == session.pid || IsBelow(*processes, one.first, session.pid);
    });
    if (ends) ending.push_back({one.first, one.second.start});
  }
  auto done = EndProcesses(transport, ending, kGraceSeconds);
  if (!done) return base::Wrap("end sessions", done.error());
  return {};
}

Object SessionObject(const std::string& server, const SshdSession& session) {
  kinds::Session message;
  message.set_server(server);
  message.set_login(session.login);
  message.set_session(session.id);
  if (!session.address.empty()) message.set_address(session.address);
  message.set_since(session.since);
  message.set_protocol(session.protocol);
  return object::Encode(message);
}

std::vector<Outcome> ApplySshSessions(Transport& transport, const std::string& server,
                                      const posix::HostAccounts& host,
                                      std::span<const Operation> operations, int daemon_pid) {
  std::vector<Outcome> out;
  std::vector<SshdSession> ending;
  auto sessions = ListSshSessions(transport, host, daemon_pid);
  for (const Operation& operation : operations) {
    Outcome outcome{.id = operation.id, .status = Status::kApplied, .live = {}, .message = ""};
    outcome.live.object.kind = operation.kind;
    outcome.live.object.key = operation.key;
    const size_t before = ending.size();
    for (size_t i = 0; sessions && i < sessions->size(); ++i) {
      if (Names(operation, server, (*sessions)[i])) ending.push_back((*sessions)[i]);
    }
    if (!sessions) {
      outcome.status = Status::kTransient;
      outcome.message = sessions.error().message;
    } else if (!operation.after.empty()) {
      outcome.status = Status::kDenied;
      outcome.message = "a session can only be ended";
      ending.resize(before);
    } else if (ending.size() == before) {
      outcome.status = Status::kAlreadySo;
    }
    out.push_back(std::move(outcome));
  }
  const auto ended = ending.empty() ? Result<void>() : EndSshSessions(transport, ending);
  if (!ending.empty()) sessions = ListSshSessions(transport, host, daemon_pid);
  for (size_t i = 0; i < operations.size(); ++i) {
    object::ReadAnswer& live = out[i].live;
    if (!sessions) {
      live.reason = sessions.error().message;
      if (out[i].status == Status::kApplied) out[i].status = Status::kUnknown;
      continue;
    }
    const auto open = std::find_if(sessions->begin(), sessions->end(), [&](const auto& session) {
      return Names(operations[i], server, session);
    });
    live.answer = open == sessions->end() ? object::Answer::kAbsent : object::Answer::kValue;
    if (open == sessions->end()) continue;
    live.object = SessionObject(server, *open);
    if (out[i].status != Status::kApplied) continue;
    out[i].status = Status::kDenied;
    out[i].message = ended ? "the session didn't end" : ended.error().message;
  }
  return out;
}

}  // namespace postern::filetransfer
