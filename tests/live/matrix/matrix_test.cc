// The live matrix: declarations -> `postern apply` -> a real ProFTPD -> real clients, against what
// a script reads from the TOML alone. See README.md.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/process.h"
#include "tests/support/proftpd.h"

namespace postern::support {
namespace {

std::string Json(const std::string& text) {
  return "\"" + text + "\"";  // paths and words of ours: nothing to escape
}

class LiveMatrix : public ::testing::Test {
 protected:
  // What an account leaves is for its group, as in a real exchange.
  LiveMatrix() : server_(scratch_, {.global = "Umask 007 007"}) {
    connection_ = scratch_.Write("connection.json", Connection());
    const std::string key = ReadFile(server_.host_key_path() + ".pub");
    const std::string ecdsa = ReadFile(server_.host_key_path() + "_ecdsa.pub");
    scratch_.Write("known_hosts", fmt::format("[127.0.0.1]:{0} {1}[127.0.0.1]:{0} {2}",
                                              server_.sftp_port(), key, ecdsa));
  }
  ~LiveMatrix() override { EndAdopted("proftpd"); }

  std::string Connection() const {
    const bool root = geteuid() == 0;
    std::string start;
    for (const std::string& word : server_.StartCommand()) {
      if (word != "-n") start += (start.empty() ? "" : ", ") + Json(word);
    }
    return fmt::format(
        R"({{"ftp_port": {}, "sftp_port": {}, "root": {}, "config": {}, "include": {},
"passwd": {}, "pidfile": {}, "clients": {}, "known_hosts": {}, "uid": {}, "gid": {},
"start": [{}]}})",
        server_.ftp_port(), server_.sftp_port(), Json(server_.data()), Json(server_.config_path()),
        Json(server_.include_path()), Json(server_.passwd_path()), Json(server_.pid_path()),
        Json(scratch_.File("clients")), Json(scratch_.File("known_hosts")),
        root ? 30000 : geteuid(), root ? 30000 : getegid(), start);
  }

  RunResult Postern(std::vector<std::string> words) {
    words.insert(words.begin(), POSTERN);
    return RunCommand(words, {.env = {{"NO_COLOR", "1"}}, .cwd = scratch_.File("world")});
  }

  void Declare(const std::string& phase) {
    const char* seed = std::getenv("POSTERN_SEED");  // NOLINT(concurrency-mt-unsafe)
    const RunResult made =
        RunCommand({"python3", std::string(MATRIX) + "/world.py", seed == nullptr ? "1" : seed,
                    phase, scratch_.path(), connection_});
    ASSERT_EQ(made.exit, 0) << made.err;
  }

  void Converge() {
    const RunResult apply = Postern({"apply", "--yes"});
    ASSERT_EQ(apply.exit, 0) << apply.out << apply.err << server_.Logs();
    const RunResult plan = Postern({"plan", "--detailed-exitcode"});
    ASSERT_EQ(plan.exit, 0) << "the second plan is not empty\n" << plan.out << plan.err;
  }

  RunResult Oracle(const std::vector<std::string>& logins = {}) {
    std::vector<std::string> words = {"python3", "-B", std::string(MATRIX) + "/oracle.py",
                                      scratch_.File("world/access"), connection_};
    words.insert(words.end(), logins.begin(), logins.end());
    return RunCommand(words, {.limit = seconds(240)});
  }

  void Compare(const std::string& phase) {
    const RunResult oracle = Oracle();
    std::printf("%s the change: %s\n", phase.c_str(), oracle.out.c_str());
    ASSERT_EQ(oracle.exit, 0) << oracle.err << server_.Logs() << ReadFile(server_.include_path());
    EXPECT_NE(oracle.out.find("\"decisions\": 1728"), std::string::npos);
  }

  Scratch scratch_;
  Proftpd server_;
  std::string connection_;
};

TEST_F(LiveMatrix, ClientsMayDoWhatTheTomlSaysAndNothingElse) {
  ASSERT_TRUE(server_.Start());
  for (const std::string phase : {"before", "after"}) {
    ASSERT_NO_FATAL_FAILURE(Declare(phase));
    ASSERT_NO_FATAL_FAILURE(Converge());
    ASSERT_NO_FATAL_FAILURE(Compare(phase));
  }
  // The oracle can fail: a right more, or less, in the TOML than at the server is found by both
  // clients.
  const std::string grants = ReadFile(scratch_.File("world/access/grants.toml"));
  scratch_.Write("world/access/grants.toml",
                 grants +
                     "[[grant]]\nwho = [\"person:cyril\"]\nfolder = \"exchange\"\n"
                     "rights = [\"list\", \"delete\"]\n");
  const RunResult wider = Oracle({"cyril"});
  EXPECT_EQ(wider.exit, 1) << wider.err;
  EXPECT_NE(wider.out.find("different over ftp"), std::string::npos) << wider.out;
  EXPECT_NE(wider.out.find("different over sftp"), std::string::npos) << wider.out;
  scratch_.Write("world/access/grants.toml", "");
  EXPECT_EQ(Oracle({"bolt-in"}).exit, 1);
}

}  // namespace
}  // namespace postern::support
