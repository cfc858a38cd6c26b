// tests/support/spawn.h: what every kind of started process needs: its environment, exec, pipes,
// and the tree of processes below it. Internal to tests/support; tests include command.h, process.h
// or terminal.h.
//
// Main thread only: children are reaped with waitpid by their pid.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace postern::support {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Env = std::map<std::string, std::string>;

// Polls `ready` every 20 ms until it answers true or the time is over.
template <class Ready>
bool Eventually(milliseconds limit, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    if (ready()) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
}

// The program's path in PATH, /usr/sbin and /sbin; fails the test when there is none.
std::string FindProgram(std::string_view name);

// errno in words.
std::string Reason();

// argv and environment in the form that exec wants; made before fork, where allocation is safe.
class Words {
 public:
  explicit Words(std::vector<std::string> words);
  char* const* data() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

// `env` with PATH and LC_ALL=C.UTF-8, or over our own environment.
std::vector<std::string> CleanEnv(const Env& env);
std::vector<std::string> OwnEnvWith(const Env& env);

// In the child, between fork and exec: only async-signal-safe calls. The child dies with us.
[[noreturn]] void Exec(const char* program, Words& argv, Words& env, const char* cwd, pid_t parent);

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe();
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void CloseRead() { Close(&read_end); }
  void CloseWrite() { Close(&write_end); }
  static void Close(int* fd);
};

// One read into `out`; closes the end at end of file.
void Drain(int* fd, std::string* out);

struct ProcStat {
  pid_t parent = 0;
  std::string name;  // /proc/PID/comm, 15 characters
};

std::optional<ProcStat> StatOf(pid_t pid);
std::vector<pid_t> ChildrenOf(pid_t parent);
std::vector<pid_t> DescendantsOf(pid_t root);
// Waits for a child of ours; false when the time is over. A pid that isn't ours counts as gone.
bool ReapWithin(pid_t pid, milliseconds limit, int* status);
// SIGTERM, `grace` (0: none), SIGKILL; reaps it.
void EndChild(pid_t pid, milliseconds grace, int* status);
// What was below a process that is gone has come to us, the sub-reaper; only those are ended.
void EndOrphans(const std::vector<pid_t>& pids);

}  // namespace postern::support
