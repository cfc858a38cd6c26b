#include "tests/support/process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>

namespace postern::support {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Pids that ServerProcess owns: EndAdopted leaves them alone.
std::set<pid_t>& OwnPids() {
  static std::set<pid_t> pids;
  return pids;
}

std::string Reason() {
  return std::system_category().message(errno);
}

std::string EnvLine(std::string line, std::string_view value) {
  line += '=';
  line += value;
  return line;
}

// argv and environment in the form that exec wants; made before fork, where allocation is safe.
class Vector {
 public:
  explicit Vector(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  char* const* data() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

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

struct ProcStat {
  pid_t parent = 0;
  std::string name;
};

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

std::multimap<pid_t, pid_t> ChildrenByParent() {
  std::multimap<pid_t, pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    if (const auto stat = StatOf(pid)) out.emplace(stat->parent, pid);
  }
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

// Waits for a child of ours; false when the time is over. A pid that isn't ours counts as gone.
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

// What was below a server that is gone has come to us, the sub-reaper; only those are ended.
void EndOrphans(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    const auto stat = StatOf(pid);
    if (stat && stat->parent == getpid()) {
      int status = 0;
      EndChild(pid, milliseconds(1000), &status);
    }
  }
}

std::string DescribeStatus(int status) {
  if (WIFSIGNALED(status)) return "was ended by signal " + std::to_string(WTERMSIG(status));
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Exec(const char* program, Vector& argv, Vector& env, const char* cwd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread here
  signal(SIGPIPE, SIG_DFL);
  if (*cwd != '\0' && chdir(cwd) != 0) _exit(126);
  execve(program, argv.data(), env.data());
  _exit(127);
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseRead() { Close(&read_end); }
  void CloseWrite() { Close(&write_end); }
  static void Close(int* fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
};

// One read into `out`; closes the end at end of file.
void Drain(int* fd, std::string* out) {
  std::array<char, 65536> buffer;
  const ssize_t got = read(*fd, buffer.data(), buffer.size());
  if (got > 0) {
    out->append(buffer.data(), static_cast<size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    Pipe::Close(fd);
  }
}

void Feed(int* fd, std::string_view* rest) {
  const ssize_t put = write(*fd, rest->data(), std::min<size_t>(rest->size(), 4096));
  if (put > 0) rest->remove_prefix(static_cast<size_t>(put));
  if ((put < 0 && errno != EINTR && errno != EAGAIN) || rest->empty()) Pipe::Close(fd);
}

// Moves bytes until the child is gone and what it wrote is read. A daemon that keeps our pipes open
// must not hold us: after the child's end only what is there already is taken.
void Converse(pid_t pid, const RunOptions& options, Pipe* in, Pipe* out, Pipe* err,
              RunResult* result, int* status) {
  const auto end = Clock::now() + options.limit;
  std::string_view rest = options.input;
  if (rest.empty()) in->CloseWrite();
  bool gone = false;
  while (true) {
    std::array<pollfd, 3> fds = {pollfd{out->read_end, POLLIN, 0}, pollfd{err->read_end, POLLIN, 0},
                                 pollfd{in->write_end, POLLOUT, 0}};
    const int ready = poll(fds.data(), fds.size(), gone ? 0 : 20);
    if (ready > 0 && fds[0].revents != 0) Drain(&out->read_end, &result->out);
    if (ready > 0 && fds[1].revents != 0) Drain(&err->read_end, &result->err);
    if (ready > 0 && fds[2].revents != 0) Feed(&in->write_end, &rest);
    const bool quiet = fds[0].revents == 0 && fds[1].revents == 0;
    if (gone && quiet) return;
    if (!gone) gone = waitpid(pid, status, WNOHANG) == pid;
    if (!gone && Clock::now() > end) {
      result->timed_out = true;
      kill(pid, SIGKILL);
    }
  }
}

}  // namespace

// ---- scratch
// --------------------------------------------------------------------------------------

Scratch::Scratch(const std::string& under) {
  std::error_code error;
  const fs::path parent =
      fs::canonical(under.empty() ? fs::temp_directory_path() : fs::path(under), error);
  std::string pattern = (parent / "postern-test.XXXXXX").string();
  if (error || mkdtemp(pattern.data()) == nullptr) {
    ADD_FAILURE() << "no scratch folder below " << under << ": " << Reason();
    std::abort();
  }
  path_ = pattern;
}

Scratch::~Scratch() {
  if (std::getenv("POSTERN_KEEP_SCRATCH") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    std::cerr << "kept: " << path_ << "\n";
    return;
  }
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) ADD_FAILURE() << "scratch folder " << path_ << " stays: " << error.message();
}

std::string Scratch::File(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

std::string Scratch::Folder(std::string_view name, mode_t mode) const {
  std::string path = File(name);
  fs::create_directories(path);
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  return path;
}

std::string Scratch::Write(std::string_view name, std::string_view text, mode_t mode) const {
  std::string path = File(name);
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  EXPECT_TRUE(out.good()) << "write " << path;
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "read " << path;
  return {(std::istreambuf_iterator<char>(in)), {}};
}

// ---- ports
// ----------------------------------------------------------------------------------------

namespace {
sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}
}  // namespace

uint16_t FreePort() {
  static std::set<uint16_t> given;
  while (true) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof(address);
    const bool ok = fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (fd >= 0) close(fd);
    if (!ok) {
      ADD_FAILURE() << "no free port on 127.0.0.1: " << Reason();
      std::abort();
    }
    if (given.insert(ntohs(address.sin_port)).second) return ntohs(address.sin_port);
  }
}

bool Connects(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool ok = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return ok;
}

std::string FindProgram(std::string_view name) {
  auto found = Lookup(name);
  EXPECT_TRUE(found.has_value()) << name << " is not installed; tests/support/install.sh does it";
  return found.value_or(std::string(name));
}

// ---- commands
// -------------------------------------------------------------------------------------

RunResult RunCommand(const std::vector<std::string>& argv, const RunOptions& options) {
  RunResult result;
  const std::string program = FindProgram(argv.at(0));
  Vector words(argv);
  Vector env(options.clean_env ? CleanEnv(options.env) : OwnEnvWith(options.env));
  Pipe in;
  Pipe out;
  Pipe err;
  signal(SIGPIPE, SIG_IGN);  // a child that doesn't read its input is no reason to die
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in.read_end, STDIN_FILENO);
    dup2(out.write_end, STDOUT_FILENO);
    dup2(err.write_end, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(125);
    Exec(program.c_str(), words, env, options.cwd.c_str());
  }
  if (pid < 0) {
    ADD_FAILURE() << "fork: " << Reason();
    return result;
  }
  in.CloseRead();
  out.CloseWrite();
  err.CloseWrite();
  fcntl(in.write_end, F_SETFL, O_NONBLOCK);
  int status = 0;
  Converse(pid, options, &in, &out, &err, &result, &status);
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(status);
  return result;
}

RunResult RunCommand(const std::vector<std::string>& argv, std::string_view input) {
  RunOptions options;
  options.input = input;
  return RunCommand(argv, options);
}

void BecomeSubreaper() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int EndAdopted(std::string_view name) {
  int ended = 0;
  const auto children = ChildrenByParent();
  const auto [first, last] = children.equal_range(getpid());
  for (auto it = first; it != last; ++it) {
    const pid_t pid = it->second;
    const auto stat = StatOf(pid);
    if (OwnPids().contains(pid) || !stat || stat->name != name) continue;
    std::vector<pid_t> below = DescendantsOf(pid);
    int status = 0;
    EndChild(pid, milliseconds(5000), &status);
    EndOrphans(below);
    ++ended;
  }
  return ended;
}

// ---- servers
// --------------------------------------------------------------------------------------

ServerProcess::ServerProcess(const Scratch& scratch, const std::vector<std::string>& argv,
                             Options options)
    : name_(options.name), log_path_(scratch.File(options.name + ".log")) {
  BecomeSubreaper();
  if (options.cwd.empty()) options.cwd = scratch.path();
  Start(argv, options);
}

void ServerProcess::Start(const std::vector<std::string>& argv, const Options& options) {
  const std::string program = FindProgram(argv.at(0));
  Vector words(argv);
  Vector env(CleanEnv(options.env));
  const int log = open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(125);
    Exec(program.c_str(), words, env, options.cwd.c_str());
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
