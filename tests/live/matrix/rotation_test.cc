// A service account's password is changed on a real ProFTPD while its program works over FTP:
// nothing of it fails, and the old password is refused after. A login there has one password, so
// `next` is live from the moment on that it is declared.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"
#include "tests/support/proftpd.h"
#include "tests/support/working_program.h"

namespace postern::support {
namespace {

using testing::HasSubstr;

class PasswordRotation : public testing::Test {
 protected:
  PasswordRotation() : server_(scratch_) {
    std::filesystem::create_directories(Folder());
    std::filesystem::permissions(Folder(), std::filesystem::perms::all);
    for (const char* name : {"old", "new"}) {
      scratch_.Write(std::string("secret-") + name, std::string("the-") + name + "-password", 0600);
    }
    std::string start;
    for (const std::string& word : server_.StartCommand()) {
      if (word != "-n") start += fmt::format("{}\"{}\"", start.empty() ? "" : ", ", word);
    }
    scratch_.Write("world/operator/postern.toml",
                   fmt::format(R"(administrators = ["person:jo"]
[host.edge]
address = "local:"
manage = {{ roots = ["{0}"], accounts = "all" }}
[server.files]
host = "edge"
product = "proftpd"
config = "{1}"
include = "{2}"
uids = {{ from = 30000, to = 39999, gid = {3} }}
control = {{ pidfile = "{4}", start = [{5}] }}
limits = {{ lose_people = 100, lose_percent = 100, change_percent = 100 }}
[secret."*"]
from = "file:{6}/secret-*"
)",
                               server_.data(), server_.config_path(), server_.include_path(), Gid(),
                               server_.pid_path(), start, scratch_.path()));
  }
  ~PasswordRotation() override { EndAdopted("proftpd"); }

  static unsigned Gid() { return geteuid() == 0 ? 30000 : getegid(); }
  std::string Folder() const { return server_.data() + "/nightly"; }

  RunResult Postern(std::vector<std::string> words) {
    words.insert(words.begin(), POSTERN);
    return RunCommand(words, {.env = {{"NO_COLOR", "1"}}, .cwd = scratch_.File("world")});
  }
  // `slots`: lines such as current = { password = "secret:old" }.
  void Apply(const std::string& slots, const std::string& look) {
    scratch_.Write("world/access/all.toml", fmt::format(R"([person.jo]
[person.ka]
[folder.nightly]
path = "{0}"
host = "edge"
[service_account.nightly]
owner = "person:jo"
deputy = "person:ka"
purpose = "cards"
servers = ["files"]
home = "{0}"
rows = [{{ folder = "nightly", rights = ["list", "read", "create", "overwrite", "delete", "rename"] }}]
{1})",
                                                        Folder(), slots));
    EXPECT_THAT(Postern({"plan", "--detail"}).out, HasSubstr(look));
    const RunResult done = Postern({"apply", "--yes"});
    ASSERT_EQ(done.exit, 0) << done.out << done.err << server_.Logs();
    EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0);
  }

  std::string Url(const std::string& name) const {
    return fmt::format("ftp://127.0.0.1:{}/%2F{}/{}", server_.ftp_port(), Folder().substr(1), name);
  }
  bool LetsIn(const std::string& password) {
    return RunCommand({"curl", "-sS", "--list-only", "-u", "nightly:the-" + password + "-password",
                       Url("")})
               .exit == 0;
  }

  // Puts a file and gets it back, as fast as it can, each time over new connections, with both
  // passwords at hand, the new one first: as a job of ours does (cmd/postern/job_ports.cc), once
  // more when both were refused, as one may have taken the other's place between the two.
  void StartProgram() {
    const std::string loop = fmt::format(
        "try() {{ for p in new old new; do curl -sS -u nightly:the-$p-password \"$@\" 2>>{0}/said "
        "&& return 0; done; return 1; }}; "
        "n=0; while [ ! -e {0}/stop ]; do n=$((n+1)); echo $n >{0}/sent; : >{0}/said; "
        "try -T {0}/sent {1} && try -o {0}/got {1} && cmp -s {0}/sent {0}/got && echo done || "
        "{{ echo FAILED $n; cat {0}/said; }}; done",
        scratch_.path(), Url("a"));
    program_ = std::make_unique<WorkingProgram>(scratch_, loop);
  }

  Scratch scratch_;
  Proftpd server_;
  std::unique_ptr<WorkingProgram> program_;
};

TEST_F(PasswordRotation, NothingFailsAndTheOldPasswordIsRefusedAfter) {
  ASSERT_TRUE(server_.Start());
  const std::string old = "current = { password = \"secret:old\" }\n";
  ASSERT_NO_FATAL_FAILURE(Apply(old, "nightly"));
  ASSERT_TRUE(LetsIn("old")) << server_.Logs();
  StartProgram();
  program_->WaitForTimes(3);

  ASSERT_NO_FATAL_FAILURE(
      Apply(old + "next = { password = \"secret:new\" }\n", "a login has one password"));
  EXPECT_TRUE(LetsIn("new"));
  EXPECT_FALSE(LetsIn("old"));
  program_->WaitForTimes(3);

  ASSERT_NO_FATAL_FAILURE(Apply("current = { password = \"secret:new\" }\n", ""));
  EXPECT_TRUE(LetsIn("new"));
  EXPECT_FALSE(LetsIn("old"));
  program_->WaitForTimes(3);

  // And back at once, in one plan.
  ASSERT_NO_FATAL_FAILURE(Apply(old, "nightly"));
  EXPECT_FALSE(LetsIn("new"));
  program_->WaitForTimes(3);
  scratch_.Write("stop", "");
  program_->WaitForEnd();
  EXPECT_EQ(program_->Times("FAILED"), 0u) << program_->LogTail();
  EXPECT_GE(program_->Times("done"), 12u);
  std::printf("%zu transfers, %zu failed\n", program_->Times("done"), program_->Times("FAILED"));
}

}  // namespace
}  // namespace postern::support
