// tests/support/process.h: real servers on free ports for tests; scratch folders and commands come
// with it.
//
// Everything here ends what it started, by pid: a server stays in the foreground, is ended and
// reaped by Stop() or the destructor, and is ended by the kernel or a watcher when the test process
// dies first. Use from the main thread; no other thread may reap children (waitpid(-1)) at the same
// time. A helper that can't do its work (no such program, no port in time) fails the test with the
// reason and the end of the log: a missing server is never a skip.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/command.h"
#include "tests/support/scratch.h"
#include "tests/support/spawn.h"

namespace postern::support {

// A TCP port on 127.0.0.1 that is kept for this process until it ends: never the same twice, and
// nobody else's in the meantime. Only a server that binds with SO_REUSEADDR can listen there, as
// servers do. Nobody answers there before.
uint16_t FreePort();
// True when something accepts a connection on 127.0.0.1:port.
bool Connects(uint16_t port);

// Makes this process the parent of orphaned descendants, so that they can be found and ended.
// Called by ServerProcess; harmless to repeat.
void BecomeSubreaper();
// Ends and reaps those direct children of this process that ServerProcess didn't start and whose
// command name (/proc/PID/comm, 15 characters) is `name`: daemons that a command left behind, such
// as a restart by a provider. Answers how many.
int EndAdopted(std::string_view name);

// One server in the foreground. The log file (stdout and stderr) is LOG in the scratch folder.
class ServerProcess {
 public:
  struct Options {
    std::string name = "server";  // names the log file NAME.log and the messages
    Env env;                      // the whole environment besides PATH and LC_ALL=C.UTF-8
    std::string cwd;              // empty: the scratch folder
  };

  // Starts `argv`; argv[0] is looked for with FindProgram unless it has a slash.
  ServerProcess(const Scratch& scratch, const std::vector<std::string>& argv, Options options);
  ServerProcess(const Scratch& scratch, const std::vector<std::string>& argv)
      : ServerProcess(scratch, argv, Options()) {}
  ~ServerProcess() { Stop(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // True as soon as 127.0.0.1:port accepts a connection. False, with a test failure that shows the
  // log's end, when the server ended or the time is over.
  [[nodiscard]] bool WaitForPort(uint16_t port, seconds limit = seconds(20));
  // Likewise for a file (a pid file, a socket) that must appear.
  [[nodiscard]] bool WaitForFile(const std::string& path, seconds limit = seconds(20));

  // SIGTERM, `grace`, SIGKILL; reaps it and everything that descended from it. Again: nothing to
  // do.
  void Stop(milliseconds grace = milliseconds(5000));
  // SIGKILL at once, for tests of a server that dies. Descendants too.
  void Kill() { Stop(milliseconds(0)); }
  void Signal(int signal) const;

  // False once it ended; reaps it then.
  bool Alive();
  pid_t pid() const { return pid_; }
  const std::string& log_path() const { return log_path_; }
  // The last lines of the log.
  std::string LogTail(size_t lines = 40) const;

 private:
  template <class Ready>
  bool WaitFor(const std::string& what, seconds limit, Ready ready);
  void Start(const std::vector<std::string>& argv, const Options& options);
  void StartWatcher();
  void StopWatcher();

  std::string name_;
  std::string log_path_;
  std::string how_it_ended_;
  pid_t pid_ = -1;
  pid_t watcher_ = -1;
  int watch_fd_ = -1;  // the watcher sees its end of file when we die
};

}  // namespace postern::support
