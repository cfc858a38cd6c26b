#include "core/provider/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <future>
#include <iterator>
#include <vector>

namespace postern::provider {
namespace {

using std::chrono::milliseconds;

constexpr size_t kKeptOutput = 4096;
constexpr int kKeptLines = 6;
constexpr int kTickMs = 250;

// Runs work on one thread that never ends; see the header on PR_SET_PDEATHSIG.
class LivingThread {
 public:
  static LivingThread& Get() {
    static auto* thread = new LivingThread();  // for ever: children hang on it
    return *thread;
  }

  int Run(std::function<int()> work) {
    std::packaged_task<int()> task(std::move(work));
    std::future<int> answer = task.get_future();
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return answer.get();
  }

 private:
  LivingThread() {
    std::thread([this] { Loop(); }).detach();
  }

  void Loop() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !queue_.empty(); });
      std::packaged_task<int()> task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<int()>> queue_;
};

std::string Errno(int error) {
  return strerrordesc_np(error);
}

void CloseIfOpen(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

// Descriptors 0 to 3 are targets of dup2 in the child, so sources must stand above them.
int LiftDescriptor(int fd) {
  const int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  close(fd);
  return lifted;
}

void PassOn(const char* name, std::vector<std::string>* environment) {
  if (const char* value = std::getenv(name)) {  // NOLINT(concurrency-mt-unsafe)
    environment->push_back(fmt::format("{}={}", name, value));
  }
}

// Secrets never travel in it; LC_ALL=C so that messages of tools can be read.
std::vector<std::string> ChildEnvironment(const SpawnOptions& options) {
  std::vector<std::string> environment = {
      "LC_ALL=C",
      fmt::format("POSTERN_PROVIDER={}{}", getpid(), options.may_raise ? " may-raise" : "")};
  PassOn("PATH", &environment);
  if (options.ssh_agent) PassOn("SSH_AUTH_SOCK", &environment);
  for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    PassOn(name, &environment);
  }
  if (const char* point = std::getenv("POSTERN_PROVIDER_KILL_POINT")) {  // NOLINT
    environment.push_back(fmt::format("POSTERN_KILL_POINT={}", point));
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Answers an errno value, 0 when `pid` is set.
int SpawnChild(const SpawnOptions& options, int socket, int output, pid_t* pid) {
  std::vector<std::string> arguments = {options.program, options.target};
  std::vector<std::string> environment = ChildEnvironment(options);
  std::vector<char*> argv = Pointers(arguments), envp = Pointers(environment);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_adddup2(&actions, socket, 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  const int error = LivingThread::Get().Run([&] {
    return posix_spawn(pid, options.program.c_str(), &actions, &attributes, argv.data(),
                       envp.data());
  });
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Result<std::unique_ptr<Process>> Process::Spawn(const SpawnOptions& options,
                                                std::function<void()> tick) {
  int pair[2], pipes[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return Fail(ErrorCode::kUnavailable, "no socket pair for a provider: " + Errno(errno));
  }
  std::unique_ptr<Process> process(new Process());
  process->socket_ = pair[0];
  if (pipe2(pipes, O_CLOEXEC) != 0) {
    close(pair[1]);
    return Fail(ErrorCode::kUnavailable, "no pipe for a provider: " + Errno(errno));
  }
  process->output_ = pipes[0];
  process->half_close_ = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
  process->stop_ = eventfd(0, EFD_CLOEXEC);
  int child_socket = LiftDescriptor(pair[1]), child_output = LiftDescriptor(pipes[1]);
  const int error = SpawnChild(options, child_socket, child_output, &process->pid_);
  CloseIfOpen(&child_socket);
  CloseIfOpen(&child_output);
  if (error != 0) {
    process->pid_ = -1;
    return Fail(ErrorCode::kUnavailable,
                fmt::format("cannot start {}: {}", options.program, Errno(error)));
  }
  // The child stays a zombie until we reap it, so its pid can't be another's by now.
  process->pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, process->pid_, 0));
  process->tick_ = std::move(tick);
  process->reader_ = std::thread([p = process.get()] { p->ReadOutput(); });
  return process;
}

Process::~Process() {
  if (pid_ > 0) Stop(milliseconds(0));
  for (int* fd : {&socket_, &half_close_, &output_, &stop_, &pidfd_}) CloseIfOpen(fd);
}

int Process::TakeSocket() {
  return std::exchange(socket_, -1);
}

void Process::ReadOutput() {
  fcntl(output_, F_SETFL, O_NONBLOCK);
  pollfd waits[2] = {{stop_, POLLIN, 0}, {output_, POLLIN, 0}};
  for (;;) {
    const int ready = poll(waits, 2, kTickMs);
    if (ready < 0 && errno != EINTR) break;
    if (ready > 0 && waits[1].revents != 0) {
      char buffer[4096];
      const ssize_t got = read(output_, buffer, sizeof(buffer));
      if (got > 0) {
        KeepOutput(buffer, static_cast<size_t>(got));
        continue;
      }
      if (got == 0 || errno != EAGAIN) {
        waits[1].fd = -1;  // poll passes it over
        const std::lock_guard lock(mutex_);
        output_ended_ = true;
        ended_.notify_all();
      }
    }
    if (ready > 0 && waits[0].revents != 0) break;
    if (tick_) tick_();
  }
}

void Process::KeepOutput(const char* bytes, size_t count) {
  const std::lock_guard lock(mutex_);
  output_tail_.append(bytes, count);
  if (output_tail_.size() > kKeptOutput) output_tail_.erase(0, output_tail_.size() - kKeptOutput);
}

bool Process::Reap(milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    if (reaped_) return true;
  }
  const auto end = std::chrono::steady_clock::now() + patience;
  for (;;) {
    int status = 0;
    const pid_t got = waitpid(pid_, &status, WNOHANG);
    if (got == pid_ || (got < 0 && errno == ECHILD)) {
      const std::lock_guard lock(mutex_);
      reaped_ = true;
      wait_status_ = status;
      return true;
    }
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    // Without a pidfd (a kernel before 5.3) the wait is in slices.
    pollfd wait = {pidfd_, POLLIN, 0};
    poll(&wait, 1, static_cast<int>(pidfd_ >= 0 ? left.count() : std::min<long>(left.count(), 10)));
  }
}

std::string Process::WaitForDeath(milliseconds patience) {
  if (!Reap(patience)) return "";
  std::unique_lock lock(mutex_);
  // What it wrote stands in the pipe already. A grandchild may keep the pipe open, hence the bound.
  ended_.wait_for(lock, milliseconds(200), [this] { return output_ended_; });
  if (WIFSIGNALED(wait_status_)) return fmt::format("died (signal {})", WTERMSIG(wait_status_));
  return fmt::format("ended (exit {})", WEXITSTATUS(wait_status_));
}

bool Process::Stopped() const {
  // "PID (NAME) STATE ...": the name may hold anything (proc(5)).
  std::ifstream file(fmt::format("/proc/{}/stat", pid_));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t end = text.rfind(") ");
  return end != std::string::npos && (text[end + 2] == 'T' || text[end + 2] == 't');
}

std::string Process::LastWords() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines(1);
  for (const char c : output_tail_) {
    if (c == '\n') {
      lines.emplace_back();
    } else if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) {
      lines.back().push_back(c);
    }
  }
  std::erase_if(lines, [](const std::string& line) { return line.empty(); });
  if (lines.size() > kKeptLines) lines.erase(lines.begin(), lines.end() - kKeptLines);
  return fmt::format("{}", fmt::join(lines, " | "));
}

void Process::Stop(milliseconds patience) {
  if (half_close_ >= 0) shutdown(half_close_, SHUT_RDWR);
  if (!Reap(patience)) {
    kill(pid_, SIGTERM);
    if (!Reap(milliseconds(500))) {
      kill(pid_, SIGKILL);
      Reap(milliseconds(5000));
    }
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(stop_, &one, sizeof(one));
  if (reader_.joinable()) reader_.join();
  pid_ = -1;
}

}  // namespace postern::provider
