// What is read of a real slapd, and when it says that it isn't everything.
#include <fmt/format.h>

#include "core/base/hash.h"
#include "core/observe/observe.h"
#include "providers/directory/names.h"
#include "providers/directory/password.h"
#include "tests/live/directory/world.h"

namespace postern::directory {
namespace {

using testing::HasSubstr;

std::string Users(int count) {
  std::string ldif;
  for (int i = 0; i < count; ++i) ldif += Slapd::PersonLdif(fmt::format("u{}", i));
  return ldif;
}

// The status of one kind under ou=people.
object::ScopeStatus ScopeOf(World& world, Kind kind, Collector* collector) {
  auto scopes = world.target->Enumerate({}, *collector);
  EXPECT_TRUE(scopes) << (scopes ? "" : scopes.error().message);
  if (!scopes) return {};
  for (const auto& scope : *scopes) {
    if (scope.kind == kind && scope.scope == Slapd::kPeople) return scope;
  }
  ADD_FAILURE() << "no such scope";
  return {};
}

TEST(DirectoryRead, BodiesAreCanonicalAndKeepTheServersSpelling) {
  World world({.ldif = "dn: UID=Ann\\2C Mary+cn=X, ou=People,dc=Example,dc=org\n"
                       "objectClass: inetOrgPerson\nuid: Ann, Mary\ncn: X\ncn: Alpha\n"
                       "sn:  two  words \nmail: b@x\nmail: A@x\ngivenName: Zo\xc3\xab\n\n" +
                       Slapd::PersonLdif("bob", "pwdEndTime: 20301231235959Z\n")});
  const Collector all = world.All();
  size_t users = 0;
  for (const auto& [id, object] : all.all) {
    EXPECT_EQ(object.unreadable, 0u) << object.key;
    EXPECT_EQ(object.how_known, "exact");
    if (id.first != Kind::kUser) continue;
    ++users;
    const auto user = object::DecodeAs<kinds::User>(object.body);
    const Object encoded = object::Encode(user);
    EXPECT_EQ(encoded.body, object.body);
    EXPECT_EQ(encoded.key, object.key);
    // A read by key gives the same bytes.
    const auto read = world.Read(Kind::kUser, object.key);
    ASSERT_EQ(read.answer, Answer::kValue) << read.reason;
    EXPECT_EQ(read.object.body, object.body);
    EXPECT_EQ(read.object.id, object.id);
  }
  EXPECT_EQ(users, 2u);
  const Object* bob = all.Find(Kind::kUser, PersonDn("bob"));
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(object::DecodeAs<kinds::User>(bob->body).expires(), 1924991999);
}

TEST(DirectoryRead, WhoLooksAtNamesIsToldNothingElse) {
  // Passwords and mail are hidden from us, and that needn't trouble a list of names.
  const std::string us = Slapd::kBindDn;
  World world(
      {.ppolicy = false,
       .lockout_policy = false,
       .access = {"access to attrs=userPassword,mail by dn.exact=\"" + us + "\" none by * read"},
       .ldif = Slapd::PersonLdif("ann", "givenName: Ann\nuserPassword: x\n")});
  constexpr object::FieldSet kNames = 1 << 2 | 1 << 5 | 1 << 6;  // uid, given and display name
  Collector some;
  const auto scopes = world.target->EnumerateFields(Kind::kUser, kNames, some);
  ASSERT_TRUE(scopes);
  EXPECT_TRUE(scopes->front().complete) << scopes->front().reason;
  const Object* ann = some.Find(Kind::kUser, PersonDn("ann"));
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(some.all.size(), 1u);
  EXPECT_EQ(ann->unreadable, 0u);
  EXPECT_EQ(object::FieldsSet(ann->body), object::FieldSet{1 << 1 | 1 << 2 | 1 << 5});
  EXPECT_EQ(object::DecodeAs<kinds::User>(ann->body).given_name(), "Ann");
  // Without a policy a locked account is told by its password alone.
  constexpr object::FieldSet kEnabled = 1 << 10;
  Collector active;
  ASSERT_TRUE(world.target->EnumerateFields(Kind::kUser, kEnabled, active));
  EXPECT_EQ(active.Find(Kind::kUser, PersonDn("ann"))->unreadable, kEnabled);
  EXPECT_EQ(world.All().Find(Kind::kUser, PersonDn("ann"))->unreadable,
            uint64_t{1} << 7 | kEnabled | uint64_t{1} << 12);
}

TEST(DirectoryRead, WhoLooksAtNamesIsToldOfHiddenOnes) {
  // Class person demands a surname, class account has none: what a missing one says is the class's.
  World world(
      {.access = {"access to attrs=sn by dn.exact=\"" + std::string(Slapd::kBindDn) +
                  "\" none by * read"},
       .ldif = Slapd::PersonLdif("ann") +
               "dn: uid=job,ou=people,dc=example,dc=org\nobjectClass: account\nuid: job\n\n"});
  constexpr object::FieldSet kSurname = 1 << 4;
  Collector some;
  ASSERT_TRUE(world.target->EnumerateFields(Kind::kUser, kSurname, some));
  ASSERT_EQ(some.all.size(), 2u);
  EXPECT_EQ(some.Find(Kind::kUser, PersonDn("ann"))->unreadable, kSurname);
  EXPECT_EQ(some.Find(Kind::kUser, PersonDn("job"))->unreadable, 0u);
}

TEST(DirectoryRead, FastNormalFormIsTheNormalForm) {
  for (const char* dn : {"uid=Ann,OU=People,dc=x", "cn=a b,dc=x", "cn=a  b,dc=x", "cn=a, dc=x",
                         "cn= a,dc=x", "cn=a ,dc=x", "commonName=a,dc=x", "2.5.4.3=a,dc=x",
                         "cn=a+sn=b,dc=x", "cn=a\\,b,dc=x", "cn=\\C3\\A9,dc=x", "cn=a=b,dc=x",
                         "cn=#04,dc=x", "not a name", "cn=,dc=x", "cn=a;dc=x", ""}) {
    EXPECT_EQ(NormalDn(dn), object::Normalise(object::Comparator::kDn, dn)) << dn;
  }
}

TEST(DirectoryRead, KeyedDigestIsTheHmac) {
  KeyedDigest digest("a key");
  for (const char* text : {"one", "", "{SSHA}abc"}) {
    EXPECT_EQ(digest.Hex(text), base::Hex(base::HmacSha256("a key", text)));
  }
}

TEST(DirectoryRead, SizeLimitIsIncomplete) {
  World world({.limits = "size=100", .ldif = Users(300)});
  Collector collector;
  const auto scope = ScopeOf(world, Kind::kUser, &collector);
  EXPECT_FALSE(scope.complete);
  EXPECT_THAT(scope.reason, HasSubstr("size limit"));
  const auto probe = world.target->ProbeTarget();
  ASSERT_TRUE(probe);
  for (const auto& check : probe->checks) {
    if (check.name != "size limit") continue;
    EXPECT_FALSE(check.ok);
    EXPECT_THAT(check.lines_to_add, testing::ElementsAre(HasSubstr("size=unlimited")));
  }
}

TEST(DirectoryRead, AnswerOfExactlyTheLimitIsComplete) {
  // The base is the tenth entry.
  World enough({.limits = "size=10", .ldif = Users(9)});
  Collector all;
  EXPECT_TRUE(ScopeOf(enough, Kind::kUser, &all).complete);
  World short_by_one({.limits = "size=10", .ldif = Users(10)});
  Collector some;
  const auto scope = ScopeOf(short_by_one, Kind::kUser, &some);
  EXPECT_FALSE(scope.complete);
  EXPECT_THAT(scope.reason, HasSubstr("size limit"));
}

TEST(DirectoryRead, LimitOnUnpagedAnswersIsGoneAroundByPages) {
  World world(
      {.limits = "size.soft=100 size.hard=unlimited size.prtotal=unlimited", .ldif = Users(2500)});
  EXPECT_EQ(world.All().all.size(), 2502u);
  // The base comes twice so, and is no user.
  Collector users;
  const auto scopes = world.target->EnumerateFields(Kind::kUser, 1 << 2, users);
  ASSERT_TRUE(scopes);
  EXPECT_TRUE(scopes->front().complete) << scopes->front().reason;
  EXPECT_EQ(users.all.size(), 2500u);
}

TEST(DirectoryRead, HiddenAttributesAreUnreadableNotAbsent) {
  const std::string us = Slapd::kBindDn;
  World world(
      {.access = {"access to attrs=sn,displayName,mail by dn.exact=\"" + us + "\" none by * read"},
       .ldif = Slapd::PersonLdif("ann", "displayName: Ann\n")});
  const Collector all = world.All();
  const Object* ann = all.Find(Kind::kUser, PersonDn("ann"));
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(ann->unreadable, uint64_t{1} << 4 | uint64_t{1} << 6 | uint64_t{1} << 7);
  EXPECT_FALSE(object::DecodeAs<kinds::User>(ann->body).has_mail());
  EXPECT_EQ(world.Read(Kind::kUser, PersonDn("ann")).object.unreadable, ann->unreadable);
}

// A rule for single entries: the listing asks about one user of each parent, an observation about
// each that isn't as recorded.
TEST(DirectoryRead, WhatIsHiddenOfOneUserIsNotTakenForAbsent) {
  World world({.access = {"access to filter=(employeeType=hidden) "
                          "attrs=mail,pwdAccountLockedTime,userPassword by dn.exact=\"" +
                          std::string(Slapd::kBindDn) + "\" none by * break"},
               .ldif = Slapd::PersonLdif("ann") +
                       Slapd::PersonLdif("bob",
                                         "employeeType: hidden\n"
                                         "pwdAccountLockedTime: 000001010000Z\n") +
                       Slapd::PersonLdif("cat")});
  std::vector<Object> recorded;
  for (const char* uid : {"ann", "bob", "cat"}) {
    kinds::User user;
    user.set_dn(PersonDn(uid));
    user.mutable_mail()->add_values(std::string(uid) + "@example.org");
    user.set_enabled(std::string(uid) != "bob");
    recorded.push_back(object::Encode(user));
  }
  observe::Known known;
  for (const Object& object : recorded) {
    known["directory:corp"].push_back({object.kind, object.key, object.body});
  }
  std::vector<observe::OpenTarget> targets(1);
  targets[0].name = "directory:corp";
  targets[0].target = std::move(world.target);
  const observe::Observed observed = observe::Observe(targets, known);
  ASSERT_TRUE(observed.targets[0].reached) << observed.targets[0].error.message;
  for (const Object& object : recorded) {
    const auto* live = observed.targets[0].objects.Find(Kind::kUser, object.key);
    ASSERT_NE(live, nullptr);
    const bool hidden = object.key == PersonDn("bob");
    EXPECT_EQ(live->unreadable,
              hidden ? uint64_t{1} << 7 | uint64_t{1} << 10 | uint64_t{1} << 12 : 0)
        << object.key;
    EXPECT_EQ(object::DecodeAs<kinds::User>(live->body).has_enabled(), !hidden);
  }
}

TEST(DirectoryRead, HiddenMembersAndLocksAreUnreadable) {
  const std::string us = Slapd::kBindDn;
  World world(
      {.access = {"access to attrs=member,pwdAccountLockedTime,userPassword by dn.exact=\"" + us +
                  "\" auth by anonymous auth by * read"},
       .ldif = Slapd::PersonLdif("ann") + "dn: " + GroupDn("ops") +
               "\nobjectClass: groupOfNames\ncn: ops\nmember: " + PersonDn("ann") + "\n\n"});
  Collector collector;
  const auto scopes = world.target->Enumerate({}, collector);
  ASSERT_TRUE(scopes);
  for (const auto& scope : *scopes) {
    const bool hidden = scope.kind == Kind::kMembership && scope.scope == Slapd::kGroups;
    EXPECT_EQ(scope.complete, !hidden) << scope.reason;
  }
  const auto answer = world.Read(
      Kind::kMembership, object::MakeKey(Kind::kMembership, {GroupDn("ops"), PersonDn("ann")}));
  EXPECT_EQ(answer.answer, Answer::kUnreadable);
  const Object* ann = collector.Find(Kind::kUser, PersonDn("ann"));
  ASSERT_NE(ann, nullptr);
  EXPECT_EQ(ann->unreadable, uint64_t{1} << 10 | uint64_t{1} << 12);
}

TEST(DirectoryRead, HiddenBaseIsIncompleteAndNothingIsAbsentBelowIt) {
  const std::string us = Slapd::kBindDn;
  World world({.access = {"access to dn.base=\"" + std::string(Slapd::kPeople) +
                          "\" by dn.exact=\"" + us + "\" none by * read"},
               .ldif = Users(3)});
  Collector collector;
  const auto scope = ScopeOf(world, Kind::kUser, &collector);
  EXPECT_FALSE(scope.complete);
  EXPECT_FALSE(scope.sentinel_seen);
  EXPECT_FALSE(scope.reason.empty());
  EXPECT_EQ(world.Read(Kind::kUser, PersonDn("nobody")).answer, Answer::kUnreadable);
}

TEST(DirectoryRead, AbsentIsAStatement) {
  World world({.ldif = Slapd::PersonLdif("ann")});
  EXPECT_EQ(world.Read(Kind::kUser, PersonDn("nobody")).answer, Answer::kAbsent);
  EXPECT_EQ(world.Read(Kind::kOu, PersonDn("ann")).answer, Answer::kUnreadable);
}

TEST(DirectoryRead, ReferralIsIncomplete) {
  World world({.ldif = "dn: ou=far," + std::string(Slapd::kPeople) +
                       "\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n"
                       "ref: ldap://127.0.0.1:9/ou=far\n\n"});
  Collector collector;
  const auto scope = ScopeOf(world, Kind::kUser, &collector);
  EXPECT_FALSE(scope.complete);
  EXPECT_THAT(scope.reason, HasSubstr("1 referral"));
}

TEST(DirectoryRead, ServerThatDiesInTheMiddleIsIncomplete) {
  World world({.ldif = Users(20000)});
  Collector collector;
  collector.each = [&](size_t count) {
    if (count == 500) world.slapd.process().Kill();
  };
  const auto scope = ScopeOf(world, Kind::kUser, &collector);
  EXPECT_FALSE(scope.complete);
  EXPECT_THAT(scope.reason, HasSubstr("connection was lost after"));
  EXPECT_LT(collector.all.size(), 20000u);
}

TEST(DirectoryRead, StuckServerIsIncompleteInTime) {
  World world({.ldif = Users(20000)});
  decl::Directory declared = Declare(world.slapd);
  auto opened = Open(declared, kSecrets, {.stall = std::chrono::milliseconds(700)});
  ASSERT_TRUE(opened);
  world.target = std::move(*opened);
  Collector collector;
  collector.each = [&](size_t count) {
    if (count == 500) world.slapd.process().Signal(SIGSTOP);
  };
  const auto scope = ScopeOf(world, Kind::kUser, &collector);
  world.slapd.process().Signal(SIGCONT);
  EXPECT_FALSE(scope.complete);
  EXPECT_THAT(scope.reason, HasSubstr("didn't answer in time"));
  // The next call works on a new connection.
  EXPECT_EQ(world.All().all.size(), 20002u);
}

TEST(DirectoryRead, ProbeTellsWhatIsEnforced) {
  World good;
  auto probe = good.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->product, "openldap");
  EXPECT_THAT(probe->product_version, testing::StartsWith("2."));
  EXPECT_EQ(probe->identity, std::string("dn:") + Slapd::kBindDn);
  EXPECT_LT(std::abs(probe->clock_skew_ms), 3000);
  EXPECT_EQ(probe->concurrency[Kind::kUser], "native CAS");
  for (const auto& check : probe->checks) EXPECT_TRUE(check.ok) << check.name << check.found;
  World bad({.ppolicy = false});
  probe = bad.target->ProbeTarget();
  ASSERT_TRUE(probe);
  const auto lacks = [&](const char* name) {
    for (const auto& check : probe->checks) {
      if (check.name == name) return !check.ok && !check.lines_to_add.empty();
    }
    return false;
  };
  EXPECT_TRUE(lacks("password policy"));
  for (const auto& capability : probe->capabilities) {
    const char* support = capability.field == "enabled"   ? "coarser"
                          : capability.field == "expires" ? "unsupported"
                                                          : "native";
    EXPECT_EQ(capability.support, support) << capability.field;
  }
}

}  // namespace
}  // namespace postern::directory
