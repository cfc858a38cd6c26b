// From declarations, as a person writes them, to desired objects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/compile/desired.h"
#include "core/diag/codes.h"
#include "core/diag/render.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

namespace fs = std::filesystem;
using access::Right;
using object::Kind;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

// A product that can't give rename without delete, nor chmod at all.
class Plain final : public access::Product {
 public:
  std::string_view name() const override { return "proftpd"; }
  std::vector<access::Capability> Capabilities() const override { return {}; }
  bool TakesGroups() const override { return groups; }
  bool groups = true;
  access::Fit FitRows(std::span<const access::GrantRow> rows,
                      std::span<const std::string>) const override {
    access::Fit fit;
    std::map<std::tuple<std::string, access::Depth, access::Subject>, access::Rights> merged;
    for (const access::GrantRow& row : rows) {
      if (row.rights.Has(Right::kChmod)) {
        fit.refusals.push_back({row, "no chmod here", {}});
        continue;
      }
      merged[{row.path, row.depth, row.subject}] |= row.rights;
    }
    for (auto& [key, rights] : merged) {
      const auto& [path, depth, subject] = key;
      if (rights.Has(Right::kRename) && !rights.Has(Right::kDelete)) {
        fit.widenings.push_back({path, subject, Right::kDelete, "rename is delete"});
        rights |= Right::kDelete;
      }
      fit.rows.push_back({path, depth, subject, rights});
    }
    return fit;
  }
};

constexpr char kOperator[] = R"(
administrators = ["person:jo"]
[host.edge]
address = "memory:world"
manage = { roots = ["/srv"] }
[server.ftp]
host = "edge"
product = "proftpd"
uids = { from = 30000, to = 30009, gid = 30000 }
[server.two]
host = "edge"
product = "proftpd"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
manage = { bases = ["dc=x"] }
)";

constexpr char kSshKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBy3otpbFTntrN+OZL/Dkr8kDrnedX7KaB+ravpl/iKE";
constexpr char kOtherKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICRr/7PrJLAzPHVLSet145r3B/cxB5AUgopFZbkH2IiJ";

constexpr char kPeople[] = R"(
[person.jo]
[person.al]
[partner.acme]
contract = { starts = 2026-01-01, ends = 2026-12-31 }
[account.jo-in]
for = "person:jo"
server = "ftp"
home = "/srv"
[account.al-in]
for = "person:al"
server = "ftp"
home = "/srv"
[account.acme-in]
for = "partner:acme"
server = "ftp"
home = "/srv/acme"
[account.al-two]
for = "person:al"
server = "two"
home = "/srv"
[folder.d]
host = "edge"
path = "/srv/d"
[folder.acme]
host = "edge"
path = "/srv/acme/in"
[group.inner]
members = ["person:al"]
[group.ops]
members = ["person:jo", "group:inner"]
)";

class CompileTest : public testing::Test {
 protected:
  CompileTest() {
    std::string name = (fs::temp_directory_path() / "postern-compile-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    operator_ = kOperator;
    facts_.now = *base::ParseInstant("2026-06-01T00:00:00Z");
  }
  ~CompileTest() override { fs::remove_all(folder_); }

  Desired Read(const std::string& more) {
    fs::create_directories(folder_ / "operator");
    fs::create_directories(folder_ / "access");
    std::ofstream(folder_ / "operator/postern.toml") << operator_;
    std::ofstream(folder_ / "access/a.toml") << kPeople << more;
    const config::Loaded loaded =
        config::Load({.operator_file = folder_ / "operator/postern.toml"});
    EXPECT_FALSE(loaded.diagnostics.has_errors())
        << diag::Render(loaded.diagnostics, loaded.sources);
    return Compile(loaded.declarations, loaded.sources, {{"proftpd", &product_}}, facts_);
  }
  static std::vector<std::string> Codes(const Desired& desired) {
    std::vector<std::string> codes;
    for (const auto& diagnostic : desired.diagnostics.all()) codes.push_back(diagnostic.code);
    return codes;
  }
  // "ftp /srv/d subtree account:jo-in list"
  static std::vector<std::string> Rows(const Desired& desired) {
    std::vector<std::string> rows;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind != Kind::kGrant) continue;
      const auto row = object::DecodeAs<kinds::Grant>(object.body);
      if (row.subject() == "everyone") continue;  // the deny-all, see WritesDenyAll...
      rows.push_back(row.server() + " " + row.path() + " " + row.depth() + " " + row.subject() +
                     " " + access::Format(access::Rights(row.rights())));
    }
    return rows;
  }
  static kinds::Account AccountNamed(const Desired& desired, const char* login) {
    const auto* object =
        desired.Find("host:edge")
            ->Find(Kind::kAccount, object::MakeKey(Kind::kAccount, {"ftp", login}));
    return object == nullptr ? kinds::Account() : object::DecodeAs<kinds::Account>(object->body);
  }
  static std::string Grant(const std::string& who, const std::string& more = "",
                           const std::string& rights = "\"list\"",
                           const std::string& folder = "d") {
    return "[[grant]]\nwho = [\"" + who + "\"]\nfolder = \"" + folder + "\"\nrights = [" + rights +
           "]\n" + more + "\n";
  }

  Plain product_;
  fs::path folder_;
  std::string operator_;
  Facts facts_;
};

// What narrows a key of jo's other account, which stands in line 2 of what is read.
std::string KeyedAccount(const std::string& keys) {
  return "[account.jo-key]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\nkeys = [" +
         keys + "]\n";
}

TEST_F(CompileTest, WhoNarrowsAKeySaysAllThatNarrowsIt) {
  facts_.capabilities["ftp"] = {{.kind = "ssh_key", .field = "options", .support = "native"}};
  const std::string line = kSshKey;
  const auto only = [&](const std::string& keys) {
    const Desired desired = Read(KeyedAccount(keys));
    EXPECT_THAT(Codes(desired), Not(Contains("E0413")));
    std::vector<kinds::SshKey> found;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind != Kind::kSshKey) continue;
      found.push_back(object::DecodeAs<kinds::SshKey>(object.body));
      if (found.back().expires() != base::kForever && found.back().has_expires()) {
        EXPECT_EQ(desired.provenance[object.sources.front()].closer, "server");
        EXPECT_EQ(desired.provenance[object.sources.front()].until, found.back().expires());
      }
    }
    return found;
  };
  const auto plain = only("\"" + line + "\"");
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_FALSE(plain[0].has_from());
  EXPECT_FALSE(plain[0].has_expires());
  EXPECT_TRUE(plain[0].has_options());
  const auto from = only("{ key = \"" + line + "\", from = [\"10.0.0.1\", \"*\"] }");
  ASSERT_EQ(from.size(), 1U);
  EXPECT_THAT(from[0].from().values(), ElementsAre("*"));
  EXPECT_EQ(from[0].expires(), base::kForever);
  const auto narrow =
      only("{ key = \"" + line + "\", from = [\"10.0.0.0/8\"], expires = 2026-12-31 }");
  ASSERT_EQ(narrow.size(), 1U);
  EXPECT_THAT(narrow[0].from().values(), ElementsAre("10.0.0.0/8"));
  EXPECT_EQ(base::FormatInstant(narrow[0].expires()), "2026-12-31T23:59:59Z");
}

TEST_F(CompileTest, AKeyWhoseTimeIsOverIsNotWantedAndItsLossExpected) {
  const Desired desired =
      Read(KeyedAccount(std::string("{ key = \"") + kSshKey + "\", expires = 2026-05-31 }"));
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    EXPECT_NE(object.kind, Kind::kSshKey);
  }
  ASSERT_EQ(desired.expired.size(), 1U);
  EXPECT_EQ(desired.expired[0].second.kind, Kind::kSshKey);
}

TEST_F(CompileTest, WhatAServerCantKeepOfAKeyIsRefusedWithPlaceAndWayOut) {
  facts_.capabilities["ftp"] = {{.kind = "ssh_key",
                                 .field = "options",
                                 .support = "unsupported",
                                 .why = "no options there",
                                 .alternatives = {"an openssh server"}}};
  const Desired desired = Read(KeyedAccount(std::string("\"") + kOtherKey + "\", { key = \"" +
                                            kSshKey + "\", from = [\"10.0.0.0/8\"] }"));
  ASSERT_EQ(desired.diagnostics.all().size(), 1U);
  const diag::Diagnostic& said = desired.diagnostics.all()[0];
  EXPECT_EQ(said.code, diag::code::kFieldUnsupported);
  EXPECT_EQ(said.label, "no options there");
  EXPECT_THAT(said.notes, ElementsAre("an openssh server"));
  EXPECT_GT(said.span.column, 80U) << "the second element of the list";
}

TEST_F(CompileTest, PrincipalsAreLinesOfEachAuthorityThatTheOperatorNames) {
  const std::string more =
      "[account.jo-cert]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
      "principals = [\"jo\", \"ops\"]\n";
  const Desired without = Read(more);
  ASSERT_THAT(Codes(without), ElementsAre(diag::code::kWayInMissing));
  EXPECT_THAT(without.diagnostics.all()[0].notes[0], testing::HasSubstr("authorities"));
  const size_t at = operator_.find("uids =");
  operator_.replace(operator_.find("product = \"proftpd\"\nuids"), 19, "product = \"openssh\"");
  ASSERT_NE(at, std::string::npos);
  operator_.insert(at, std::string("certificates = { authorities = [\"") + kSshKey + "\", \"" +
                           kOtherKey + "\"] }\n");
  const Desired desired = Read(more);
  EXPECT_THAT(Codes(desired), IsEmpty());
  size_t found = 0;
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    if (object.kind != Kind::kSshKey) continue;
    const auto key = object::DecodeAs<kinds::SshKey>(object.body);
    EXPECT_THAT(key.principals().values(), ElementsAre("jo", "ops"));
    EXPECT_THAT(key.options().values(), ElementsAre("cert-authority"));
    ++found;
  }
  EXPECT_EQ(found, 2U);
}

TEST_F(CompileTest, AServerThatEndsLoginsByDaysIsGivenTheLastFullOne) {
  facts_.capabilities["ftp"] = {
      {.kind = "account", .field = "expires", .support = "coarser", .why = "days"}};
  const auto account = [](const std::string& expires) {
    return "[account.jo-end]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\nexpires = " +
           expires + "\n";
  };
  const Desired whole = Read(account("2026-12-31") + Grant("account:jo-end") +
                             Grant("account:jo-end", "expires = 2026-11-30", "\"read\""));
  EXPECT_THAT(Codes(whole), IsEmpty());
  EXPECT_EQ(base::FormatInstant(AccountNamed(whole, "jo-end").expires()), "2026-12-31T23:59:59Z");
  std::vector<std::string> closers;
  for (const GrantLine& line : whole.grants) {
    closers.push_back(whole.provenance[line.source].closer);
  }
  EXPECT_THAT(closers, ElementsAre("server", "nobody")) << "a rule has no date of its own";
  const Desired part = Read(account("2026-12-31T12:00:00Z"));
  ASSERT_THAT(Codes(part), ElementsAre(diag::code::kEndRounded));
  EXPECT_EQ(base::FormatInstant(AccountNamed(part, "jo-end").expires()), "2026-12-30T23:59:59Z");
  // Nothing is written where the server knows no dates.
  facts_.capabilities["ftp"] = {
      {.kind = "account", .field = "expires", .support = "unsupported", .why = "none"}};
  const Desired none = Read(account("2026-12-31"));
  EXPECT_FALSE(AccountNamed(none, "jo-end").has_expires());
}

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
    size_t rows, expired;
    bool enabled;
  };
  using State = GrantLine::State;
  for (const Case& c : {Case{"2025-12-31T23:59:59Z", State::kScheduled, 0, 0, false},
                        Case{"2026-01-01T00:00:00Z", State::kActive, 1, 0, true},
                        Case{"2026-06-30T23:59:59Z", State::kActive, 1, 0, true},
                        Case{"2026-07-01T00:00:00Z", State::kExpired, 0, 1, true},
                        Case{"2027-01-01T00:00:00Z", State::kExpired, 0, 2, false}}) {
    facts_.now = *base::ParseInstant(c.now);
    const Desired desired = Read(Grant("partner:acme", "expires = 2026-06-30", "\"list\"", "acme"));
    EXPECT_EQ(desired.grants[0].state, c.state) << c.now;
    EXPECT_THAT(Rows(desired), testing::SizeIs(c.rows)) << c.now;
    EXPECT_EQ(desired.expired.size(), c.expired) << c.now;
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

TEST_F(CompileTest, NamesUsersOfAnIamAndWhoIsInItsGroups) {
  operator_ +=
      "[iam.hr]\nurl = \"memory:hr\"\nproduct = \"otds\"\n"
      "manage = { partitions = [\"Corp\", \"Partners\"] }\n";
  const Desired desired = Read(R"(
[iam_user.jo]
for = "person:jo"
iam = "hr"
user_name = "Jo.Hart"
[iam_user.al]
for = "person:al"
iam = "hr"
user_name = "al@partners"
external_id = "E7"
[iam_user.ops]
for = "partner:acme"
iam = "hr"
user_name = "ops@acme.example"
expires = 2026-05-31
[iam_group.all]
iam = "hr"
display_name = "All"
members = ["group:ops", "iam_group:some", "partner:acme"]
[iam_group.some]
iam = "hr"
authority = "listed"
members = ["iam_user:al"]
[iam_access_role.archive]
iam = "hr"
members = ["iam_group:all"]
partitions = ["Partners"]
[account.by-user]
for = "iam_user:jo"
server = "two"
home = "/srv"
)");
  const DesiredTarget& hr = *desired.Find("iam:hr");
  std::vector<std::string> members;
  for (const DesiredObject& object : hr.objects) {
    if (object.kind != Kind::kIamMembership) continue;
    const auto membership = object::DecodeAs<kinds::IamMembership>(object.body);
    members.push_back(membership.set() + " < " + membership.member());
  }
  EXPECT_THAT(members,
              testing::UnorderedElementsAre(
                  "group:All@Corp < user:Jo.Hart@Corp", "group:All@Corp < user:al@partners",
                  "group:All@Corp < user:ops@acme.example@Corp", "group:All@Corp < group:some@Corp",
                  "group:some@Corp < user:al@partners", "access_role:archive < group:All@Corp",
                  "access_role:archive < partition:Partners"));
  const auto user = [&](std::string_view key) {
    return object::DecodeAs<kinds::IamUser>(hr.Find(Kind::kIamUser, key)->body);
  };
  EXPECT_FALSE(user("jo.hart@corp").has_external_id());  // OTDS keeps none of ours
  EXPECT_EQ(user("al@partners").external_id(), "E7");
  EXPECT_TRUE(user("al@partners").active());
  EXPECT_FALSE(user("ops@acme.example@corp").active());  // its time is over
  EXPECT_EQ(desired.expired.size(), 1u);
  EXPECT_EQ(hr.authority.at({Kind::kIamMembership, "group:all@corp"}), Authority::kExact);
  EXPECT_EQ(hr.authority.at({Kind::kIamMembership, "group:some@corp"}), Authority::kListed);
  EXPECT_EQ(desired.IdentityOf({"iam:hr", ""}, "jo.hart@corp"), "person:jo");
  EXPECT_EQ(desired.IdentityOf({"host:edge", "two"}, "by-user"), "person:jo");
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
