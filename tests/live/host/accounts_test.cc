// System accounts, groups and memberships by the host's own tools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "providers/filetransfer/posix/accounts.h"
#include "tests/live/host/world.h"

namespace postern::filetransfer {
namespace {

using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

kinds::Account LiveAccount(const Outcome& outcome) {
  EXPECT_EQ(outcome.live.answer, Answer::kValue) << outcome.live.reason;
  return object::DecodeAs<kinds::Account>(outcome.live.object.body);
}

TEST(Scope, TellsAccountsOfTheGroupAndNobodyElse) {
  World w;
  EXPECT_THAT(w.Tell(Kind::kAccount), IsEmpty());
  ASSERT_EQ(w.Apply(w.Create(w.Account("acme", 30001))).status, Status::kApplied);
  const auto told = w.Tell(Kind::kAccount);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(object::DecodeAs<kinds::Account>(told[0].body).login(), "acme");
  EXPECT_EQ(told[0].id, "30001");
  // uid 900 stands in the mark group, and is never ours.
  EXPECT_THAT(FindingsOf(w.Read(), w.settings), ::testing::Contains(HasSubstr("sys is in the group "
                                                                              "managed")));
  const HostState state = w.Read();
  EXPECT_FALSE(state.password_fields.contains("admin"));
  EXPECT_FALSE(state.keys.contains("admin"));
}

TEST(Scope, NeverTouchesAccountsOutside) {
  World w;
  const std::string passwd = LineOf("passwd", "admin"), shadow = LineOf("shadow", "admin");
  for (const auto& [login, uid] : {std::pair{"admin", 1500U}, {"sys", 900U}, {"root", 0U}}) {
    kinds::Account before = w.Account(login, uid);
    kinds::Account after = before;
    after.set_enabled(false);
    for (const auto& operation : {w.Update(before, after), w.Remove(before), w.Create(after)}) {
      EXPECT_EQ(w.Apply(operation).status, Status::kDenied) << login;
    }
    kinds::ServerMembership membership;
    membership.set_server("edge");
    membership.set_group("staffx");
    membership.set_login(login);
    EXPECT_EQ(w.Apply(w.Create(membership)).status, Status::kDenied);
    EXPECT_EQ(w.Apply(w.Create(w.Key(login, NewKey("outside")))).status, Status::kDenied);
  }
  EXPECT_EQ(LineOf("passwd", "admin"), passwd);
  EXPECT_EQ(LineOf("shadow", "admin"), shadow);
  EXPECT_FALSE(std::filesystem::exists("/srv/x/admin/.ssh"));
}

TEST(Scope, AGroupThatIsMissingIsAProblemAndNoEmptyList) {
  World w;
  w.settings.accounts = "group:gone";
  EXPECT_THAT(ProblemOf(w.Read(), w.settings, Kind::kAccount), HasSubstr("no group gone"));
  w.settings.accounts = "all";
  w.settings.uids.reset();
  EXPECT_THAT(ProblemOf(w.Read(), w.settings, Kind::kAccount), HasSubstr("isn't said"));
}

TEST(Scope, AllIsTheServersRange) {
  World w;
  w.settings.accounts = "all";
  ASSERT_EQ(w.Apply(w.Create(w.Account("acme", 30001))).status, Status::kApplied);
  EXPECT_THAT(w.Tell(Kind::kAccount), SizeIs(1));
  EXPECT_EQ(w.Apply(w.Create(w.Account("out", 50001))).status, Status::kDenied);
}

TEST(Accounts, AMissingShadowIsAProblem) {
  World w;
  std::filesystem::rename("/etc/shadow", "/etc/shadow.away");
  EXPECT_THAT(ProblemOf(w.Read(), w.settings, Kind::kAccount), HasSubstr("/etc/shadow"));
  std::filesystem::rename("/etc/shadow.away", "/etc/shadow");
}

TEST(Accounts, CreatedLockedUnlessEnabled) {
  World w;
  const Outcome made = w.Apply(w.Create(w.Account("acme", 30001, false)));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  EXPECT_FALSE(LiveAccount(made).enabled());
  EXPECT_EQ(LineOf("passwd", "acme"), "acme:x:30001:30000::/srv/x/acme:/usr/sbin/nologin");
  EXPECT_THAT(LineOf("shadow", "acme"), ::testing::MatchesRegex("acme:!:.*:1:"));
  EXPECT_THAT(LineOf("group", "managed"), HasSubstr("acme"));
  EXPECT_EQ(LineOf("subuid", "acme"), "");

  const Outcome opened =
      w.Apply(w.Update(w.Account("acme", 30001, false), w.Account("acme", 30001)));
  ASSERT_EQ(opened.status, Status::kApplied) << opened.message;
  EXPECT_TRUE(LiveAccount(opened).enabled());
  EXPECT_THAT(LineOf("shadow", "acme"), StartsWith("acme:*:"));
  // Again: it is so.
  EXPECT_EQ(w.Apply(w.Update(w.Account("acme", 30001, false), w.Account("acme", 30001))).status,
            Status::kAlreadySo);
}

TEST(Accounts, ALockIsDayOneAndUnlockingRestores) {
  World w;
  kinds::Account account = w.Account("acme", 30001);
  account.set_password("secret:pw");
  account.set_comment("Acme, in");
  const Outcome made = w.Apply(w.Create(account));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  EXPECT_THAT(LiveAccount(made).password(), StartsWith("hmac:"));
  EXPECT_EQ(LiveAccount(made).comment(), "Acme, in");
  const std::string open = LineOf("shadow", "acme");
  EXPECT_THAT(open, StartsWith("acme:$6$"));

  kinds::Account locked = account;
  locked.set_enabled(false);
  kinds::Account expected = account;
  expected.clear_password();
  const Outcome lock = w.Apply(w.Update(expected, locked));
  ASSERT_EQ(lock.status, Status::kApplied) << lock.message;
  EXPECT_THAT(LineOf("shadow", "acme"), StartsWith("acme:!$6$"));
  EXPECT_EQ(w.Read().accounts.FindShadow("acme")->expires, posix::kLockDay);
  EXPECT_EQ(LiveAccount(lock).password(), LiveAccount(made).password());

  locked.clear_password();
  const Outcome unlock = w.Apply(w.Update(locked, expected));
  ASSERT_EQ(unlock.status, Status::kApplied) << unlock.message;
  EXPECT_EQ(LineOf("shadow", "acme"), open);
}

TEST(Accounts, ExpireByTheDayThatIsEarlier) {
  World w;
  kinds::Account account = w.Account("acme", 30001);
  const base::Instant end = 20000 * posix::kSecondsPerDay + 3600;  // an hour into day 20000
  account.set_expires(end);
  const Outcome made = w.Apply(w.Create(account));
  ASSERT_EQ(made.status, Status::kApplied) << made.message;
  EXPECT_EQ(w.Read().accounts.FindShadow("acme")->expires, 19999);
  EXPECT_EQ(LiveAccount(made).expires(), ExpiryAsTold(end));
  EXPECT_LE(LiveAccount(made).expires(), end);
  EXPECT_EQ(w.Apply(w.Create(account)).status, Status::kAlreadySo);

  kinds::Account shorter = account;
  shorter.set_expires(end - 10 * posix::kSecondsPerDay);
  kinds::Account before = account;
  before.set_expires(ExpiryAsTold(end));
  EXPECT_EQ(w.Apply(w.Update(before, shorter)).status, Status::kApplied);
  EXPECT_EQ(w.Read().accounts.FindShadow("acme")->expires, 19989);
  before.set_expires(ExpiryAsTold(shorter.expires()));
  object::Operation clear = w.Update(before, w.Account("acme", 30001));
  clear.clear = {9};
  EXPECT_EQ(w.Apply(clear).status, Status::kApplied);
  EXPECT_EQ(w.Read().accounts.FindShadow("acme")->expires, std::nullopt);
}

TEST(Accounts, DeletionLeavesDataAndTheUidIsNotUsedAgain) {
  World w;
  const kinds::Account account = w.Account("acme", 30001);
  ASSERT_EQ(w.ApplyAll({w.Create(account), w.Create(w.Key("acme", NewKey("a")))})[1].status,
            Status::kApplied);
  WriteTo(kRoot + "/acme/data", "content");
  ASSERT_EQ(::chown((kRoot + "/acme/data").c_str(), 30001, kPartners), 0);
  ASSERT_TRUE(std::filesystem::exists(kRoot + "/acme/.ssh/authorized_keys"));

  const Outcome gone = w.Apply(w.Remove(account));
  ASSERT_EQ(gone.status, Status::kApplied) << gone.message;
  EXPECT_EQ(LineOf("passwd", "acme"), "");
  EXPECT_EQ(LineOf("shadow", "acme"), "");
  EXPECT_EQ(LineOf("group", "managed"), "managed:x:29999:sys");
  EXPECT_EQ(support::ReadFile(kRoot + "/acme/data"), "content");
  // Its keys open nothing for whoever comes under that name.
  EXPECT_FALSE(std::filesystem::exists(kRoot + "/acme/.ssh/authorized_keys"));
  EXPECT_TRUE(std::filesystem::exists(kRoot + "/acme/.ssh/.postern-removed-authorized_keys"));
  EXPECT_EQ(w.Apply(w.Remove(account)).status, Status::kAlreadySo);

  const Outcome reused = w.Apply(w.Create(w.Account("other", 30001)));
  EXPECT_EQ(reused.status, Status::kDenied);
  EXPECT_THAT(reused.message, HasSubstr("was somebody's"));
  // An entry of an ACL counts as well as an owner.
  ASSERT_EQ(support::RunCommand({"chown", "0:0", kRoot + "/acme/data"}).exit, 0);
  ASSERT_EQ(support::RunCommand({"setfacl", "-m", "u:30001:r", kRoot + "/acme/data"}).exit, 0);
  EXPECT_THAT(w.Apply(w.Create(w.Account("other", 30001))).message, HasSubstr("(ACL)"));
  ASSERT_EQ(support::RunCommand({"setfacl", "-b", kRoot + "/acme/data"}).exit, 0);
  EXPECT_EQ(w.Apply(w.Create(w.Account("other", 30001))).status, Status::kApplied);
  EXPECT_THAT(w.Apply(w.Create(w.Account("third", 30001))).message, HasSubstr("taken already"));
}

TEST(Accounts, AHomeMadeBeforeItsAccountIsNoOrphan) {
  World w;
  const kinds::Account account = w.Account("acme", 30001);
  ASSERT_EQ(::chown(account.home().c_str(), 30001, kPartners), 0);
  EXPECT_EQ(w.Apply(w.Create(account)).status, Status::kApplied);
}

TEST(Accounts, WhatIsNotAsPlannedIsNotChanged) {
  World w;
  const kinds::Account account = w.Account("acme", 30001);
  ASSERT_EQ(w.Apply(w.Create(account)).status, Status::kApplied);
  ASSERT_EQ(support::RunCommand({"usermod", "-c", "by hand", "acme"}).exit, 0);
  kinds::Account before = account, after = account;
  before.set_comment("as planned");
  after.set_comment("new");
  const Outcome outcome = w.Apply(w.Update(before, after));
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_EQ(LiveAccount(outcome).comment(), "by hand");
  object::Operation other = w.Update(account, after);
  other.expect_id = "30002";
  EXPECT_EQ(w.Apply(other).status, Status::kPreconditionFailed);
  kinds::Account moved = account;
  moved.set_uid(30009);
  EXPECT_EQ(w.Apply(w.Update(account, moved)).status, Status::kDenied);
}

TEST(Accounts, Renamed) {
  World w;
  const kinds::Account account = w.Account("acme", 30001);
  ASSERT_EQ(w.Apply(w.Create(account)).status, Status::kApplied);
  kinds::Account after = account;
  after.set_login("acme2");
  const object::Operation rename = w.Update(account, after);
  const Outcome outcome = w.Apply(rename);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(LiveAccount(outcome).uid(), 30001U);
  EXPECT_THAT(LineOf("group", "managed"), HasSubstr("acme2"));
  EXPECT_EQ(w.Apply(rename).status, Status::kAlreadySo);
}

TEST(Groups, MadeJoinedLeftAndRemoved) {
  World w;
  kinds::ServerGroup group;
  group.set_server("edge");
  group.set_name("readers");
  group.set_gid(30500);
  kinds::ServerMembership membership;
  membership.set_server("edge");
  membership.set_group("readers");
  membership.set_login("acme");
  // In any order, in one batch.
  const auto made =
      w.ApplyAll({w.Create(membership), w.Create(w.Account("acme", 30001)), w.Create(group)});
  for (const Outcome& outcome : made)
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(LineOf("group", "readers"), "readers:x:30500:acme");
  EXPECT_THAT(w.Tell(Kind::kServerGroup), SizeIs(1));
  EXPECT_THAT(w.Tell(Kind::kServerMembership), SizeIs(1));
  // An account of ours that hands put into another group is told: it is that account's access.
  ASSERT_EQ(support::RunCommand({"gpasswd", "-a", "acme", "staffx"}).exit, 0);
  EXPECT_THAT(w.Tell(Kind::kServerMembership), SizeIs(2));
  kinds::ServerMembership foreign = membership;
  foreign.set_group("staffx");
  EXPECT_EQ(w.Apply(w.Remove(foreign)).status, Status::kApplied);
  EXPECT_EQ(LineOf("group", "staffx"), "staffx:x:1501:admin");
  EXPECT_EQ(w.Apply(w.Create(foreign)).status, Status::kDenied);

  const auto gone = w.ApplyAll({w.Remove(group), w.Remove(membership)});
  for (const Outcome& outcome : gone)
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(LineOf("group", "readers"), "");
  kinds::ServerGroup mark = group;
  mark.set_name("managed");
  EXPECT_EQ(w.Apply(w.Create(mark)).status, Status::kDenied);
  mark.set_name("staffx");
  EXPECT_EQ(w.Apply(w.Remove(mark)).status, Status::kDenied);
  EXPECT_THAT(LineOf("group", "staffx"), StartsWith("staffx:x:1501:"));
}

TEST(Groups, WhatTakesAwayFailingStopsWhatGives) {
  World w;
  kinds::ServerGroup group;
  group.set_server("edge");
  group.set_name("readers");
  group.set_gid(30500);
  ASSERT_EQ(w.Apply(w.Create(group)).status, Status::kApplied);
  // groupdel refuses the primary group of an account.
  ASSERT_EQ(
      support::RunCommand({"useradd", "-M", "-N", "-u", "1600", "-g", "30500", "byhand"}).exit, 0);
  const auto outcomes = w.ApplyAll({w.Remove(group), w.Create(w.Account("acme", 30001))});
  EXPECT_EQ(outcomes[0].status, Status::kDenied);
  EXPECT_THAT(outcomes[0].message, HasSubstr("primary group"));
  EXPECT_EQ(outcomes[1].status, Status::kTransient);
  EXPECT_EQ(LineOf("passwd", "acme"), "");
}

}  // namespace
}  // namespace postern::filetransfer
