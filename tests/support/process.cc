#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace postern::support {
namespace {

namespace fs = std::filesystem;

// Pids that ServerProcess owns: EndAdopted leaves them alone.
std::set<pid_t>& OwnPids() {
  static std::set<pid_t> pids;
  return pids;
}

std::string DescribeStatus(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Where the kernel begins to take ports for outgoing connections; ip(7).
uint16_t FirstOutgoingPort() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  uint16_t first = 32768;
  range >> first;
  return first;
}

enum class Reuse { kBeforeBind, kAfterBind };

// A socket that is bound to 127.0.0.1:port and has SO_REUSEADDR; -1 when the port is somebody's.
int Bound(uint16_t port, Reuse reuse) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const int on = 1;
  const auto set = [&] { setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); };
  if (reuse == Reuse::kBeforeBind) set();
  const bool ok =
      fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (reuse == Reuse::kAfterBind) set();
  if (ok) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

// True when a server, which binds with SO_REUSEADDR, may listen at a port that is held.
bool CanListen(uint16_t port) {
  const int server = Bound(port, Reuse::kBeforeBind);
  const bool ok = server >= 0 && listen(server, 1) == 0;
  if (server >= 0) close(server);
  return ok;
}

// Takes the port for this process until it ends; false when it is somebody's.
bool Hold(uint16_t port) {
  const int fd = Bound(port, Reuse::kAfterBind);
  if (fd < 0) return false;
  // On a kernel that lets nobody listen at a held port it is free for a moment, as everywhere.
  if (!CanListen(port)) close(fd);
  return true;
}

}  // namespace

// Below the range of outgoing connections where there is one, and held by a socket that is bound
// and doesn't listen: no other process is answered the same port and the kernel gives it to no
// client (socket(7), SO_REUSEADDR), before the server's bind as while a server is started again.
// Without it one start of some three thousand found its port taken.
uint16_t FreePort() {
  static std::set<uint16_t> given;
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<unsigned> ports(
      10'000, std::max<unsigned>(FirstOutgoingPort(), 20'000) - 1);
  for (int tries = 0; tries < 1000; ++tries) {
    const auto port = static_cast<uint16_t>(ports(random));
    if (!given.contains(port) && Hold(port)) {
      given.insert(port);
      return port;
    }
  }
  ADD_FAILURE() << "no free port on 127.0.0.1: " << Reason();
  std::abort();
}

bool Connects(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool ok = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return ok;
}

void BecomeSubreaper() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int EndAdopted(std::string_view name) {
  int ended = 0;
  for (const pid_t pid : ChildrenOf(getpid())) {
    const auto stat = StatOf(pid);
    if (OwnPids().contains(pid) || !stat || stat->name != name) continue;
    const std::vector<pid_t> below = DescendantsOf(pid);
    int status = 0;
    EndChild(pid, milliseconds(5000), &status);
    EndOrphans(below);
    ++ended;
  }
  return ended;
}

ServerProcess::ServerProcess(const Scratch& scratch, const std::vector<std::string>& argv,
                             Options options)
    : name_(options.name), log_path_(scratch.File(options.name + ".log")) {
  BecomeSubreaper();
  if (options.cwd.empty()) options.cwd = scratch.path();
  Start(argv, options);
}

void ServerProcess::Start(const std::vector<std::string>& argv, const Options& options) {
  const std::string program = FindProgram(argv.at(0));
  Words words(argv);
  Words env(CleanEnv(options.env));
  const int log = open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    Exec(program.c_str(), words, env, options.cwd.c_str(), parent);
  }
  close(log);
  close(null);
  if (pid_ < 0) {
    ADD_FAILURE() << "fork for " << name_ << ": " << Reason();
    return;
  }
  OwnPids().insert(pid_);
  StartWatcher();
}

// The kernel forgets the death signal of a daemon that changes its uid (proftpd as root does), so a
// small process waits for our end as well. It holds nothing but the pipe that only we keep open.
void ServerProcess::StartWatcher() {
  Pipe life;
  const pid_t server = pid_;
  watcher_ = fork();
  if (watcher_ == 0) {
    dup2(life.read_end, STDIN_FILENO);
    close_range(1, ~0U, 0);
    for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) signal(signal_number, SIG_IGN);
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {
    }
    kill(server, SIGKILL);
    _exit(0);
  }
  OwnPids().insert(watcher_);
  watch_fd_ = life.write_end;
  life.write_end = -1;
}

void ServerProcess::StopWatcher() {
  if (watcher_ <= 0) return;
  int status = 0;
  EndChild(watcher_, milliseconds(0), &status);
  OwnPids().erase(watcher_);
  close(watch_fd_);
  watcher_ = -1;
  watch_fd_ = -1;
}

template <class Ready>
bool ServerProcess::WaitFor(const std::string& what, seconds limit, Ready ready) {
  bool ended = false;
  const bool ok = Eventually(limit, [&] {
    ended = !Alive();
    return ended || ready();
  });
  if (ok && !ended) return true;
  ADD_FAILURE() << name_ << (ended ? " " + how_it_ended_ : " shows no " + what + " in time")
                << "; the end of its log:\n"
                << LogTail();
  return false;
}

bool ServerProcess::WaitForPort(uint16_t port, seconds limit) {
  return WaitFor("port " + std::to_string(port), limit, [&] { return Connects(port); });
}

bool ServerProcess::WaitForFile(const std::string& path, seconds limit) {
  return WaitFor("file " + path, limit, [&] { return fs::exists(path); });
}

void ServerProcess::Stop(milliseconds grace) {
  if (pid_ <= 0) return;
  StopWatcher();
  const std::vector<pid_t> below = DescendantsOf(pid_);
  int status = 0;
  EndChild(pid_, grace, &status);
  EndOrphans(below);
  OwnPids().erase(pid_);
  how_it_ended_ = DescribeStatus(status);
  pid_ = -1;
}

void ServerProcess::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

bool ServerProcess::Alive() {
  if (pid_ <= 0) return false;
  int status = 0;
  const std::vector<pid_t> below = DescendantsOf(pid_);
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  how_it_ended_ = DescribeStatus(status);
  OwnPids().erase(pid_);
  pid_ = -1;
  StopWatcher();
  EndOrphans(below);
  return false;
}

std::string ServerProcess::LogTail(size_t lines) const {
  std::ifstream in(log_path_);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  std::string out;
  for (size_t i = all.size() > lines ? all.size() - lines : 0; i < all.size(); ++i) {
    out += all[i] + "\n";
  }
  return out;
}

}  // namespace postern::support
