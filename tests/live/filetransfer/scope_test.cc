// manage.accounts = "group:NAME": accounts outside of that group are never told, counted, changed
// or removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using testing::HasSubstr;

class ScopeTest : public testing::Test {
 protected:
  void SetUp() override {
    support::MakeSshKey("ed25519", key_ = world_.scratch.File("key"));
    world_.proftpd.WriteAccounts({{.name = "outsider", .password = "correct horse", .uid = 31000}});
    world_.proftpd.WriteGroups({{.name = "ftpusers", .gid = 30500},
                                {.name = "others", .gid = 30501, .members = {"outsider"}}});
    world_.accounts = "group:ftpusers";
    ASSERT_TRUE(world_.Start());
    outside_ = support::ReadFile(world_.proftpd.passwd_path());
  }

  kinds::Account WithPassword(const std::string& login) {
    kinds::Account account = world_.Account(login);
    account.set_password("secret:pw");
    return account;
  }
  object::ReadAnswer Read(Kind kind, const std::string& key) {
    const object::ObjectKey asked{kind, key};
    auto answers = world_.target->Read({&asked, 1});
    EXPECT_TRUE(answers) << answers.error().message;
    return answers ? answers->front() : object::ReadAnswer{};
  }
  std::string Groups() const { return support::ReadFile(world_.proftpd.group_path()); }

  World world_{false};
  std::string key_, outside_;
};

TEST_F(ScopeTest, AnAccountLivesInTheGroupFromItsCreationToItsEnd) {
  World& w = world_;
  const kinds::SshKey key = w.Key("bea", key_ + ".pub");
  const Operation create = w.Create(WithPassword("bea"));
  ExpectAll(w.Apply({create, w.Create(key)}), Status::kApplied);
  EXPECT_EQ(Groups(), "ftpusers:x:30500:bea\nothers:x:30501:outsider\n");
  Seen seen = w.Enumerate();
  for (const auto& scope : seen.scopes) {
    EXPECT_TRUE(scope.complete) << object::NameOf(scope.kind) << ": " << scope.reason;
  }
  EXPECT_EQ(seen.Count(Kind::kAccount), 1u);
  EXPECT_EQ(seen.Scope(Kind::kAccount).count, 1u) << "the outsider isn't counted";
  EXPECT_EQ(seen.Count(Kind::kSshKey), 1u);
  EXPECT_EQ(seen.Count(Kind::kServerMembership), 0u) << "the mark is no object";
  EXPECT_EQ(seen.Find(Kind::kServerGroup, {"ftp", "ftpusers"}), nullptr);
  EXPECT_EQ(w.FtpList("bea", "correct horse"), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.SftpLogin("bea", key_), 0) << w.proftpd.Logs();
  ExpectAll({w.ApplyOne(create)}, Status::kAlreadySo);

  const Object live = *seen.Find(Kind::kAccount, {"ftp", "bea"});
  Operation rename = w.Create(w.Account("beatrix"));
  rename.new_key = rename.key;
  rename.key = live.key;
  rename.before = live.body;
  rename.expect_id = live.id;
  ExpectAll({w.ApplyOne(rename)}, Status::kApplied);
  EXPECT_EQ(Groups(), "ftpusers:x:30500:beatrix\nothers:x:30501:outsider\n");
  EXPECT_EQ(w.FtpList("beatrix", "correct horse"), 0) << w.proftpd.Logs();

  // The account goes, and in a later call its key: a run may end between the two.
  seen = w.Enumerate();
  const Object left = *seen.Find(Kind::kSshKey, {"ftp", "beatrix", key.fingerprint()});
  ExpectAll({w.ApplyOne(w.Remove(*seen.Find(Kind::kAccount, {"ftp", "beatrix"})))},
            Status::kApplied);
  EXPECT_EQ(Groups(), "ftpusers:x:30500:\nothers:x:30501:outsider\n");
  EXPECT_NE(w.Enumerate().Find(Kind::kSshKey, {"ftp", "beatrix", key.fingerprint()}), nullptr);
  ExpectAll({w.ApplyOne(w.Remove(left))}, Status::kApplied);
  EXPECT_EQ(w.Enumerate().Count(Kind::kSshKey), 0u);
  EXPECT_EQ(support::ReadFile(w.proftpd.passwd_path()), outside_) << "byte for byte";
}

TEST_F(ScopeTest, AnOutsiderIsLeftAlone) {
  World& w = world_;
  const Operation change = w.Create(w.Account("outsider"));
  Operation remove = change;
  remove.id = 1000;
  remove.before = remove.after;
  remove.after.clear();
  for (const Operation& operation : {change, remove, w.Create(w.Key("outsider", key_ + ".pub"))}) {
    const Outcome outcome = w.ApplyOne(operation);
    EXPECT_EQ(outcome.status, Status::kDenied);
    EXPECT_THAT(outcome.message, HasSubstr("isn't in the group ftpusers"));
  }
  const object::ReadAnswer answer = Read(Kind::kAccount, change.key);
  EXPECT_EQ(answer.answer, Answer::kUnreadable) << "neither ours nor absent";
  EXPECT_THAT(answer.reason, HasSubstr("isn't in the group ftpusers"));
  EXPECT_EQ(support::ReadFile(w.proftpd.passwd_path()), outside_);
  EXPECT_EQ(w.FtpList("outsider", "correct horse"), 0) << w.proftpd.Logs();

  // Its uid isn't told, so a plan may take it.
  kinds::Account twin = w.Account("bea");
  twin.set_uid(31000);
  const Outcome taken = w.ApplyOne(w.Create(twin));
  if (::geteuid() == 0) {
    EXPECT_EQ(taken.status, Status::kDenied);
    EXPECT_THAT(taken.message, HasSubstr("uid 31000 belongs to outsider"));
  }
}

TEST_F(ScopeTest, TheGroupItselfIsNobodysDeclaration) {
  World& w = world_;
  kinds::ServerMembership member;
  member.set_server("ftp");
  member.set_group("ftpusers");
  member.set_login("outsider");
  const Outcome outcome = w.ApplyOne(w.Create(member));
  EXPECT_EQ(outcome.status, Status::kDenied) << "nobody is drawn into the scope";
  EXPECT_THAT(outcome.message, HasSubstr("says which accounts are managed"));
  EXPECT_EQ(Groups(), "ftpusers:x:30500:\nothers:x:30501:outsider\n");
}

TEST_F(ScopeTest, WithoutTheGroupNothingIsConcluded) {
  World& w = world_;
  w.proftpd.WriteGroups({{.name = "others", .gid = 30501}});
  const Seen seen = w.Enumerate();
  EXPECT_FALSE(seen.Scope(Kind::kAccount).complete);
  EXPECT_THAT(seen.Scope(Kind::kAccount).reason, HasSubstr("there is no group ftpusers"));
  EXPECT_EQ(w.ApplyOne(w.Create(WithPassword("bea"))).status, Status::kDenied);
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_TRUE(std::any_of(probe->checks.begin(), probe->checks.end(), [](const auto& check) {
    return check.name == "ftp: account scope" && !check.ok &&
           check.lines_to_add == std::vector<std::string>{"ftpusers:x:GID:"};
  }));
}

}  // namespace
}  // namespace postern::filetransfer
