// From declarations, as a person writes them, to desired objects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "tests/unit/compile/compile_fixture.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// Its numbers and its end are the directory's: none is allocated, compared or written.
TEST_F(CompileTest, LeavesADirectorysAccountItsEntry) {
  operator_.replace(operator_.find("roots = [\"/srv\"]"), 16,
                    "roots = [\"/srv\"], accounts = \"group:ftpusers\"");
  const std::string two = "[server.two]\nhost = \"edge\"\nproduct = \"";
  operator_.replace(operator_.find(two) + two.size(), 7, "openssh");
  operator_.insert(operator_.find(two) + two.size() + 8,
                   "\nuids = { from = 31000, to = 31009, gid = 31000 }");
  facts_.capabilities["two"] = {
      {.kind = "account", .field = "expires", .support = "coarser", .why = "days"}};
  const Desired desired = Read(
      "[account.jo-far]\nfor = \"person:jo\"\nserver = \"two\"\nhome = \"/srv\"\n"
      "source = \"directory:corp\"\nexpires = 2026-12-31T12:00:00Z\nkeys = [\"" +
      std::string(kSshKey) + "\"]\n");
  EXPECT_THAT(Codes(desired), IsEmpty()) << "an end isn't rounded to days of shadow";
  const auto* object =
      desired.Find("host:edge")
          ->Find(Kind::kAccount, object::MakeKey(Kind::kAccount, {"two", "jo-far"}));
  ASSERT_NE(object, nullptr);
  const auto account = object::DecodeAs<kinds::Account>(object->body);
  EXPECT_EQ(account.source(), object::kFromDirectory);
  EXPECT_EQ(account.home(), "/srv");
  EXPECT_TRUE(account.enabled());
  EXPECT_FALSE(account.has_uid() || account.has_gid() || account.has_expires());
  EXPECT_EQ(desired.provenance[object->sources[0]].closer, "nobody");
  const std::pair<std::string, uint32_t> of_al("two", 31001), next("two", 31002);
  EXPECT_THAT(desired.new_uids, Contains(of_al));
  EXPECT_THAT(desired.new_uids, Not(Contains(next)));
  // Its time is over: what the plan shuts is the server's.
  facts_.now = *base::ParseInstant("2027-06-01T00:00:00Z");
  const Desired over = Read(
      "[account.jo-far]\nfor = \"person:jo\"\nserver = \"two\"\nhome = \"/srv\"\n"
      "source = \"directory:corp\"\nexpires = 2026-12-31\n");
  const auto* shut = over.Find("host:edge")
                         ->Find(Kind::kAccount, object::MakeKey(Kind::kAccount, {"two", "jo-far"}));
  ASSERT_NE(shut, nullptr);
  EXPECT_FALSE(object::DecodeAs<kinds::Account>(shut->body).enabled());
}

TEST_F(CompileTest, OpensEveryAccountOfTheIdentityOnTheHost) {
  EXPECT_THAT(Rows(Read(Grant("person:al"))),
              ElementsAre("ftp /srv/d subtree account:al-in list",
                          "two /srv/d subtree account:al-two list"));
  EXPECT_THAT(Rows(Read(Grant("person:al", "via = [\"server:two\"]"))),
              ElementsAre("two /srv/d subtree account:al-two list"));
  EXPECT_THAT(Rows(Read(Grant("person:al", "via = [\"account:al-in\"]\ndepth = \"this\""))),
              ElementsAre("ftp /srv/d this account:al-in list"));
}

// sshd's rows hold for accounts: a group's grant is one of each member, and no group is made there.
TEST_F(CompileTest, AsksForEachMemberWhereRowsNameNoGroups) {
  product_.groups = false;
  const Desired desired = Read(Grant("group:ops") + Grant("group:ops", "", "\"read\"", "acme"));
  EXPECT_THAT(Rows(desired), ElementsAre("ftp /srv/acme/in subtree account:al-in read",
                                         "ftp /srv/acme/in subtree account:jo-in read",
                                         "ftp /srv/d subtree account:al-in list",
                                         "ftp /srv/d subtree account:jo-in list",
                                         "two /srv/acme/in subtree account:al-two read",
                                         "two /srv/d subtree account:al-two list"));
  EXPECT_THAT(Codes(desired), IsEmpty());
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    EXPECT_NE(object.kind, Kind::kServerGroup);
    EXPECT_NE(object.kind, Kind::kServerMembership);
  }
}

TEST_F(CompileTest, WritesDenyAllInEveryManagedRoot) {
  const Desired desired = Read("");
  for (const char* server : {"ftp", "two"}) {
    const auto* row =
        desired.Find("host:edge")
            ->Find(Kind::kGrant,
                   object::MakeKey(Kind::kGrant, {server, "/srv", "subtree", "everyone"}));
    ASSERT_NE(row, nullptr) << server;
    EXPECT_EQ(object::DecodeAs<kinds::Grant>(row->body).rights(), 0u);
    EXPECT_THAT(row->sources, Not(IsEmpty()));
  }
}

TEST_F(CompileTest, KeepsServersAndAccountsOfOneNameApart) {
  const std::string twin =
      "[account.two]\nfor = \"person:al\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
      "login = \"twin\"\n";
  EXPECT_THAT(Rows(Read(twin + Grant("person:al", "via = [\"account:two\"]"))),
              ElementsAre("ftp /srv/d subtree account:twin list"));
  EXPECT_THAT(Rows(Read(twin + Grant("person:al", "via = [\"server:two\"]"))),
              ElementsAre("two /srv/d subtree account:al-two list"));
}

TEST_F(CompileTest, TellsTimeByTheEarliestEnd) {
  struct Case {
    const char* now;
    GrantLine::State state;
    size_t rows, expired, ahead;
    bool enabled;
  };
  using State = GrantLine::State;
  for (const Case& c : {Case{"2025-12-31T23:59:59Z", State::kScheduled, 0, 0, 2, false},
                        Case{"2026-01-01T00:00:00Z", State::kActive, 1, 0, 0, true},
                        Case{"2026-06-30T23:59:59Z", State::kActive, 1, 0, 0, true},
                        Case{"2026-07-01T00:00:00Z", State::kExpired, 0, 1, 0, true},
                        Case{"2027-01-01T00:00:00Z", State::kExpired, 0, 2, 0, false}}) {
    facts_.now = *base::ParseInstant(c.now);
    const Desired desired = Read(Grant("partner:acme", "expires = 2026-06-30", "\"list\"", "acme"));
    EXPECT_EQ(desired.grants[0].state, c.state) << c.now;
    EXPECT_THAT(Rows(desired), testing::SizeIs(c.rows)) << c.now;
    EXPECT_EQ(desired.expired.size(), c.expired) << c.now;
    EXPECT_EQ(desired.ahead.size(), c.ahead) << c.now;
    EXPECT_EQ(AccountNamed(desired, "acme-in").enabled(), c.enabled) << c.now;
  }
}

TEST_F(CompileTest, ProjectsGroupsWithTheirNestedMembers) {
  const Desired desired = Read(Grant("group:ops"));
  EXPECT_THAT(Rows(desired), ElementsAre("ftp /srv/d subtree group:ops list",
                                         "two /srv/d subtree group:ops list"));
  const DesiredTarget& host = *desired.Find("host:edge");
  std::vector<std::string> members;
  for (const DesiredObject& object : host.objects) {
    if (object.kind != Kind::kServerMembership) continue;
    const auto parts = object::SplitKey(object.key);
    members.push_back(std::string(parts[0]) + "/" + std::string(parts[2]));
  }
  EXPECT_THAT(members, ElementsAre("ftp/al-in", "ftp/jo-in", "two/al-two"));
  EXPECT_EQ(host.authority.at(
                {Kind::kServerMembership, std::string("ftp") + object::kKeySeparator + "ops"}),
            Authority::kExact);
  EXPECT_THAT(Codes(desired), Contains(diag::code::kMemberWithout));  // jo has none at two
}

TEST_F(CompileTest, ViaOfAGroupOpensNobodyElse) {
  // al-in at ftp and the whole of two: jo-in at ftp must not get in with the group.
  EXPECT_THAT(
      Rows(Read(Grant("group:ops", "via = [\"account:al-in\", \"server:two\"]"))),
      ElementsAre("ftp /srv/d subtree account:al-in list", "two /srv/d subtree group:ops list"));
}

TEST_F(CompileTest, SaysWhatAGrantDoesNotReach) {
  EXPECT_THAT(Codes(Read(Grant("partner:acme"))), ElementsAre(diag::code::kGrantUnreachable));
  EXPECT_THAT(Codes(Read("[person.no]\n" + Grant("person:no"))),
              ElementsAre(diag::code::kOpensNothing));
  EXPECT_THAT(Codes(Read("[folder.out]\nhost = \"edge\"\npath = \"/etc\"\n")),
              ElementsAre(diag::code::kOutsideScope));
}

TEST_F(CompileTest, AsksTheAuthorForWhatIsWider) {
  const Desired refused = Read(Grant("person:jo", "", "\"rename\""));
  EXPECT_THAT(Codes(refused), ElementsAre(diag::code::kGrantWider));
  EXPECT_TRUE(refused.diagnostics.has_errors());
  const Desired accepted = Read(Grant("person:jo", "accept_wider = [\"delete\"]", "\"rename\""));
  EXPECT_THAT(Codes(accepted), ElementsAre(diag::code::kWiderAccepted));
  EXPECT_FALSE(accepted.diagnostics.has_errors());
  EXPECT_THAT(Rows(accepted), ElementsAre("ftp /srv/d subtree account:jo-in delete, rename"));
  EXPECT_THAT(Codes(Read(Grant("person:jo", "", "\"chmod\""))),
              ElementsAre(diag::code::kNotExpressible));
}

TEST_F(CompileTest, NeverGivesANumberTwice) {
  Desired desired = Read("");  // acme, al, jo by file order: 30001 and up, 30000 is the gid
  std::set<uint32_t> ids;
  for (const char* login : {"jo-in", "al-in", "acme-in"}) {
    ids.insert(AccountNamed(desired, login).uid());
  }
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_FALSE(ids.contains(30000));
  EXPECT_EQ(desired.new_uids.size(), 3u);
  facts_.uids["ftp"]["jo-in"] = 30007;                  // as it is live
  facts_.used_uids = {{"ftp", 30001}, {"ftp", 30008}};  // of accounts long gone
  desired = Read("");
  EXPECT_EQ(AccountNamed(desired, "jo-in").uid(), 30007u);
  for (const char* login : {"al-in", "acme-in"}) {
    const uint32_t uid = AccountNamed(desired, login).uid();
    EXPECT_THAT((std::set<uint32_t>{30000, 30001, 30007, 30008}), Not(Contains(uid)));
  }
}

// One number is one account to the host's kernel, whichever of its servers gave it.
TEST_F(CompileTest, NeverGivesANumberTwiceOnAHost) {
  const std::string two = "[server.two]\nhost = \"edge\"\nproduct = \"proftpd\"\n";
  operator_.insert(operator_.find(two) + two.size(),
                   "uids = { from = 30000, to = 30009, gid = 30000 }\n");
  facts_.used_uids = {{"two", 30001}};
  const Desired desired = Read("");
  std::set<uint32_t> ids = {30000, 30001};
  for (const auto& object : desired.Find("host:edge")->objects) {
    if (object.kind != Kind::kAccount) continue;
    const auto account = object::DecodeAs<kinds::Account>(object.body);
    EXPECT_TRUE(ids.insert(account.uid()).second) << account.login() << " " << account.uid();
  }
  EXPECT_EQ(ids.size(), 6u);
}

TEST_F(CompileTest, UsesTheWholeRangeAndNoMore) {
  operator_.replace(operator_.find("30009"), 5, "30003");
  facts_.used_uids = {{"ftp", 30003}};  // the top alone doesn't use the range up
  EXPECT_THAT(Codes(Read("")), ElementsAre(diag::code::kUidsExhausted));  // three for two places
  facts_.used_uids = {};
  EXPECT_THAT(Codes(Read("")), IsEmpty());
}

TEST_F(CompileTest, TakesAuthorityFromTheGroup) {
  for (const auto& [text, expected, members] :
       {std::tuple{"", Authority::kExact, 1u},
        std::tuple{"authority = \"listed\"\n", Authority::kListed, 1u},
        std::tuple{"authority = \"observe\"\n", Authority::kObserve, 0u}}) {
    const Desired desired = Read(
        "[user.al]\nfor = \"person:al\"\ndirectory = \"corp\"\n[group.g]\n"
        "directory = \"corp\"\nmembers = [\"person:al\"]\n" +
        std::string(text));
    const DesiredTarget& corp = *desired.Find("directory:corp");
    const auto key = object::MakeKey(Kind::kDirectoryGroup, {"cn=g,ou=groups,dc=x"});
    EXPECT_EQ(corp.authority.at({Kind::kMembership, key}), expected);
    const auto count = std::count_if(corp.objects.begin(), corp.objects.end(),
                                     [](const auto& o) { return o.kind == Kind::kMembership; });
    EXPECT_EQ(count, members);
  }
}

TEST_F(CompileTest, AnswersTheSameInputWithTheSameBytes) {
  const std::string text = Grant("group:ops") + Grant("person:al") + Grant("person:jo");
  const Desired one = Read(text), two = Read(text);
  ASSERT_EQ(one.targets.size(), two.targets.size());
  for (size_t i = 0; i < one.targets.size(); ++i) {
    ASSERT_EQ(one.targets[i].objects.size(), two.targets[i].objects.size());
    for (size_t k = 0; k < one.targets[i].objects.size(); ++k) {
      EXPECT_EQ(one.targets[i].objects[k].key, two.targets[i].objects[k].key);
      EXPECT_EQ(one.targets[i].objects[k].body, two.targets[i].objects[k].body);
      EXPECT_EQ(one.targets[i].objects[k].sources, two.targets[i].objects[k].sources);
    }
  }
}

}  // namespace
}  // namespace postern::compile
