#include "tests/support/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace postern::support {
namespace {

namespace fs = std::filesystem;

std::string EnvLine(std::string line, std::string_view value) {
  line += '=';
  line += value;
  return line;
}

std::optional<std::string> Lookup(std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): tests set it nowhere
  std::istringstream folders(std::string(path == nullptr ? "/usr/bin:/bin" : path) +
                             ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + std::string(name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::multimap<pid_t, pid_t> ChildrenByParent() {
  std::multimap<pid_t, pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (const auto stat = StatOf(pid)) out.emplace(stat->parent, pid);
  }
  return out;
}

}  // namespace

Words::Words(std::vector<std::string> words) : words_(std::move(words)) {
  for (std::string& word : words_) pointers_.push_back(word.data());
  pointers_.push_back(nullptr);
}

std::string Reason() {
  return std::system_category().message(errno);
}

std::string FindProgram(std::string_view name) {
  auto found = Lookup(name);
  EXPECT_TRUE(found.has_value()) << name << " is not installed; tests/support/install.sh does it";
  return found.value_or(std::string(name));
}

std::vector<std::string> CleanEnv(const Env& env) {
  Env all = env;
  all.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  all.try_emplace("LC_ALL", "C.UTF-8");
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(EnvLine(name, value));
  return out;
}

std::vector<std::string> OwnEnvWith(const Env& env) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!env.contains(std::string(text.substr(0, text.find('='))))) out.emplace_back(text);
  }
  for (const auto& [name, value] : env) out.push_back(EnvLine(name, value));
  return out;
}

// /proc/PID/stat: "pid (comm) state ppid ..."; comm may hold blanks and parentheses.
std::optional<ProcStat> StatOf(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  // A process may go while it is read: getline then ends, a bare iterator would throw.
  std::string text;
  std::getline(in, text, '\0');
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcStat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  char state = 0;
  std::istringstream(text.substr(close + 1)) >> state >> stat.parent;
  return stat;
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  const auto all = ChildrenByParent();
  std::vector<pid_t> out;
  const auto [first, last] = all.equal_range(parent);
  for (auto it = first; it != last; ++it) out.push_back(it->second);
  return out;
}

std::vector<pid_t> DescendantsOf(pid_t root) {
  const auto children = ChildrenByParent();
  std::vector<pid_t> out = {root};
  for (size_t i = 0; i < out.size(); ++i) {
    const auto [first, last] = children.equal_range(out[i]);
    for (auto it = first; it != last; ++it) out.push_back(it->second);
  }
  out.erase(out.begin());
  return out;
}

bool ReapWithin(pid_t pid, milliseconds limit, int* status) {
  return Eventually(limit, [&] {
    const pid_t got = waitpid(pid, status, WNOHANG);
    return got == pid || (got < 0 && errno == ECHILD);
  });
}

void EndChild(pid_t pid, milliseconds grace, int* status) {
  kill(pid, grace.count() > 0 ? SIGTERM : SIGKILL);
  if (ReapWithin(pid, grace, status)) return;
  kill(pid, SIGKILL);
  if (!ReapWithin(pid, milliseconds(10000), status)) {
    ADD_FAILURE() << "process " << pid << " did not end after SIGKILL";
  }
}

void EndOrphans(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const auto stat = StatOf(pid);
    if (stat && stat->parent == getpid()) {
      int status = 0;
      EndChild(pid, milliseconds(1000), &status);
    }
  }
}

[[noreturn]] void Exec(const char* program, Words& argv, Words& env, const char* cwd,
                       pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(125);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread here
  signal(SIGPIPE, SIG_DFL);
  if (*cwd != '\0' && chdir(cwd) != 0) _exit(126);
  execve(program, argv.data(), env.data());
  _exit(127);
}

Pipe::Pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  read_end = ends[0];
  write_end = ends[1];
}

Pipe::~Pipe() {
  CloseRead();
  CloseWrite();
}

void Pipe::Close(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void Drain(int* fd, std::string* out) {
  std::array<char, 65536> buffer;
  const ssize_t got = read(*fd, buffer.data(), buffer.size());
  if (got > 0) {
    out->append(buffer.data(), static_cast<size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    Pipe::Close(fd);
  }
}

}  // namespace postern::support
