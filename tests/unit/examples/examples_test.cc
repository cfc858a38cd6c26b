// What README.md and the examples show must load without a word: every TOML block and file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "tests/support/process.h"

namespace postern {
namespace {

namespace fs = std::filesystem;
using support::ReadFile;
using support::Scratch;

const std::string kSource = POSTERN_SOURCE_DIR;
// An ed25519 line without a private half: zeros but for the frame and the last bytes.
std::string KeyLine(char last) {
  return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + std::string(42, 'A') + last;
}

// As somebody would who has copied it: no word but that it is in order.
void ExpectLoads(const Scratch& scratch) {
  const support::RunResult said = support::RunCommand(
      {POSTERN, "validate", "--operator", scratch.File("operator/postern.toml")});
  EXPECT_EQ(said.exit, 0);
  EXPECT_EQ(said.err, "");
  EXPECT_THAT(said.out, testing::HasSubstr("no problems"));
}

// The blocks between ```toml and ```, in order.
std::vector<std::string> TomlBlocks(const std::string& text) {
  std::vector<std::string> blocks;
  const std::string open = "```toml\n";
  for (size_t at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    at += open.size();
    blocks.push_back(text.substr(at, text.find("```", at) - at));
  }
  return blocks;
}

TEST(Examples, ReadmeLoads) {
  std::vector<std::string> blocks = TomlBlocks(ReadFile(kSource + "/README.md"));
  ASSERT_EQ(blocks.size(), 8U);
  for (std::string& block : blocks) {
    block = std::regex_replace(block, std::regex("ssh-ed25519 AAAA\\.\\.\\."), KeyLine('B'));
  }
  Scratch scratch;
  scratch.Write("operator/postern.toml",
                blocks[0] + "\n" + blocks[2] + "\n" + blocks[4] + "\n" + blocks[6]);
  scratch.Write("access/all.toml",
                blocks[1] + "\n" + blocks[3] + "\n" + blocks[5] + "\n" + blocks[7]);
  ExpectLoads(scratch);
}

// The words that examples/quickstart/run.sh fills in.
TEST(Examples, QuickstartLoads) {
  const std::vector<std::pair<std::string, std::string>> words = {
      {"@ROOT@", "/srv/exchange"},
      {"@PROFTPD@", "/etc/proftpd"},
      {"@SECRETS@", "/etc/secrets"},
      {"@GID@", "30000"},
      {"@DAEMON@", "/sbin/proftpd"},
      {"@LDAP_PORT@", "389"},
      {"@STARTS@", "2026-01-01"},
      {"@ENDS@", "2026-12-31"},
      {"@LI_KEY@", KeyLine('B') + " li"},
      {"@ACME_KEY@", KeyLine('C') + " acme"},
      {"@CARDS_KEY@", KeyLine('D') + " cards"},
      {"@FTP_HOST_KEY@", KeyLine('E')},
      {"@JOBS@", "/var/lib/postern"},
      {"@JOB_USER@", "jobs"},
      {"@BIN@", "/usr/bin"},
      {"@SFTP_PORT@", "2222"}};
  Scratch scratch;
  const fs::path from = kSource + "/examples/quickstart";
  for (const char* part : {"operator", "access"}) {
    for (const auto& entry : fs::recursive_directory_iterator(from / part)) {
      if (!entry.is_regular_file()) continue;
      std::string text = ReadFile(entry.path());
      for (const auto& [word, value] : words) {
        text = std::regex_replace(text, std::regex(word), value);
      }
      scratch.Write(fs::relative(entry.path(), from).string(), text);
    }
  }
  ExpectLoads(scratch);
}

}  // namespace
}  // namespace postern
