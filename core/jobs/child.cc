#include "core/jobs/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace postern::jobs {
namespace {

constexpr size_t kKept = 64U << 10;

std::string Find(std::string_view program) {
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/bin/"}) {
    std::string path = folder + std::string(program);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    // Descriptors 0 to 3 are targets of dup2 in the child.
    for (int& end : ends) {
      const int lifted = ::fcntl(end, F_DUPFD_CLOEXEC, 10);
      ::close(end);
      end = lifted;
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    Close(0);
    Close(1);
  }
  void Close(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

// Reads all three to their ends; what is beyond kKept is read and dropped.
void Collect(std::array<Pipe, 3>& pipes, std::array<std::string*, 3> texts) {
  std::array<pollfd, 3> waits{};
  for (size_t i = 0; i < 3; ++i) waits[i] = {pipes[i].ends[0], POLLIN, 0};
  for (int open = 3; open > 0;) {
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
    for (size_t i = 0; i < 3; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t got = ::read(waits[i].fd, buffer, sizeof buffer);
      if (got > 0 && texts[i]->size() < kKept) texts[i]->append(buffer, static_cast<size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) {
        waits[i].fd = -1;
        --open;
      }
    }
  }
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

int Spawn(const std::string& path, const std::vector<std::string>& arguments, int input, int output,
          const std::array<Pipe, 3>& pipes, pid_t* pid) {
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"};
  std::vector<char*> argv = Pointers(words), envp = Pointers(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (input >= 0) {
    posix_spawn_file_actions_adddup2(&actions, input, 0);
  } else {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, output >= 0 ? output : pipes[2].ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipes[1].ends[1], 2);
  posix_spawn_file_actions_adddup2(&actions, pipes[0].ends[1], 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawn(pid, path.c_str(), &actions, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Result<ChildResult> RunChild(std::string_view program, const std::vector<std::string>& arguments,
                             int input, int output) {
  const std::string path = Find(program);
  if (path.empty()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} isn't installed here", program));
  }
  std::array<Pipe, 3> pipes;  // status, messages, text
  pid_t pid = -1;
  if (const int error = Spawn(path, arguments, input, output, pipes, &pid); error != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("cannot start {}: {}", path, strerrordesc_np(error)));
  }
  for (Pipe& pipe : pipes) pipe.Close(1);
  ChildResult result;
  Collect(pipes, {&result.status, &result.messages, &result.text});
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace postern::jobs
