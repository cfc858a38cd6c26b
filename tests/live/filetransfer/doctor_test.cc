// What `postern providers doctor` shows of a ProFTPD host with each thing missing: what is found,
// and the lines to add.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using testing::Contains;
using testing::HasSubstr;

class DoctorTest : public testing::Test {
 protected:
  // The checks that fail, by name without the server's.
  static std::map<std::string, object::Check> Needs(object::Target& target) {
    auto probe = target.ProbeTarget();
    EXPECT_TRUE(probe) << probe.error().message;
    std::map<std::string, object::Check> out;
    if (!probe) return out;
    for (object::Check& check : probe->checks) {
      if (check.ok) continue;
      const size_t server = check.name.find(": ");
      std::string name = server == std::string::npos ? check.name : check.name.substr(server + 2);
      out.emplace(std::move(name), std::move(check));
    }
    return out;
  }
  static std::string Names(const std::map<std::string, object::Check>& needs) {
    std::string out;
    for (const auto& [name, check] : needs) out += name + " (" + check.found + "); ";
    return out;
  }

  World world_{false};
};

TEST_F(DoctorTest, AHostThatIsReadyNeedsNothing) {
  ASSERT_TRUE(world_.Start());
  EXPECT_EQ(Names(Needs(*world_.target)), "");
}

TEST_F(DoctorTest, TheIncludeLineIsGiven) {
  support::Proftpd::Options options;
  options.include = false;
  world_.proftpd.WriteConfig(options);
  ASSERT_TRUE(world_.Start());
  const auto needs = Needs(*world_.target);
  ASSERT_TRUE(needs.contains("include line")) << Names(needs);
  EXPECT_THAT(needs.at("include line").lines_to_add,
              Contains("  Include " + world_.proftpd.include_path()));
  EXPECT_EQ(needs.at("include line").where, world_.proftpd.config_path());
  EXPECT_EQ(needs.size(), 1u) << Names(needs);
}

TEST_F(DoctorTest, AFolderThatIsIncludedWholeIsNoPlaceForCandidates) {
  support::Proftpd::Options options;
  options.include = false;
  const std::string folder = world_.scratch.Folder("proftpd/conf.d");
  world_.scratch.Write("proftpd/conf.d/postern.conf", "");
  options.global = "Include " + folder;
  world_.proftpd.WriteConfig(options);
  ASSERT_TRUE(world_.Start());
  auto config = world_.Config();
  config.mutable_servers(0)->set_include(folder + "/postern.conf");
  const auto target = world_.Connect(config);
  const auto needs = Needs(*target);
  ASSERT_TRUE(needs.contains("include line")) << Names(needs);
  EXPECT_THAT(needs.at("include line").found, HasSubstr("includes a whole folder"));
}

TEST_F(DoctorTest, FilesThatTheConfigurationNamesAndThatAreNotThere) {
  ASSERT_TRUE(world_.Start());
  std::filesystem::remove(world_.proftpd.passwd_path());
  std::filesystem::remove(world_.proftpd.group_path());
  std::filesystem::remove(world_.proftpd.keys_path());
  const auto needs = Needs(*world_.target);
  ASSERT_TRUE(needs.contains("accounts") && needs.contains("groups") && needs.contains("keys"))
      << Names(needs);
  EXPECT_THAT(needs.at("accounts").found,
              HasSubstr("make it: install -m 0600 /dev/null " + world_.proftpd.passwd_path()));
  EXPECT_THAT(needs.at("groups").found, HasSubstr(world_.proftpd.group_path()));
  EXPECT_THAT(needs.at("keys").found, HasSubstr("make it: mkdir -m 0755"));
}

// Trap: file-transfer.md §3, files: the daemon takes accounts from a file that everybody may write.
TEST_F(DoctorTest, AUserFileThatEverybodyMayWriteIsToldThoughTheDaemonReadsIt) {
  ASSERT_TRUE(world_.Start());
  kinds::Account account = world_.Account("bea");
  account.set_password("secret:pw");
  ExpectAll({world_.ApplyOne(world_.Create(account))}, Status::kApplied);
  std::filesystem::permissions(world_.proftpd.passwd_path(), std::filesystem::perms(0666));
  EXPECT_EQ(world_.FtpList("bea", "correct horse"), 0) << "it is read all the same";
  const auto needs = Needs(*world_.target);
  ASSERT_TRUE(needs.contains("accounts")) << Names(needs);
  EXPECT_THAT(needs.at("accounts").found, HasSubstr("everybody may write"));
  EXPECT_EQ(needs.size(), 1u) << Names(needs);
}

TEST_F(DoctorTest, ADaemonThatIsDownAndThatNobodyCanStart) {
  auto config = world_.Config();
  config.mutable_servers(0)->mutable_control()->clear_start();
  const auto target = world_.Connect(config);
  const auto needs = Needs(*target);
  ASSERT_TRUE(needs.contains("daemon") && needs.contains("start")) << Names(needs);
  EXPECT_THAT(needs.at("daemon").found,
              HasSubstr("no proftpd runs by " + world_.proftpd.pid_path()));
  EXPECT_THAT(needs.at("start").lines_to_add, Contains("control = { unit = \"proftpd.service\" }"));
  EXPECT_EQ(needs.size(), 2u) << Names(needs);
}

TEST_F(DoctorTest, AManagedRootThatIsNoFolder) {
  ASSERT_TRUE(world_.Start());
  auto config = world_.Config();
  config.mutable_host()->mutable_manage()->mutable_roots()->add_values("/nonexistent/postern");
  const auto target = world_.Connect(config);
  const auto needs = Needs(*target);
  ASSERT_TRUE(needs.contains("managed roots")) << Names(needs);
  EXPECT_THAT(needs.at("managed roots").found, HasSubstr("/nonexistent/postern"));
}

}  // namespace
}  // namespace postern::filetransfer
