#include "tests/support/process.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace postern::support {
namespace {

namespace fs = std::filesystem;

// Accepts connections until it is ended; a real listener without further dependencies.
std::vector<std::string> Listener(uint16_t port) {
  return {"python3", "-m", "http.server", "--bind", "127.0.0.1", std::to_string(port)};
}

bool Exists(pid_t pid) {
  return kill(pid, 0) == 0;
}

TEST(Scratch, IsPrivateAndGoesAway) {
  std::string path;
  {
    Scratch scratch;
    path = scratch.path();
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700U);
    EXPECT_EQ(ReadFile(scratch.Write("a/b.txt", "hello", 0600)), "hello");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(FreePort, GivesDistinctPortsThatNobodyHolds) {
  const uint16_t first = FreePort();
  EXPECT_NE(first, FreePort());
  EXPECT_FALSE(Connects(first));
}

// A program that asks for any free port, or for this one, doesn't get what a test was answered.
TEST(FreePort, IsKeptForAServerOfThisTest) {
  const std::string port = std::to_string(FreePort());
  const std::string bind =
      "import socket, sys\n"
      "s = socket.socket()\n"
      "if len(sys.argv) > 2: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
      "s.bind(('127.0.0.1', int(sys.argv[1])))\n"
      "s.listen()\n";
  EXPECT_NE(RunCommand({"python3", "-c", bind, port}).exit, 0);
  const RunResult server = RunCommand({"python3", "-c", bind, port, "server"});
  EXPECT_EQ(server.exit, 0) << server.err;
}

TEST(RunCommand, TellsExitOutputAndErrors) {
  const RunResult result = RunCommand({"sh", "-c", "cat; echo oops >&2; exit 3"}, "in");
  EXPECT_EQ(result.exit, 3);
  EXPECT_EQ(result.out, "in");
  EXPECT_EQ(result.err, "oops\n");
}

TEST(RunCommand, TellsTheSignal) {
  const RunResult result = RunCommand({"sh", "-c", "kill -9 $$"});
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.exit, 128 + SIGKILL);
}

TEST(RunCommand, MovesMoreThanAPipeHolds) {
  const std::string big(1 << 20, 'x');
  EXPECT_EQ(RunCommand({"cat"}, big).out, big);
}

TEST(RunCommand, EndsWhatTakesTooLong) {
  RunOptions options;
  options.limit = seconds(1);
  const RunResult result = RunCommand({"sleep", "60"}, options);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
}

TEST(RunCommand, ADaemonThatKeepsThePipesDoesNotHoldUs) {
  BecomeSubreaper();
  const RunResult result = RunCommand({"sh", "-c", "sleep 61 & echo started"});
  EXPECT_EQ(result.out, "started\n");
  // For a moment after the fork it still bears the shell's name.
  EXPECT_TRUE(Eventually(seconds(10), [] { return EndAdopted("sleep") == 1; }));
}

TEST(RunCommand, CleanEnvironmentHasOnlyWhatIsGiven) {
  RunOptions options;
  options.clean_env = true;
  options.env = {{"A", "1"}};
  const RunResult result = RunCommand({"env"}, options);
  EXPECT_EQ(result.out.find("HOME="), std::string::npos);
  EXPECT_NE(result.out.find("A=1\n"), std::string::npos);
}

TEST(ServerProcess, IsReachableAndEnds) {
  Scratch scratch;
  const uint16_t port = FreePort();
  ServerProcess server(scratch, Listener(port));
  ASSERT_TRUE(server.WaitForPort(port));
  EXPECT_TRUE(server.Alive());
  const pid_t pid = server.pid();
  server.Stop();
  EXPECT_FALSE(Exists(pid));
  EXPECT_FALSE(Connects(port));
}

TEST(ServerProcess, DescendantsEndWithIt) {
  Scratch scratch;
  const std::string note = scratch.File("child.pid");
  ServerProcess server(
      scratch, {"sh", "-c", "setsid sleep 62 & echo $! > child.tmp; mv child.tmp child.pid; wait"});
  ASSERT_TRUE(server.WaitForFile(note));
  pid_t child = 0;
  std::ifstream(note) >> child;
  ASSERT_TRUE(Exists(child));
  server.Kill();
  EXPECT_FALSE(Exists(child));
}

TEST(ServerProcess, OneThatIgnoresSigtermIsEnded) {
  Scratch scratch;
  ServerProcess server(scratch, {"sh", "-c", "trap '' TERM; : > up; while :; do sleep 0.05; done"});
  ASSERT_TRUE(server.WaitForFile(scratch.File("up")));
  const pid_t pid = server.pid();
  server.Stop(milliseconds(200));
  EXPECT_FALSE(Exists(pid));
}

TEST(ServerProcess, OneThatDiesShowsItsLog) {
  EXPECT_NONFATAL_FAILURE(
      {
        Scratch scratch;
        ServerProcess server(scratch, {"sh", "-c", "echo no such database >&2; exit 7"});
        EXPECT_FALSE(server.WaitForPort(FreePort(), seconds(5)));
      },
      "no such database");
}

// The watcher: a test process that is killed takes its servers along, whatever uid they changed to.
TEST(ServerProcess, EndsWhenTheTestProcessDies) {
  Scratch scratch;
  const std::string note = scratch.File("server.pid");
  const pid_t test = fork();
  if (test == 0) {
    ServerProcess server(scratch, {"sh", "-c", "echo $$ > s.tmp; mv s.tmp server.pid; sleep 63"});
    pause();
    _exit(0);
  }
  ASSERT_TRUE(Eventually(seconds(5), [&] { return fs::exists(note); }));
  pid_t server = 0;
  std::ifstream(note) >> server;
  kill(test, SIGKILL);
  EXPECT_TRUE(Eventually(seconds(5), [&] {
    EndAdopted("sh");
    EndAdopted("unit_support");
    return !Exists(server);
  }));
  EndAdopted("sleep");
}

}  // namespace
}  // namespace postern::support
