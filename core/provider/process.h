// core/provider/process.h: one child process at the other end of a socket pair.
//
// The child gets descriptor 3 (its end of the pair), /dev/null as input, one pipe for stdout and
// stderr, an almost empty environment and a process group of its own (Ctrl-C is for the core to
// answer). A thread reads the pipe and keeps the last lines. Children are started from one thread
// that lives as long as we do: PR_SET_PDEATHSIG, which the child sets, follows the *thread* that
// started it (prctl(2)). Threads: any, but Stop once.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/base/result.h"

namespace postern::provider {

struct SpawnOptions {
  std::string program;     // absolute path
  std::string target;      // "host:edge": stands in the process list
  bool may_raise = false;  // the target's configuration says sudo: no_new_privs stays off
  bool ssh_agent = false;  // SSH_AUTH_SOCK is passed on
};

class Process {
 public:
  // `tick` is called about four times a second from the process's thread until it is stopped.
  // Errors: kUnavailable (no such program, no process left). Cost: about 2 ms.
  static Result<std::unique_ptr<Process>> Spawn(const SpawnOptions& options,
                                                std::function<void()> tick);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // Our end of the pair, non-blocking; the caller owns it from now on. Once.
  int TakeSocket();

  // "died (signal 9)", "ended (exit 1)"; empty when it still lives after `patience`.
  std::string WaitForDeath(std::chrono::milliseconds patience);
  // True while a signal (SIGSTOP) or a tracer holds the process.
  bool Stopped() const;
  // The last lines of the child's output on one line, without control characters.
  std::string LastWords();

  // Half-closes the pair, gives the child `patience` to end by itself, then SIGTERM, then SIGKILL.
  void Stop(std::chrono::milliseconds patience);

 private:
  Process() = default;
  void ReadOutput();
  void KeepOutput(const char* bytes, size_t count);
  bool Reap(std::chrono::milliseconds patience);

  pid_t pid_ = -1;
  int pidfd_ = -1, socket_ = -1, half_close_ = -1, output_ = -1, stop_ = -1;
  std::function<void()> tick_;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool output_ended_ = false;  // guarded by mutex_, as what follows
  std::string output_tail_;
  bool reaped_ = false;
  int wait_status_ = 0;
};

}  // namespace postern::provider
