// Every operation on a real slapd, and what is read back after it.
#include <fmt/format.h>

#include "core/base/hash.h"
#include "tests/live/directory/world.h"

namespace postern::directory {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(DirectoryWrite, UserFromCreationToRemoval) {
  World world;
  kinds::User user = MakeUser("ann");
  user.set_given_name("Ann");
  user.mutable_mail()->add_values("ann@example.org");
  user.mutable_mail()->add_values("Ann.Person@example.org");
  user.set_employee_number("17");
  user.set_description("a \\ tricky, \"value\"");
  user.set_enabled(true);
  user.set_expires(1830297599);
  user.set_password("secret:first");
  const Outcome created = world.Apply(Create(user));
  ASSERT_EQ(created.status, Status::kApplied) << created.message;
  ASSERT_EQ(created.live.answer, Answer::kValue);
  EXPECT_TRUE(object::Satisfies(Kind::kUser, object::EncodeBody(user), created.live.object.body));
  EXPECT_EQ(created.live.object.id.size(), 36u);
  EXPECT_EQ(created.live.object.changed_by, Slapd::kBindDn);
  EXPECT_GT(created.live.object.changed_at, 0);
  const auto live = object::DecodeAs<kinds::User>(created.live.object.body);
  EXPECT_THAT(live.password(), testing::StartsWith("hmac:"));
  EXPECT_TRUE(world.slapd.CanBind(user.dn(), "first-pw-1"));
  EXPECT_THAT(world.slapd.Search(user.dn(), "(objectClass=*)", {"userPassword"}),
              Not(HasSubstr("first-pw-1")));

  // The same again does nothing; another one under this name is refused.
  kinds::User same = user;
  same.clear_password();
  EXPECT_EQ(world.Apply(Create(same)).status, Status::kAlreadySo);
  kinds::User other = same;
  other.set_surname("Else");
  EXPECT_EQ(world.Apply(Create(other)).status, Status::kPreconditionFailed);

  kinds::User after = same;
  after.set_given_name("Anna");
  after.mutable_mail()->clear_values();
  Operation change = Change(same, after);
  change.clear = {9, 11};
  const_cast<std::string&>(change.after) = [&] {
    kinds::User wanted = after;
    wanted.clear_description();
    wanted.clear_expires();
    return object::EncodeBody(wanted);
  }();
  change.expect_id = created.live.object.id;
  const Outcome changed = world.Apply(change);
  ASSERT_EQ(changed.status, Status::kApplied) << changed.message;
  const auto now = object::DecodeAs<kinds::User>(changed.live.object.body);
  EXPECT_EQ(now.given_name(), "Anna");
  EXPECT_TRUE(now.has_mail());
  EXPECT_EQ(now.mail().values_size(), 0);
  EXPECT_FALSE(now.has_description());
  EXPECT_EQ(now.expires(), base::kForever);
  EXPECT_EQ(world.Apply(change).status, Status::kAlreadySo);

  kinds::User gone;
  gone.set_dn(user.dn());
  const Outcome removed = world.Apply(Remove(gone));
  EXPECT_EQ(removed.status, Status::kApplied) << removed.message;
  EXPECT_EQ(removed.live.answer, Answer::kAbsent);
  EXPECT_EQ(world.Apply(Remove(gone)).status, Status::kAlreadySo);
}

TEST(DirectoryWrite, PolicyLockStopsARealLogin) {
  World world({.ldif = Slapd::PersonLdif("ann", "userPassword: {SSHA}placeholder\n")});
  kinds::User before;
  before.set_dn(PersonDn("ann"));
  kinds::User after = before;
  after.set_password("secret:first");
  ASSERT_EQ(world.Apply(Change(before, after)).status, Status::kApplied);
  ASSERT_TRUE(world.slapd.CanBind(before.dn(), "first-pw-1"));
  const auto open = world.Read(Kind::kUser, before.dn());

  kinds::User locked = before;
  locked.set_enabled(false);
  kinds::User enabled = before;
  enabled.set_enabled(true);
  const Outcome lock = world.Apply(Change(enabled, locked));
  ASSERT_EQ(lock.status, Status::kApplied) << lock.message;
  EXPECT_FALSE(object::DecodeAs<kinds::User>(lock.live.object.body).enabled());
  EXPECT_FALSE(world.slapd.CanBind(before.dn(), "first-pw-1"));
  EXPECT_THAT(world.slapd.Search(before.dn(), "(objectClass=*)",
                                 {"pwdAccountLockedTime", "userPassword", "pwdPolicySubentry"}),
              HasSubstr("000001010000Z"));
  const Collector all = world.All();
  ASSERT_NE(all.Find(Kind::kUser, before.dn()), nullptr);
  EXPECT_FALSE(object::DecodeAs<kinds::User>(all.Find(Kind::kUser, before.dn())->body).enabled());

  // A new password doesn't open a locked account, although ppolicy takes its own lock away then.
  kinds::User rotated = before;
  rotated.set_password("secret:next");
  const Outcome rotation = world.Apply(Change(before, rotated));
  ASSERT_EQ(rotation.status, Status::kApplied) << rotation.message;
  EXPECT_FALSE(object::DecodeAs<kinds::User>(rotation.live.object.body).enabled());
  EXPECT_FALSE(world.slapd.CanBind(before.dn(), "next-pw-2"));

  const Outcome unlock = world.Apply(Change(locked, enabled));
  ASSERT_EQ(unlock.status, Status::kApplied) << unlock.message;
  EXPECT_TRUE(world.slapd.CanBind(before.dn(), "next-pw-2"));
  kinds::User now = object::DecodeAs<kinds::User>(unlock.live.object.body);
  kinds::User then = object::DecodeAs<kinds::User>(open.object.body);
  EXPECT_NE(now.password(), then.password());
  now.clear_password();
  then.clear_password();
  EXPECT_EQ(object::EncodeBody(now), object::EncodeBody(then));
}

// slapd stores pwdAccountLockedTime and lets the account in where no policy has pwdLockout TRUE.
class LockWithoutPolicy : public testing::TestWithParam<bool> {};

TEST_P(LockWithoutPolicy, StopsARealLoginAndCanBeTakenBack) {
  World world({.ppolicy = GetParam(),
               .lockout_policy = false,
               .ldif = Slapd::PersonLdif("ann", "userPassword: clear-pw\n")});
  kinds::User open, locked;
  open.set_dn(PersonDn("ann"));
  locked.set_dn(PersonDn("ann"));
  open.set_enabled(true);
  locked.set_enabled(false);
  const auto before = world.Read(Kind::kUser, open.dn());
  ASSERT_TRUE(world.slapd.CanBind(open.dn(), "clear-pw"));
  const Outcome lock = world.Apply(Change(open, locked));
  ASSERT_EQ(lock.status, Status::kApplied) << lock.message;
  const auto live = object::DecodeAs<kinds::User>(lock.live.object.body);
  EXPECT_FALSE(live.enabled());
  EXPECT_FALSE(world.slapd.CanBind(open.dn(), "clear-pw"));
  EXPECT_EQ(world.Apply(Change(open, locked)).status, Status::kAlreadySo);
  const Outcome unlock = world.Apply(Change(locked, open));
  ASSERT_EQ(unlock.status, Status::kApplied) << unlock.message;
  EXPECT_TRUE(object::DecodeAs<kinds::User>(unlock.live.object.body).enabled());
  EXPECT_TRUE(world.slapd.CanBind(open.dn(), "clear-pw"));
  // A new locked account is locked from its first instant, its password included.
  kinds::User fresh = MakeUser("bob");
  fresh.set_enabled(false);
  fresh.set_password("secret:first");
  ASSERT_EQ(world.Apply(Create(fresh)).status, Status::kApplied);
  EXPECT_FALSE(world.slapd.CanBind(fresh.dn(), "first-pw-1"));
  kinds::User opened = fresh, closed = fresh;
  opened.clear_password();
  opened.set_enabled(true);
  closed.clear_password();
  ASSERT_EQ(world.Apply(Change(closed, opened)).status, Status::kApplied);
  EXPECT_TRUE(world.slapd.CanBind(fresh.dn(), "first-pw-1"));
}
INSTANTIATE_TEST_SUITE_P(Module, LockWithoutPolicy, testing::Bool(), [](const auto& info) {
  return info.param ? "PolicyModuleWithoutPolicy" : "NoPolicyModule";
});

TEST(DirectoryWrite, OnlySomePoliciesLock) {
  const auto policy = [](const std::string& name, bool lockout) {
    return fmt::format(
        "dn: cn={},{}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: {}\n"
        "pwdAttribute: userPassword\npwdLockout: {}\n\n",
        name, Slapd::kSuffix, name, lockout ? "TRUE" : "FALSE");
  };
  const auto under = [](const std::string& name) {
    return fmt::format("userPassword: clear-pw\npwdPolicySubentry: cn={},{}\n", name,
                       Slapd::kSuffix);
  };
  World world({.ldif = policy("weak", false) + policy("strong", true) +
                       Slapd::PersonLdif("ann", "userPassword: clear-pw\n") +
                       Slapd::PersonLdif("bob", under("weak")) +
                       Slapd::PersonLdif("cat", under("strong"))});
  const auto turn = [&](bool from, bool to) {
    std::vector<Operation> operations;
    for (const char* uid : {"ann", "bob", "cat"}) {
      kinds::User before, after;
      before.set_dn(PersonDn(uid));
      before.set_enabled(from);
      after.set_dn(PersonDn(uid));
      after.set_enabled(to);
      operations.push_back(Change(before, after));
    }
    for (const auto& [id, outcome] : world.Apply(operations)) {
      EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
    }
    const Collector all = world.All();
    for (const char* uid : {"ann", "bob", "cat"}) {
      EXPECT_EQ(world.slapd.CanBind(PersonDn(uid), "clear-pw"), to) << uid;
      const Object* user = all.Find(Kind::kUser, PersonDn(uid));
      ASSERT_NE(user, nullptr);
      EXPECT_EQ(object::DecodeAs<kinds::User>(user->body).enabled(), to) << uid;
    }
  };
  turn(true, false);
  // The password is touched only where no policy locks.
  const auto stored = [&](const char* uid) {
    return world.slapd.Search(PersonDn(uid), "(objectClass=*)", {"userPassword"});
  };
  const std::string clear = "userPassword:: " + base::Base64("clear-pw");
  EXPECT_THAT(stored("ann"), HasSubstr(clear));
  EXPECT_THAT(stored("bob"), Not(HasSubstr(clear)));
  EXPECT_THAT(stored("cat"), HasSubstr(clear));
  turn(false, true);
}

TEST(DirectoryWrite, ExpiryStopsARealLogin) {
  World world({.ldif = Slapd::PersonLdif("ann", "userPassword: clear-pw\n")});
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  after.set_dn(PersonDn("ann"));
  after.set_expires(1577836800);
  const Outcome changed = world.Apply(Change(before, after));
  ASSERT_EQ(changed.status, Status::kApplied) << changed.message;
  EXPECT_EQ(object::DecodeAs<kinds::User>(changed.live.object.body).expires(), 1577836800);
  EXPECT_FALSE(world.slapd.CanBind(before.dn(), "clear-pw"));
  // An end that is no more is taken out of the entry.
  kinds::User never = after;
  never.set_expires(base::kForever);
  const Outcome cleared = world.Apply(Change(after, never));
  ASSERT_EQ(cleared.status, Status::kApplied) << cleared.message;
  EXPECT_EQ(object::DecodeAs<kinds::User>(cleared.live.object.body).expires(), base::kForever);
  EXPECT_THAT(world.slapd.Search(after.dn(), "(objectClass=*)", {"pwdEndTime", "shadowExpire"}),
              AllOf(Not(HasSubstr("pwdEndTime")), Not(HasSubstr("shadowExpire"))));
  EXPECT_TRUE(world.slapd.CanBind(before.dn(), "clear-pw"));
  EXPECT_EQ(world.Apply(Change(after, never)).status, Status::kAlreadySo);
}

TEST(DirectoryWrite, ConflictIsSeen) {
  World world({.ldif = Slapd::PersonLdif("ann", "description: one\n")});
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  before.set_description("one");
  after.set_dn(PersonDn("ann"));
  after.set_description("two");
  world.slapd.Modify("dn: " + PersonDn("ann") +
                     "\nchangetype: modify\nreplace: description\ndescription: three\n");
  const Outcome outcome = world.Apply(Change(before, after));
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("\"three\" and not \"one\""));
  EXPECT_EQ(object::DecodeAs<kinds::User>(outcome.live.object.body).description(), "three");
  Operation replaced = Change(before, after);
  replaced.before.clear();
  kinds::User same;
  same.set_dn(PersonDn("ann"));
  replaced = Change(same, after);
  replaced.expect_id = "00000000-0000-0000-0000-000000000000";
  EXPECT_EQ(world.Apply(replaced).status, Status::kPreconditionFailed);
}

TEST(DirectoryWrite, RenameAndMoveKeepIdAndMemberships) {
  World world({.memberof = true,
               .ldif = Slapd::PersonLdif("ann") + "dn: ou=away," + Slapd::kPeople +
                       "\nobjectClass: organizationalUnit\nou: away\n\ndn: " + GroupDn("ops") +
                       "\nobjectClass: groupOfNames\ncn: ops\nmember: " + PersonDn("ann") +
                       "\n\n"});
  const auto before = world.Read(Kind::kUser, PersonDn("ann"));
  ASSERT_EQ(before.answer, Answer::kValue);
  kinds::User after;
  after.set_dn("uid=Anna,ou=away," + std::string(Slapd::kPeople));
  after.set_uid("Anna");
  after.set_description("moved");
  Operation rename{.kind = Kind::kUser,
                   .key = PersonDn("ann"),
                   .before = before.object.body,
                   .after = object::EncodeBody(after),
                   .expect_id = before.object.id,
                   .new_key = object::EncodeKey(after)};
  const Outcome outcome = world.Apply(rename);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.id, before.object.id);
  EXPECT_EQ(outcome.live.object.key, rename.new_key);
  const auto live = object::DecodeAs<kinds::User>(outcome.live.object.body);
  EXPECT_EQ(live.uid(), "Anna");
  EXPECT_EQ(live.description(), "moved");
  EXPECT_EQ(world.Apply(rename).status, Status::kAlreadySo);
  EXPECT_EQ(world.Read(Kind::kUser, PersonDn("ann")).answer, Answer::kAbsent);
  EXPECT_EQ(
      world
          .Read(Kind::kMembership, object::MakeKey(Kind::kMembership, {GroupDn("ops"), after.dn()}))
          .answer,
      Answer::kValue);
}

TEST(DirectoryWrite, OusAndGroupsWithMembersInOneCall) {
  World world;
  kinds::Ou ou;
  ou.set_dn("ou=north," + std::string(Slapd::kPeople));
  ou.set_description("the north");
  kinds::User user = MakeUser("ann");
  user.set_dn("uid=ann," + ou.dn());
  kinds::DirectoryGroup group = MakeGroup("ops");
  group.set_description("operators");
  const auto outcomes = world.Apply(
      {Create(MakeMember(group.dn(), user.dn())), Create(group), Create(user), Create(ou)});
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_EQ(outcome.status, Status::kApplied) << id << ": " << outcome.message;
    EXPECT_EQ(outcome.live.answer, Answer::kValue) << id;
  }
  // The last member goes; the group stays and shows none.
  const Outcome left = world.Apply(Remove(MakeMember(group.dn(), user.dn())));
  ASSERT_EQ(left.status, Status::kApplied) << left.message;
  Collector all = world.All();
  EXPECT_EQ(std::count_if(all.all.begin(), all.all.end(),
                          [](const auto& row) { return row.first.first == Kind::kMembership; }),
            0);
  // An empty group keeps being empty under a new name, and the placeholder goes with a member.
  kinds::DirectoryGroup renamed = MakeGroup("crew");
  Operation rename = Change(group, renamed);
  rename.new_key = object::EncodeKey(renamed);
  ASSERT_EQ(world.Apply(rename).status, Status::kApplied);
  EXPECT_TRUE(world.All().Find(Kind::kDirectoryGroup, renamed.dn()));
  ASSERT_EQ(world.Apply(Create(MakeMember(renamed.dn(), user.dn()))).status, Status::kApplied);
  const std::string stored = world.slapd.Search(renamed.dn(), "(objectClass=*)", {"member"});
  EXPECT_THAT(stored, HasSubstr("member: " + user.dn()));
  EXPECT_THAT(stored, Not(HasSubstr("member: cn=")));
  // What has entries below it isn't removed.
  EXPECT_EQ(world.Apply(Remove(ou)).status, Status::kPreconditionFailed);
  kinds::User gone;
  gone.set_dn(user.dn());
  const auto removed = world.Apply({Remove(ou), Remove(gone)});
  EXPECT_EQ(removed.at(1).status, Status::kApplied) << removed.at(1).message;
  EXPECT_EQ(removed.at(2).status, Status::kApplied) << removed.at(2).message;
}

// Modify requests that the server has answered.
size_t Modifies(Slapd& slapd) {
  const std::string text =
      slapd.Search("cn=Modify,cn=Operations,cn=Monitor", "(objectClass=*)", {"monitorOpCompleted"});
  return std::stoul(text.substr(text.find("monitorOpCompleted: ") + 20));
}

TEST(DirectoryWrite, ThousandUsersAndALargeGroupByOneModify) {
  World world({.sortvals = true});
  std::vector<Operation> users;
  for (int i = 0; i < 1000; ++i) users.push_back(Create(MakeUser(fmt::format("u{}", i))));
  for (const auto& [id, outcome] : world.Apply(users)) {
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  const kinds::DirectoryGroup group = MakeGroup("all");
  ASSERT_EQ(world.Apply(Create(group)).status, Status::kApplied);
  world.slapd.Modify("dn: " + group.dn() + "\nchangetype: modify\nadd: member\nmember: cn=x\n");
  (void)world.All();
  std::vector<Operation> members;
  for (int i = 0; i < 5000; ++i) {
    members.push_back(Create(MakeMember(group.dn(), PersonDn(fmt::format("u{}", i)))));
  }
  members.push_back(Remove(MakeMember(group.dn(), "cn=x")));
  const size_t before = Modifies(world.slapd);
  for (const auto& [id, outcome] : world.Apply(members)) {
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_EQ(Modifies(world.slapd) - before, 1u);
  const std::string stored = world.slapd.Search(group.dn(), "(objectClass=*)", {"member"});
  EXPECT_EQ(std::count(stored.begin(), stored.end(), '\n'), 5002);
  Collector all = world.All();
  EXPECT_EQ(all.all.size(), 1000u + 5000u + 1u + 2u);
  EXPECT_EQ(world.Apply(members).at(1).status, Status::kAlreadySo);
}

TEST(DirectoryWrite, MoreThanARequestHoldsIsSplit) {
  World world({.sortvals = true});
  // 5,000 names of 300 bytes: 1.5 MB, a request takes 1 MiB.
  const auto memberships = [](const std::string& group) {
    std::vector<Operation> members;
    for (int i = 0; i < 5000; ++i) {
      members.push_back(Create(MakeMember(group, PersonDn(fmt::format("{:0>260}", i)))));
    }
    return members;
  };
  const auto stored = [&](const std::string& group) {
    const std::string text = world.slapd.Search(group, "(objectClass=*)", {"member"});
    return std::count(text.begin(), text.end(), '\n') - 2;
  };
  ASSERT_EQ(world.Apply(Create(MakeGroup("there"))).status, Status::kApplied);
  size_t before = Modifies(world.slapd);
  for (const auto& [id, outcome] : world.Apply(memberships(GroupDn("there")))) {
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_EQ(Modifies(world.slapd) - before, 2u);
  EXPECT_EQ(stored(GroupDn("there")), 5000);
  // A new group takes with it what one request holds.
  std::vector<Operation> all = memberships(GroupDn("new"));
  all.push_back(Create(MakeGroup("new")));
  before = Modifies(world.slapd);
  for (const auto& [id, outcome] : world.Apply(all)) {
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_EQ(Modifies(world.slapd) - before, 1u);
  EXPECT_EQ(stored(GroupDn("new")), 5000);
}

TEST(DirectoryWrite, OneRefusedMemberDoesNotStopTheOthers) {
  World world;
  ASSERT_EQ(world.Apply(Create(MakeGroup("ops"))).status, Status::kApplied);
  std::vector<Operation> members;
  for (int i = 0; i < 20; ++i) {
    members.push_back(Create(MakeMember(GroupDn("ops"), PersonDn(fmt::format("u{}", i)))));
  }
  members.push_back(Create(MakeMember(GroupDn("ops"), "this is no name")));
  const auto outcomes = world.Apply(members);
  for (uint64_t id = 1; id <= 20; ++id) {
    EXPECT_EQ(outcomes.at(id).status, Status::kApplied) << outcomes.at(id).message;
  }
  EXPECT_EQ(outcomes.at(21).status, Status::kDenied);
}

TEST(DirectoryWrite, RefusedByAccessRules) {
  World world({.access = {"access to attrs=description by dn.exact=\"" +
                          std::string(Slapd::kBindDn) + "\" read by * read"},
               .ldif = Slapd::PersonLdif("ann")});
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  after.set_dn(PersonDn("ann"));
  after.set_description("new");
  const Outcome outcome = world.Apply(Change(before, after));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("access rules refuse us"));
}

TEST(DirectoryWrite, WhatIsHiddenIsNotChangedBlindly) {
  World world({.access = {"access to filter=(employeeType=hidden) "
                          "attrs=mail,pwdAccountLockedTime by dn.exact=\"" +
                          std::string(Slapd::kBindDn) + "\" =w by * break"},
               .ldif = Slapd::PersonLdif("ann", "employeeType: hidden\n")});
  kinds::User before, after;
  before.set_dn(PersonDn("ann"));
  after.set_dn(PersonDn("ann"));
  after.mutable_mail()->add_values("new@example.org");
  Outcome outcome = world.Apply(Change(before, after));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("mail is hidden from us"));
  // Nor opened; but other fields are changed, and it may be closed.
  after.clear_mail();
  before.set_enabled(false);
  after.set_enabled(true);
  EXPECT_EQ(world.Apply(Change(before, after)).status, Status::kPreconditionFailed);
  before.clear_enabled();
  outcome = world.Apply(Change(before, after));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("enabled is hidden from us"));
  after.clear_enabled();
  after.set_description("seen");
  EXPECT_EQ(world.Apply(Change(before, after)).status, Status::kApplied);
  before.set_description("seen");
  after.set_enabled(false);
  outcome = world.Apply(Change(before, after));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  // By its password: whether the attribute holds can't be seen.
  EXPECT_FALSE(object::DecodeAs<kinds::User>(outcome.live.object.body).enabled());
  EXPECT_THAT(world.slapd.Search(PersonDn("ann"), "(userPassword=*)", {"mail"}),
              HasSubstr("mail: ann@example.org"));
}

TEST(DirectoryWrite, DeadServerIsTransientAndSaysSo) {
  World world;
  ASSERT_EQ(world.Apply(Create(MakeUser("ann"))).status, Status::kApplied);
  world.slapd.process().Kill();
  const Outcome outcome = world.Apply(Create(MakeUser("bob")));
  EXPECT_EQ(outcome.status, Status::kTransient);
  EXPECT_THAT(outcome.message, HasSubstr("can't reach"));
}

}  // namespace
}  // namespace postern::directory
