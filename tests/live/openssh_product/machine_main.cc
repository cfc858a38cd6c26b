// main() of the tests that need system accounts (machine.h): a process namespace of their own.
//
// Accounts of two tests have one name and one number, and what Postern does to a session it does to
// every session of that account on the host. So each such binary runs as the only thing on its
// machine: process 1 reaps what is left over, and when it ends, all end with it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace {

[[noreturn]] void Give(int status) {
  // As a shell tells it: a signal is 128 and its number.
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

[[noreturn]] void Fail(const char* what) {
  fmt::print(stderr, "{}: {}\n", what, std::generic_category().message(errno));
  ::_exit(1);
}

// Process 1: returns in its child, which is to run the tests.
void BecomeInit() {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    Fail("mount /proc");
  }
  const pid_t tests = ::fork();
  if (tests < 0) Fail("fork");
  if (tests == 0) return;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == tests) Give(status);
    if (ended < 0 && errno != EINTR) Fail("wait for the tests");
  }
}

// Returns in the process that is to run the tests.
void EnterOwnProcesses() {
  if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) Fail("a process namespace, which needs root");
  const pid_t init = ::fork();
  if (init < 0) Fail("fork");
  if (init == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    BecomeInit();
    return;
  }
  int status = 0;
  while (::waitpid(init, &status, 0) < 0) {
    if (errno != EINTR) Fail("wait for process 1");
  }
  Give(status);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  if (!testing::GTEST_FLAG(list_tests)) EnterOwnProcesses();
  return RUN_ALL_TESTS();
}
