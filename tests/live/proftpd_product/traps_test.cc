// The traps of ProFTPD, each on the daemon with ordinary clients (curl, OpenSSH's sftp), and what
// the raiser says of it. README.md lists where the other traps and capabilities are tried.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "providers/filetransfer/proftpd/raise.h"
#include "tests/support/process.h"
#include "tests/support/proftpd.h"

namespace postern::proftpd {
namespace {

namespace fs = std::filesystem;
using access::Right;

constexpr int kLoginDenied = 67;  // curl's exit codes
constexpr int kUploadFailed = 25;

class OneFile final : public FileSource {
 public:
  Result<std::string> Read(const std::string& path) const override {
    if (!fs::is_regular_file(path)) return Fail(ErrorCode::kNotFound, "no such file");
    return support::ReadFile(path);
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    static_cast<void>(pattern);
    return {};
  }
};

class ProftpdTraps : public ::testing::Test {
 protected:
  ProftpdTraps() : server_(scratch_) {
    server_.WriteAccounts({{.name = "u1", .password = "pw", .home = server_.data()}});
    server_.WriteGroups({{"g1", 40001, {"u1"}}});
    scratch_.Write("data/a/file", "old");
    support::OpenTree(server_.data());
  }

  // The configuration with `from` replaced by `to` everywhere.
  void Edit(const std::string& from, const std::string& to) {
    std::string text = support::ReadFile(server_.config_path());
    ASSERT_NE(text.find(from), std::string::npos) << from;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
      text.replace(at, from.size(), to);
      at += to.size();
    }
    scratch_.Write("proftpd/proftpd.conf", text);
  }

  support::RunResult Curl(std::vector<std::string> arguments, const std::string& path,
                          const std::string& input = "", const std::string& password = "pw") {
    arguments.insert(arguments.begin(),
                     {"curl", "-sS", "--max-time", "20", "-u", "u1:" + password});
    arguments.push_back(fmt::format("ftp://127.0.0.1:{}/{}", server_.ftp_port(), path));
    return support::RunCommand(arguments, input);
  }
  // `path` below the login folder.
  bool Reads(const std::string& path) { return Curl({}, path).out == "old"; }
  int Upload(const std::string& path, const std::string& text) {
    return Curl({"-T", "-"}, path, text).exit;
  }

  Verdict Ask(const std::string& path, Right right, std::vector<std::string> ftpaccess = {}) {
    auto raiser = Raiser::Make(OneFile(), {.main_file = server_.config_path(),
                                           .defines = {},
                                           .ftpaccess_files = std::move(ftpaccess),
                                           .accounts = {{"u1", {"g1"}, server_.data()}},
                                           .rules = {}});
    EXPECT_TRUE(raiser.has_value());
    return raiser->Decide("u1", {server_.data() + path}, right, Way::kFtp).verdict;
  }

  support::Scratch scratch_;
  support::Proftpd server_;
};

// Trap: file-transfer.md §3, SFTP: clients send a mode when they open a file to write.
TEST_F(ProftpdTraps, ARefusedSiteChmodBreaksSftpUploadsUnlessTheirModeIsIgnored) {
  const std::string key = scratch_.File("key");
  ASSERT_EQ(support::RunCommand({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}).exit,
            0);
  scratch_.Write(
      "proftpd/keys/u1",
      support::RunCommand({"ssh-keygen", "-e", "-m", "RFC4716", "-f", key + ".pub"}).out);
  server_.WriteConfig({.global = "<Limit SITE_CHMOD>\n  DenyAll\n</Limit>\n"});
  const std::string local = scratch_.Write("local", "new");
  const auto put = [&](const std::string& name) {
    const std::string batch =
        scratch_.Write("batch", fmt::format("put {} {}/{}\n", local, server_.data(), name));
    return support::RunCommand(
               {"sftp", "-q", "-F", "none", "-P", std::to_string(server_.sftp_port()), "-i", key,
                "-oIdentitiesOnly=yes", "-oStrictHostKeyChecking=no",
                "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes", "-b", batch, "u1@127.0.0.1"})
        .exit;
  };
  ASSERT_TRUE(server_.Start());
  EXPECT_EQ(put("good"), 0) << server_.Logs();
  EXPECT_EQ(support::ReadFile(server_.data() + "/good"), "new");
  server_.Stop();
  ASSERT_NO_FATAL_FAILURE(Edit("  SFTPOptions IgnoreSFTPUploadPerms\n", ""));
  ASSERT_TRUE(server_.Start());
  EXPECT_NE(put("bad"), 0);
  // Worse: an empty file is there.
  ASSERT_TRUE(fs::exists(server_.data() + "/bad"));
  EXPECT_EQ(fs::file_size(server_.data() + "/bad"), 0U);
}

// Trap: file-transfer.md §3, .ftpaccess: whoever may write in the folder writes its rules.
TEST_F(ProftpdTraps, AnAccessFileIsChangedByWhomItLimits) {
  server_.WriteConfig({.global = "AllowOverwrite on\n"});
  ASSERT_NO_FATAL_FAILURE(Edit("AllowOverride off", "AllowOverride on"));
  const std::string file = scratch_.Write("data/a/.ftpaccess", "<Limit RETR>\nDenyAll\n</Limit>\n");
  support::OpenTree(server_.data());
  ASSERT_TRUE(server_.Start());
  EXPECT_FALSE(Reads("a/file"));
  EXPECT_EQ(Upload("a/.ftpaccess", "<Limit RETR>\nAllowAll\n</Limit>\n"), 0);
  EXPECT_TRUE(Reads("a/file")) << "at once, without a reload";
  EXPECT_EQ(Ask("/a/file", Right::kRead, {file}), Verdict::kNotComputable);
}

TEST_F(ProftpdTraps, AFilterKeepsTheAccessFileAsItIs) {
  server_.WriteConfig({.global = "AllowOverwrite on\nPathDenyFilter \"(^|/)\\\\.ftpaccess$\"\n"});
  ASSERT_NO_FATAL_FAILURE(Edit("AllowOverride off", "AllowOverride on"));
  scratch_.Write("data/a/.ftpaccess", "<Limit RETR>\nDenyAll\n</Limit>\n");
  support::OpenTree(server_.data());
  ASSERT_TRUE(server_.Start());
  EXPECT_EQ(Upload("a/.ftpaccess", "<Limit RETR>\nAllowAll\n</Limit>\n"), kUploadFailed);
  EXPECT_EQ(Upload("a/other", "<Limit RETR>\nAllowAll\n</Limit>\n"), 0);
  EXPECT_NE(Curl({"-Q", "RNFR a/other", "-Q", "RNTO a/.ftpaccess"}, "").exit, 0);
  EXPECT_NE(Curl({"-Q", "DELE a/.ftpaccess"}, "").exit, 0);
  EXPECT_FALSE(Reads("a/file"));
  for (const Right right : {Right::kCreate, Right::kOverwrite, Right::kDelete, Right::kRename}) {
    EXPECT_EQ(Ask("/a/.ftpaccess", right), Verdict::kDenied);
    EXPECT_EQ(Ask("/a/other", right), Verdict::kAllowed);
  }
}

// Trap: file-transfer.md §3, .ftpaccess: off at server level is the cure that always holds.
TEST_F(ProftpdTraps, WithOverrideOffAnAccessFileSaysNothing) {
  const std::string file = scratch_.Write("data/a/.ftpaccess", "<Limit RETR>\nDenyAll\n</Limit>\n");
  support::OpenTree(server_.data());
  ASSERT_TRUE(server_.Start());
  EXPECT_TRUE(Reads("a/file"));
  EXPECT_EQ(Ask("/a/file", Right::kRead, {file}), Verdict::kAllowed);
}

// Trap: file-transfer.md §3, .ftpaccess: an error in it is a warning at most. What is then in force
// can't be relied on, so nothing below it is computed.
TEST_F(ProftpdTraps, ABrokenAccessFileStopsNoServerAndIsNotComputable) {
  ASSERT_NO_FATAL_FAILURE(Edit("AllowOverride off", "AllowOverride on"));
  const std::string file =
      scratch_.Write("data/a/.ftpaccess", "NoSuchDirective on\n<Limit RETR>\nDenyAll\n");
  support::OpenTree(server_.data());
  ASSERT_TRUE(server_.Start());
  EXPECT_EQ(Curl({}, "").exit, 0) << server_.Logs();
  EXPECT_EQ(Ask("/a/file", Right::kRead, {file}), Verdict::kNotComputable);
  EXPECT_EQ(Ask("/b", Right::kRead, {file}), Verdict::kAllowed);
}

// Trap: file-transfer.md §3, files: the first line of a name counts, a garbage line is passed over.
TEST_F(ProftpdTraps, TheFirstLineOfALoginCountsAndGarbageIsPassedOver) {
  server_.WriteAccounts({{.name = "u1", .password = "pw", .home = server_.data()},
                         {.name = "u1", .password = "other", .home = server_.data()}});
  const std::string lines = support::ReadFile(server_.passwd_path());
  scratch_.Write("proftpd/passwd", "not a line\n" + lines, 0600);
  ASSERT_TRUE(server_.Start());
  EXPECT_EQ(Curl({}, "").exit, 0) << server_.Logs();
  EXPECT_EQ(Curl({}, "", "", "other").exit, kLoginDenied);
}

// Trap: file-transfer.md §3, ACL: ALL covers no LOGIN.
TEST_F(ProftpdTraps, AllDoesNotRefuseALogin) {
  for (const bool all : {true, false}) {
    server_.WriteConfig(
        {.global = fmt::format("<Limit {}>\n  DenyAll\n</Limit>\n", all ? "ALL" : "LOGIN")});
    ASSERT_TRUE(server_.Start());
    EXPECT_EQ(Curl({"-v"}, "").err.find("< 230 ") != std::string::npos, all) << server_.Logs();
    server_.Stop();
  }
}

// Trap: file-transfer.md §3, ACL, as corrected by proftpd-access.md §2.4: a folder is hidden from
// its parent's listing by ALL, and by no other refusal but the listing's own.
TEST_F(ProftpdTraps, AFolderIsHiddenByAllAndSeenWhereReadingIsRefused) {
  for (const bool all : {true, false}) {
    server_.WriteConfig(
        {.global = fmt::format("<Directory {}/a>\n<Limit {}>\nDenyAll\n</Limit>\n</Directory>\n",
                               server_.data(), all ? "ALL" : "READ CWD")});
    ASSERT_TRUE(server_.Start());
    const bool seen = Curl({"-l"}, "").out.find("a\n") != std::string::npos;
    EXPECT_EQ(seen, !all);
    EXPECT_FALSE(Reads("a/file"));
    EXPECT_EQ(Ask("/a/file", Right::kRead), Verdict::kDenied);
    server_.Stop();
  }
}

// Trap: proftpd-access.md §1.9: FTP DELE through a symlinked folder asks the link's path.
TEST_F(ProftpdTraps, DeleThroughASymlinkedFolderEvadesTheRule) {
  server_.WriteConfig(
      {.global = fmt::format("<Directory {}/a>\n<Limit DELE>\nDenyAll\n</Limit>\n</Directory>\n",
                             server_.data())});
  fs::create_directory_symlink(server_.data() + "/a", server_.data() + "/link");
  ASSERT_TRUE(server_.Start());
  EXPECT_NE(Curl({"-Q", "DELE a/file"}, "").exit, 0);
  EXPECT_TRUE(fs::exists(server_.data() + "/a/file"));
  EXPECT_EQ(Curl({"-Q", "DELE link/file"}, "").exit, 0) << server_.Logs();
  EXPECT_FALSE(fs::exists(server_.data() + "/a/file"));
  // The raiser answers for the path it is asked for: whoever resolves links must ask for both.
  EXPECT_EQ(Ask("/a/file", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask("/link/file", Right::kDelete), Verdict::kAllowed);
}

}  // namespace
}  // namespace postern::proftpd
