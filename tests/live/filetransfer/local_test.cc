// What has nothing to do with the way to the host: renames, new passwords, ends of sessions, and
// the deny-all of a managed root.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/access/rights.h"
#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using access::Right;
using access::Rights;
using testing::HasSubstr;

const uint32_t kRead = (Rights(Right::kList) | Right::kRead).bits();

class LocalProftpdTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(world_.Start());
    support::MakeSshKey("ed25519", key_ = world_.scratch.File("bea_key"));
  }

  kinds::Account WithPassword(const std::string& login) {
    kinds::Account account = world_.Account(login);
    account.set_password("secret:pw");
    return account;
  }

  World world_{false};
  std::string key_;
};

TEST_F(LocalProftpdTest, AStarEndsEverySessionOfItsLoginAndNoOther) {
  World& w = world_;
  kinds::Account eve = WithPassword("eve");
  ExpectAll(w.Apply({w.Create(WithPassword("bea")), w.Create(eve)}), Status::kApplied);
  for (const char* login : {"bea", "bea", "eve"}) {
    static int number = 0;
    const std::string url = "ftp://127.0.0.1:" + std::to_string(w.proftpd.ftp_port()) + "/slow" +
                            std::to_string(++number);
    const support::RunResult made =
        support::RunCommand({"sh", "-c",
                             "(sleep 30) | curl -sS -u '" + std::string(login) +
                                 ":correct horse' -T - '" + url + "' >/dev/null 2>&1 &"},
                            "");
    ASSERT_EQ(made.exit, 0);
  }
  ASSERT_TRUE(support::Eventually(std::chrono::milliseconds(8000), [&] {
    return w.Enumerate({Kind::kSession}).Count(Kind::kSession) == 3;
  }));
  kinds::Session all;
  all.set_server("ftp");
  all.set_login("bea");
  all.set_session("*");
  const Object star = object::Encode(all);
  const Outcome outcome = w.ApplyOne(w.Remove(star));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  const Seen rest = w.Enumerate({Kind::kSession});
  ASSERT_EQ(rest.Count(Kind::kSession), 1u);
  EXPECT_EQ(object::DecodeAs<kinds::Session>(rest.objects.begin()->second.body).login(), "eve");
  EXPECT_EQ(w.ApplyOne(w.Remove(star)).status, Status::kAlreadySo);
}

// An include that somebody emptied grants nothing and denies nothing: the deny-all is missing,
// which is told apart from a host that was never written only by what the core remembers.
TEST_F(LocalProftpdTest, AnEmptiedIncludeLacksTheDenyAllAndIsWrittenAgain) {
  World& w = world_;
  std::ofstream(w.proftpd.data() + "/f") << "content";
  support::OpenTree(w.proftpd.data());
  const Operation grant = w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead));
  ExpectAll(
      w.Apply({w.Create(WithPassword("bea")), w.Create(WithPassword("eve")), w.Baseline(), grant}),
      Status::kApplied);
  const std::string good = support::ReadFile(w.proftpd.include_path());
  ASSERT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
  ASSERT_NE(w.FtpGet("eve", "correct horse", "f"), 0);

  w.proftpd.WriteInclude("");
  ASSERT_TRUE(w.proftpd.Reload());
  ASSERT_EQ(w.FtpGet("eve", "correct horse", "f"), 0) << "the emptied include leaves it open";
  const Seen seen = w.Enumerate({Kind::kGrant});
  EXPECT_TRUE(seen.Scope(Kind::kGrant).complete) << seen.Scope(Kind::kGrant).reason;
  EXPECT_EQ(seen.Count(Kind::kGrant), 0u) << "no deny-all is told that isn't there";

  // The deny-all alone closes it; the rows come after.
  ExpectAll({w.ApplyOne(w.Baseline())}, Status::kApplied);
  EXPECT_NE(w.FtpGet("eve", "correct horse", "f"), 0);
  EXPECT_NE(w.FtpGet("bea", "correct horse", "f"), 0);
  ExpectAll({w.ApplyOne(grant)}, Status::kApplied);
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), good);
  EXPECT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpGet("eve", "correct horse", "f"), 0);
  ExpectAll(w.Apply({w.Baseline(), grant}), Status::kAlreadySo);
}

TEST_F(LocalProftpdTest, TheDenyAllStaysAndStandsOnRootsOnly) {
  World& w = world_;
  ExpectAll({w.ApplyOne(w.Baseline())}, Status::kApplied);
  const std::string good = support::ReadFile(w.proftpd.include_path());
  const Object live =
      *w.Enumerate().Find(Kind::kGrant, {"ftp", w.proftpd.data(), "subtree", "everyone"});
  const Outcome removed = w.ApplyOne(w.Remove(live));
  EXPECT_EQ(removed.status, Status::kDenied);
  EXPECT_THAT(removed.message, HasSubstr("managed root"));
  const Outcome below = w.ApplyOne(w.Create(w.Grant(w.proftpd.data() + "/sub", "everyone", 0)));
  EXPECT_EQ(below.status, Status::kDenied);
  EXPECT_THAT(below.message, HasSubstr("no managed root"));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), good);
}

TEST_F(LocalProftpdTest, APasswordIsReplaced) {
  World& w = world_;
  ExpectAll(w.Apply({w.Create(WithPassword("bea"))}), Status::kApplied);
  const Object first = *w.Enumerate().Find(Kind::kAccount, {"ftp", "bea"});
  kinds::Account account = WithPassword("bea");
  account.set_password("secret:other");
  const Operation change = w.Change(account);
  ExpectAll({w.ApplyOne(change)}, Status::kApplied);
  EXPECT_NE(w.FtpList("bea", "correct horse"), 0);
  EXPECT_EQ(w.FtpList("bea", "battery"), 0) << w.proftpd.Logs();
  EXPECT_NE(w.Enumerate().Find(Kind::kAccount, {"ftp", "bea"})->body, first.body);
  ExpectAll({w.ApplyOne(change)}, Status::kAlreadySo);
  // A create over an account with another password is not what was planned.
  ExpectAll({w.ApplyOne(w.Create(WithPassword("bea")))}, Status::kPreconditionFailed);
  EXPECT_EQ(w.FtpList("bea", "battery"), 0);
}

TEST_F(LocalProftpdTest, ARenamedAccountKeepsItsIdPasswordAndKeys) {
  World& w = world_;
  ExpectAll(w.Apply({w.Create(WithPassword("bea")), w.Create(w.Key("bea", key_ + ".pub"))}),
            Status::kApplied);
  const Object live = *w.Enumerate().Find(Kind::kAccount, {"ftp", "bea"});
  Operation rename = w.Create(w.Account("beatrix"));
  rename.new_key = rename.key;
  rename.key = live.key;
  rename.before = live.body;
  rename.expect_id = live.id;
  const Outcome outcome = w.ApplyOne(rename);
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.key, rename.new_key);
  EXPECT_EQ(outcome.live.object.id, live.id);
  EXPECT_EQ(w.FtpList("beatrix", "correct horse"), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.SftpLogin("beatrix", key_), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpList("bea", "correct horse"), 0);
  EXPECT_NE(w.SftpLogin("bea", key_), 0);
  const Seen after = w.Enumerate({Kind::kAccount, Kind::kSshKey});
  EXPECT_EQ(after.Count(Kind::kAccount), 1u);
  EXPECT_EQ(after.Count(Kind::kSshKey), 1u);
  EXPECT_EQ(w.ApplyOne(rename).status, Status::kAlreadySo) << "a resumed rename";
}

// A number that is free is given to the next folder, as ext4 does at once.
TEST_F(LocalProftpdTest, AFolderMadeAnewIsAnotherFolder) {
  World& w = world_;
  kinds::Folder folder;
  folder.set_host("edge");
  folder.set_path(w.proftpd.data() + "/in");
  folder.set_mode(0750);
  const Outcome made = w.ApplyOne(w.Create(folder));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  const Object first = *w.Enumerate({Kind::kFolder}).Find(Kind::kFolder, {"edge", folder.path()});
  EXPECT_EQ(first.id, made.live.object.id) << "read alone and in a listing";
  std::string second;
  for (int i = 0; i < 20; ++i) {
    std::filesystem::remove(folder.path());
    std::filesystem::create_directory(folder.path());
    second = w.Enumerate({Kind::kFolder}).Find(Kind::kFolder, {"edge", folder.path()})->id;
    if (second.substr(0, second.find('.')) == first.id.substr(0, first.id.find('.'))) break;
  }
  const std::string born = support::RunCommand({"stat", "-c", "%W", folder.path()}, "").out;
  ASSERT_NE(born, "0\n") << "this file system keeps no birth; run with TMPDIR on another";
  EXPECT_NE(second, first.id);
  folder.set_mode(0700);
  Operation change = w.Change(folder);
  change.expect_id = first.id;
  const Outcome outcome = w.ApplyOne(change);
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("another folder"));
  // As a ledger has it from before ids had a birth.
  change.expect_id = second.substr(0, second.find('.'));
  EXPECT_EQ(w.ApplyOne(change).status, Status::kApplied);
}

}  // namespace
}  // namespace postern::filetransfer
