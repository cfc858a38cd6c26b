// What an apply tells when the daemon refuses what it is given, or doesn't come back: the reason in
// the daemon's own words, in the report and in the ledger, and the include before in its place.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/live/drift/world.h"

namespace postern::support {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A port of loopback that somebody else has.
class PortHolder {
 public:
  PortHolder() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_, generic, size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    EXPECT_EQ(::getsockname(socket_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~PortHolder() { ::close(socket_); }
  PortHolder(const PortHolder&) = delete;
  PortHolder& operator=(const PortHolder&) = delete;
  uint16_t port() const { return port_; }

 private:
  int socket_;
  uint16_t port_ = 0;
};

class ReloadTold : public ::testing::Test, protected FilesWorld {
 protected:
  // `background`: as a service runs, with a log of its own, over `config`.
  void Begin(const std::string& config = "") {
    if (config.empty()) {
      ASSERT_TRUE(server_.Start());
    } else {
      std::vector<std::string> start = Start();
      start.back() = config;
      ASSERT_EQ(RunCommand(start).exit, 0);
      ASSERT_TRUE(Eventually(seconds(10), [&] { return Connects(server_.ftp_port()); }));
    }
    const RunResult apply = Postern({"apply", "--yes"});
    ASSERT_EQ(apply.exit, 0) << apply.out << apply.err;
    include_ = ReadFile(server_.include_path());
    ASSERT_THAT(include_, HasSubstr("<Directory"));
    // One right more, so that there is something to write.
    Declare(R"("list", "create", "delete")");
  }
  std::string ApplyFails() {
    const RunResult run = Postern({"apply", "--yes"});
    EXPECT_NE(run.exit, 0) << run.out;
    return Words(run.out + run.err);
  }
  std::string LedgerSays() { return Words(Postern({"ledger", "show"}).out); }
  // On one line: what is told is wrapped to the width of a page.
  static std::string Words(const std::string& text) {
    std::string line;
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\n';
      if (!blank || !line.ends_with(' ')) line += blank ? ' ' : c;
    }
    return line;
  }
  void ExpectTheIncludeBefore() {
    EXPECT_EQ(ReadFile(server_.include_path()), include_);
    for (const auto& entry : std::filesystem::directory_iterator(scratch_.File("proftpd"))) {
      EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("postern-")));
    }
  }
  std::string SystemLog() const { return "SystemLog " + scratch_.File("system.log"); }
  void Mended() {
    const RunResult apply = Postern({"apply", "--yes"});
    EXPECT_EQ(apply.exit, 0) << apply.out << apply.err;
    EXPECT_NE(ReadFile(server_.include_path()), include_);
    EXPECT_TRUE(Connects(server_.ftp_port()));
  }

  std::string include_;
};

// Trap: ProFTPD ends its check well with a mistake in a file of a pattern, and goes on without all
// that stands behind that Include, our rules among it.
TEST_F(ReloadTold, AMistakeInAFileOfAPatternIsToldAndNothingIsLoadedOverIt) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const std::string pid = ReadFile(server_.pid_path());
  const std::string file = scratch_.Write("conf.d/hand.conf", "# by hand\nMaxInstances 0\n");
  EXPECT_EQ(server_.Check().exit, 0) << "the trap itself";
  const std::string why = fmt::format(
      "fatal: MaxInstances: argument must be 'none' or a number greater than 0 on line 2 of '{}'",
      file);
  EXPECT_THAT(Words(Postern({"drift"}).out), HasSubstr(file + ":2"));
  EXPECT_THAT(Words(Postern({"providers", "doctor"}).out), HasSubstr(why));
  const std::string refused = "proftpd -t refuses the new include, nothing was changed: " + why;
  // Less than before is what even a rule by other hands doesn't hold.
  Declare(R"("list")");
  EXPECT_THAT(ApplyFails(), HasSubstr(refused));
  EXPECT_THAT(LedgerSays(), HasSubstr(refused));
  EXPECT_THAT(Postern({"apply", "--yes", "--json"}).out, HasSubstr(why));
  ExpectTheIncludeBefore();
  EXPECT_EQ(ReadFile(server_.pid_path()), pid);
  EXPECT_TRUE(Connects(server_.sftp_port())) << "it was told nothing";
  scratch_.Write("conf.d/hand.conf", "# by hand\n");
  Mended();
}

// The main file is checked as a copy, in which includes have other names: the complaint is about
// the file and the line that people know.
TEST_F(ReloadTold, AMistakeInTheMainFileIsToldWhereItStands) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  // Two files of one pattern: a line of the main file that stands for several.
  scratch_.Write("proftpd/post-more.conf", "# more\n");
  auto bad = Options();
  bad.include = false;
  bad.global += "\nInclude " + scratch_.File("proftpd") + "/post*.conf";
  bad.sftp = "MaxInstances 0";
  server_.WriteConfig(bad);
  const std::string text = ReadFile(server_.config_path());
  const auto line = 1 + std::count(text.begin(), text.begin() + text.find("MaxInstances 0"), '\n');
  const std::string where = fmt::format("on line {} of '{}'", line, server_.config_path());
  EXPECT_THAT(ApplyFails(), AllOf(HasSubstr("nothing was changed: fatal:"), HasSubstr(where)));
  EXPECT_THAT(LedgerSays(), HasSubstr(where));
  ExpectTheIncludeBefore();
}

// The checker is content, and the daemon can't have the port: what only its log knows.
TEST_F(ReloadTold, ADaemonThatDoesNotComeBackIsToldWithWhatItsLogSays) {
  server_.WriteConfig(Options(SystemLog()));
  ASSERT_NO_FATAL_FAILURE(Begin(server_.config_path()));
  auto taken = std::make_unique<PortHolder>();
  scratch_.Write(
      "conf.d/hand.conf",
      fmt::format("<VirtualHost 127.0.0.1>\n  Port {}\n</VirtualHost>\n", taken->port()));
  const std::string why = fmt::format("Failed binding to 127.0.0.1, port {}", taken->port());
  const std::string said = ApplyFails();
  EXPECT_THAT(said,
              AllOf(HasSubstr("proftpd ended after it was told to read its files again"),
                    HasSubstr("proftpd -t finds nothing wrong"), HasSubstr("its log says: " + why),
                    HasSubstr("the include before is in its place again, but: proftpd ")));
  EXPECT_THAT(LedgerSays(), HasSubstr("its log says: " + why));
  EXPECT_EQ(ReadFile(server_.include_path()), include_);
  EXPECT_FALSE(Connects(server_.ftp_port()));
  // Once the port is free the next apply finishes what this one began, the start included.
  taken.reset();
  Mended();
}

// It reads more than Postern knows of, and dies of that: the daemon that is started instead reads
// what Postern knows.
TEST_F(ReloadTold, ADaemonThatDiesOfItsReloadIsStartedAgainAndTheReasonTold) {
  server_.WriteConfig(Options(SystemLog()));
  const std::string outer = scratch_.Write("outer.conf", "Include " + server_.config_path() + "\n");
  ASSERT_NO_FATAL_FAILURE(Begin(outer));
  const PortHolder taken;
  scratch_.Write("outer.conf",
                 fmt::format("Include {}\n<VirtualHost 127.0.0.1>\n  Port {}\n</VirtualHost>\n",
                             server_.config_path(), taken.port()));
  const std::string why = fmt::format("Failed binding to 127.0.0.1, port {}", taken.port());
  EXPECT_THAT(
      ApplyFails(),
      AllOf(HasSubstr("proftpd ended after it was told to read its files again"),
            HasSubstr("its log says: " + why), HasSubstr("the include before is in force again")));
  EXPECT_THAT(LedgerSays(), HasSubstr(why));
  ExpectTheIncludeBefore();
  EXPECT_TRUE(Connects(server_.ftp_port())) << "another one serves";
  Mended();
}

}  // namespace
}  // namespace postern::support
