#include "tests/support/command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace postern::support {
namespace {

using Clock = std::chrono::steady_clock;

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

RunResult RunCommand(const std::vector<std::string>& argv, const RunOptions& options) {
  RunResult result;
  const std::string program = FindProgram(argv.at(0));
  Words words(argv);
  Words env(options.clean_env ? CleanEnv(options.env) : OwnEnvWith(options.env));
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
    Exec(program.c_str(), words, env, options.cwd.c_str(), parent);
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

}  // namespace postern::support
