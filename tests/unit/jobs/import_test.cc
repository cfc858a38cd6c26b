// Rosters judged and matched: golden files through the import's eyes, and each way out of its
// scope.
#include <algorithm>

#include "core/config/roster.h"
#include "core/jobs/thresholds.h"
#include "tests/unit/jobs/import_rows.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ImportRows, AColumnThatNoFileGives) {
  decl::Import import = Acme();
  import.mutable_columns()->mutable_values(2)->set_to("dn");
  const auto read = ReadRoster(import, TextSource(kRosterHeader), "roster.csv", 0);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "no file gives people dn");
}

TEST(ImportRows, HostileLoginsAreRefused) {
  for (const char* login : {"root", "admin", "svc-backup", "SVC-x", "Root", "12345", "www-data",
                            "a b", "../x", "jo;rm", "jo,ou=Staff", "-rf", "systemd-x"}) {
    const RosterFile file = ReadIt(Acme(), std::string("A1,\"") + login + "\",N,a@acme.test,\n");
    EXPECT_EQ(file.rows.size(), 0u) << login;
    ASSERT_EQ(file.refused.size(), 1u) << login;
    EXPECT_EQ(file.refused[0].column, "UID") << login;
    EXPECT_EQ(file.refused[0].whole_key, "A1") << login;
  }
}

TEST(ImportRows, HostileValuesAreRefused) {
  EXPECT_EQ(Lines(ReadIt(Acme(),
                         "A1,jo,N,a@other.test,\nA2,an,N,nonsense,\nA3,bo,../../etc,c@acme.test,\n"
                         "A4,cy,N\xE2\x80\xAEx,d@acme.test,\nA5,di,N,e@acme.test,2026-02-31\n"
                         "A6,ed,N,f@acme.test.evil.test,\nA7,fy,=1+1,g@acme.test,\n"
                         "A8,gi,N,h@ACME.test,2026-03-01\n")
                      .refused),
            "2 E0887 MAIL: a@other.test isn't in acme.test\n"
            "3 E0887 MAIL: \"nonsense\" is no mail address\n"
            "4 E0887 NAME: \"../../etc\" has parts of a path\n"
            "5 E0822 NAME: N\\u{202E}x has a character that can't be seen\n"
            "6 E0822 UNTIL: 2026-02-31 isn't a time\n"
            "7 E0887 MAIL: f@acme.test.evil.test isn't in acme.test\n"
            "8 E0822 NAME: =1+1 would be a formula in a spreadsheet\n");
}

// Else one row makes the directory reject its entry, again and again.
TEST(ImportRows, AMailThatADirectoryCantHoldIsRefused) {
  EXPECT_EQ(Lines(ReadIt(Acme(), "A1,jo,N,\xC3\xBC@acme.test,\n").refused),
            "2 E0887 MAIL: \"\xC3\xBC@acme.test\" isn't ASCII, and mail in a directory is\n");
}

TEST(ImportRows, DateEndsWithItsLastSecond) {
  const RosterFile file = ReadIt(Acme(), "A1,jo,N,a@acme.test,2026-03-01\n");
  ASSERT_EQ(file.rows.size(), 1u);
  EXPECT_EQ(file.rows[0].values[4].elements[0],
            std::to_string(*base::ParseInstant("2026-03-01T23:59:59Z")));
}

TEST(ImportRows, LookalikesAreTold) {
  const RosterFile file = ReadIt(Acme(), "A1,jo,P\xD0\xB0ul,a@acme.test,\n");
  EXPECT_EQ(file.rows.size(), 1u);
  ASSERT_EQ(file.report.diagnostics.all().size(), 1u);
  EXPECT_EQ(file.report.diagnostics.all()[0].code, "E0899");
  EXPECT_TRUE(ReadIt(Acme(), "A1,jo,\xD0\x9F\xD0\xB0,a@acme.test,\n").report.diagnostics.empty());
}

TEST(ImportRows, RefusedFileHasNoRows) {
  const RosterFile file = ReadIt(Acme(), "A1,jo,N,a@acme.test,\nA2,an,\"N");
  EXPECT_TRUE(file.report.refused);
  EXPECT_THAT(file.rows, IsEmpty());
}

TEST(ImportRows, TwiceTheSameKeyCountsForNeither) {
  const RosterFile file =
      ReadIt(Acme(), "A1,jo,N,a@acme.test,\nA2,an,N,b@acme.test,\nA1,bo,N,c@acme.test,\n");
  ASSERT_EQ(file.rows.size(), 1u);
  EXPECT_EQ(file.rows[0].line, 3u);
  ASSERT_EQ(file.refused.size(), 2u);
  for (const RefusedRow& row : file.refused) EXPECT_EQ(row.key, "A1");
}

TEST(ImportRows, RejectsFileIsSafeToOpen) {
  EXPECT_EQ(RejectsFile({{3, "E0887", "NAME", "=cmd|x", "a \"b\", c", ""}}),
            "line,column,code,key,text\r\n3,NAME,E0887,\"'=cmd|x\",\"a \"\"b\"\", c\"\r\n");
}

TEST(ImportMatch, FirstFileCreatesBelowItsBase) {
  const Matched first = Next(Acme(), "A1,jo,Jo,jo@acme.test,2026-02-01\nA2,an,An,an@acme.test,\n");
  EXPECT_EQ(Lines(first.refused), "");
  EXPECT_EQ(first.counts.create, 2u);
  ASSERT_EQ(first.roster.people_size(), 2);
  const decl::User& jo = first.roster.people(0).user();
  EXPECT_EQ(jo.name(), "acme.a1");
  EXPECT_EQ(jo.dn(), "uid=jo,ou=acme,dc=x");
  EXPECT_EQ(jo.directory(), "corp");
  EXPECT_FALSE(jo.has_for_());
  EXPECT_EQ(jo.expires(), *base::ParseInstant("2026-02-01T23:59:59Z"));
  // No end in the file: a year, or the contract's where that is sooner.
  EXPECT_EQ(first.roster.people(1).user().expires(), kNow + 100 * 86400);
  EXPECT_EQ(first.roster.people(1).line(), 3u);
}

TEST(ImportMatch, SameFileAgainChangesNothing) {
  const std::string rows = "A1,jo,Jo,jo@acme.test,\nA2,an,An,an@acme.test,\n";
  const Matched first = Next(Acme("expires_days: 30"), rows);
  const Matched again = Next(Acme("expires_days: 30"), rows, &first.roster, kNow + 5 * 86400);
  EXPECT_EQ(again.counts.create + again.counts.change + again.counts.disable, 0u);
  EXPECT_EQ(first.roster.people(0).user().SerializeAsString(),
            again.roster.people(0).user().SerializeAsString());
  const Matched later = Next(Acme("expires_days: 30"), rows, &first.roster, kNow + 20 * 86400);
  EXPECT_GT(later.roster.people(0).user().expires(), first.roster.people(0).user().expires());
}

TEST(ImportMatch, MissingLeaveAfterSoManyFiles) {
  const decl::Import import = Acme("missing_files: 2");
  const Matched first = Next(import, "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  const Matched second = Next(import, "A1,jo,J,jo@acme.test,\n", &first.roster);
  EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2"));
  EXPECT_EQ(second.counts.disable, 0u);
  const Matched third = Next(import, "A1,jo,J,jo@acme.test,\n", &second.roster);
  EXPECT_THAT(Names(third), ElementsAre("acme.a1", "acme.a2 left"));
  EXPECT_EQ(third.counts.disable, 1u);
  EXPECT_FALSE(Named(third, "acme.a2")->user().enabled());
  // Seen again between: it counts anew.
  const Matched seen =
      Next(import, "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n", &second.roster);
  EXPECT_EQ(Named(seen, "acme.a2")->missing(), 0u);
}

TEST(ImportMatch, RefusedRowIsNotMissing) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  const Matched second =
      Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,root,A,an@acme.test,\n", &first.roster);
  EXPECT_EQ(second.refused.size(), 1u);
  EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2"));
  // A row that can't say whose it is may be anybody's.
  const Matched third = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an\n", &first.roster);
  EXPECT_EQ(third.refused.size(), 1u);
  EXPECT_THAT(Names(third), ElementsAre("acme.a1", "acme.a2"));
}

// What is shown of a key is cut; whose row it is must be known by all of it.
TEST(ImportMatch, ALongKeyOfARefusedRowIsItsPersons) {
  decl::Import import = Acme();
  import.mutable_columns()->mutable_values(0)->clear_pattern();
  const std::string key = "A-" + std::string(100, 'x');
  const std::string rest = "A2,an,A,an@acme.test,\n";
  const Matched first = Next(import, key + ",jo,J,jo@acme.test,\n" + rest);
  ASSERT_EQ(first.counts.create, 2u);
  const Matched second = Next(import, key + ",jo,J,jo@acme.test,nonsense\n", &first.roster);
  ASSERT_EQ(second.refused.size(), 1u);
  EXPECT_EQ(second.refused[0].column, "UNTIL");
  EXPECT_EQ(second.counts.disable, 1u) << "A2 alone";
  for (const auto& person : second.roster.people()) {
    EXPECT_EQ(person.left(), person.user().uid() == "an") << person.name();
  }
}

// It may be anybody's: a spreadsheet has made a number of A1, or somebody mistyped it.
TEST(ImportMatch, WhereAKeyIsBrokenNobodyIsMissing) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  for (const char* broken : {"1.23E+05", "a1", "../A1"}) {
    const Matched second =
        Next(Acme(), std::string(broken) + ",jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n",
             &first.roster);
    EXPECT_EQ(second.refused.size(), 1u) << broken;
    EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2")) << broken;
    EXPECT_EQ(second.counts.disable, 0u) << broken;
  }
}

TEST(ImportMatch, OfTwinsNobodyIsMissingAndOthersAre) {
  const std::string twins = "A1,jo,J,jo@acme.test,\nA1,jo,J,jo@acme.test,\n";
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  const Matched second = Next(Acme(), twins, &first.roster);
  EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2 left"));
}

TEST(ImportMatch, RenameBySecondKey) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\n");
  const Matched second = Next(Acme(), "B7,jo,J,jo@acme.test,\n", &first.roster);
  ASSERT_THAT(Names(second), ElementsAre("acme.a1"));
  EXPECT_EQ(second.roster.people(0).user().employee_number(), "B7");
  EXPECT_EQ(second.counts.change, 1u);
}

TEST(ImportMatch, TwoRowsOfOnePersonAreRefused) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\n");
  const Matched second =
      Next(Acme(), "A1,jo,J,jo@acme.test,\nB7,jb,B,jo@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(second.refused), "2 E0888 2 rows are acme.a1\n3 E0888 2 rows are acme.a1\n");
  EXPECT_THAT(Names(second), ElementsAre("acme.a1"));
}

TEST(ImportMatch, SeveralHitsRefuseTheRow) {
  const decl::Import import = Acme();
  Matched first = Next(import, "A1,jo,J,team@acme.test,\nA2,an,A,team@acme.test,\n");
  ASSERT_EQ(first.roster.people_size(), 2);
  const Matched second =
      Next(import, "A1,jo,J,,\nA2,an,A,,\nB1,bo,B,team@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(second.refused), "4 E0888 its mail is that of 2 people: acme.a1, acme.a2\n");
}

TEST(ImportMatch, KeyOfALeaverIsANewIdentity) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  const Matched left = Next(Acme(), "A2,an,A,an@acme.test,\n", &first.roster);
  ASSERT_THAT(Names(left), ElementsAre("acme.a1 left", "acme.a2"));
  const std::string rest = "A2,an,A,an@acme.test,\n";
  const Matched login = Next(Acme(), rest + "A1,jo,X,new@acme.test,\n", &left.roster);
  EXPECT_EQ(Lines(login.refused), "3 E0891 its login is that of acme.a1, who left\n");
  const Matched other = Next(Acme(), rest + "A1,jo2,X,new@acme.test,\n", &left.roster);
  EXPECT_THAT(Names(other), ElementsAre("acme.a1 left", "acme.a1.2", "acme.a2"));
  EXPECT_EQ(other.counts.create, 1u);
  // All of match agrees: the same person, back.
  const Matched back = Next(Acme(), rest + "A1,jo,J,jo@acme.test,\n", &left.roster);
  EXPECT_THAT(Names(back), ElementsAre("acme.a1", "acme.a2"));
  EXPECT_EQ(back.counts.back, 1u);
  EXPECT_FALSE(Named(back, "acme.a1")->user().has_enabled());
}

TEST(ImportMatch, LoginOfAnotherIsRefused) {
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\n");
  const Matched second =
      Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,JO,A,an@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(second.refused), "3 E0888 its login is that of acme.a1\n");
}

TEST(ImportMatch, OnlyWhatItMay) {
  decl::Import import = Acme();
  const Matched first = Next(import, "A1,jo,J,jo@acme.test,\n");
  import.mutable_may()->clear_values();
  import.mutable_may()->add_values("update");
  const Matched second = Next(import, "A2,an,A,an@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(second.refused), "2 E0889 would be new, and the import may not create\n");
  EXPECT_THAT(Names(second), ElementsAre("acme.a1"));
  import.mutable_may()->set_values(0, "create");
  const Matched third = Next(import, "A1,jo,Other,jo@acme.test,\n", &first.roster);
  EXPECT_EQ(Lines(third.refused), "2 E0889 acme.a1 would change, and the import may not update\n");
  EXPECT_EQ(third.roster.people(0).user().surname(), "J");
}

TEST(ImportMatch, DeltaNeverImpliesLeaving) {
  decl::Import import = Acme("mode: \"delta\"");
  const Matched first = Next(Acme(), "A1,jo,J,jo@acme.test,\nA2,an,A,an@acme.test,\n");
  const std::string text =
      "op,ID,UID,NAME,MAIL,UNTIL\nmodify,A1,jo,New,jo@acme.test,\ndelete,A9,,,,\n";
  auto file = ReadRoster(import, TextSource(text), "d.csv", 0);
  ASSERT_TRUE(file) << file.error().message;
  const config::Declarations world = World();
  const Matched second = MatchRoster({import, &first.roster, &world, kNow, "00"}, *file);
  EXPECT_THAT(Names(second), ElementsAre("acme.a1", "acme.a2"));
  EXPECT_EQ(second.counts.disable, 0u);
  EXPECT_EQ(second.counts.change, 1u);
  EXPECT_THAT(Lines(second.refused), HasSubstr("3 E0890"));
}

TEST(ImportMatch, AttributesOfPeopleThatOthersDeclare) {
  decl::Import import = Acme();
  import.set_what("attributes");
  config::Declarations world = World();
  for (const auto& [name, number, base] :
       {std::tuple("li", "A1", "ou=acme,dc=x"), std::tuple("zed", "A2", "ou=Staff,dc=x")}) {
    decl::User user;
    user.set_name(name);
    user.set_directory("corp");
    user.set_employee_number(number);
    user.set_dn(std::string("uid=") + name + "," + base);
    world.users.push_back({user, {}, {}});
  }
  const RosterFile file =
      ReadIt(import, "A1,li,Li,li@acme.test,\nA2,zed,Zed,zed@acme.test,\nA3,x,X,x@acme.test,\n");
  const Matched matched = MatchRoster({import, nullptr, &world, kNow, "00"}, file);
  // zed stands outside of the base, A3 is nobody.
  EXPECT_EQ(Lines(matched.refused),
            "3 E0890 nobody is known by its match attributes\n"
            "4 E0890 nobody is known by its match attributes\n");
  ASSERT_THAT(Names(matched), ElementsAre("li"));
  EXPECT_EQ(matched.roster.people(0).user().surname(), "Li");
  EXPECT_FALSE(matched.roster.people(0).user().has_employee_number());
  EXPECT_FALSE(matched.roster.people(0).user().has_dn());
}

// Two partners' rosters, and a file of values by one of them for all who stand there.
TEST(ImportMatch, APartnersFileReachesNobodyOfAnotherOwners) {
  decl::Import import = Acme();
  import.set_what("attributes");
  config::Declarations world = World();
  for (const auto& [name, number, by] :
       {std::tuple("acme.b1", "B1", "bolt"), std::tuple("acme.a1", "A1", "acme-roster")}) {
    decl::Import other;
    other.set_name(by);
    other.set_owner(std::string(by) == "bolt" ? "partner:bolt" : "partner:acme");
    world.imports.push_back({other, {}, {}});
    decl::User user;
    user.set_name(name);
    user.set_directory("corp");
    user.set_employee_number(number);
    user.set_dn(std::string("uid=") + name + ",ou=acme,dc=x");
    world.imported_by.emplace("user:" + user.name(), by);
    world.users.push_back({user, {}, {}});
  }
  const std::string rows = "A1,x1,One,a1@acme.test,\nB1,x2,Two,b1@acme.test,\n";
  Matched matched = MatchRoster({import, nullptr, &world, kNow, "00"}, ReadIt(import, rows));
  EXPECT_THAT(Names(matched), ElementsAre("acme.a1"));
  EXPECT_EQ(Lines(matched.refused), "3 E0890 nobody is known by its match attributes\n");
  import.set_owner("person:li");  // somebody inside answers for it
  matched = MatchRoster({import, nullptr, &world, kNow, "00"}, ReadIt(import, rows));
  EXPECT_THAT(Names(matched), ElementsAre("acme.a1", "acme.b1"));
}

// Spellings of one name that look alike: of one only, and the sender is told.
TEST(ImportMatch, KeysAreComposed) {
  decl::Import import = Acme();
  import.mutable_columns()->mutable_values(0)->clear_pattern();
  const Matched matched = Next(import,
                               "Zo\xC3\xA9,u1,N,,\n"    // one letter
                               "Zoe\xCC\x81,u2,N,,\n"   // e and an accent
                               "\xE2\x84\xAB,u3,N,,\n"  // the Angstrom sign, which is a letter
                               "\xE1\x84\x80\xE1\x85\xA1,u4,N,,\n"  // a syllable in two parts
                               "x\xCC\x81,u5,N,,\n");               // there is no one letter for it
  ASSERT_EQ(matched.refused.size(), 3u) << Lines(matched.refused);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(matched.refused[i].line, i + 3);
    EXPECT_EQ(matched.refused[i].code, "E0887");
    EXPECT_THAT(matched.refused[i].text, HasSubstr("NFC"));
  }
  EXPECT_EQ(matched.roster.people_size(), 2);
}

TEST(ImportMatch, LeadingZerosOfAKeyCount) {
  decl::Import import = Acme();
  import.mutable_columns()->mutable_values(0)->clear_pattern();
  const Matched first = Next(import, "0017,u1,N,,\n17,u2,N,,\n");
  EXPECT_EQ(Lines(first.refused), "");
  ASSERT_THAT(Names(first), ElementsAre("acme.0017", "acme.17"));
  EXPECT_EQ(first.roster.people(0).user().employee_number(), "0017");
  const Matched second = Next(import, "17,u2,Other,,\n0017,u1,N,,\n", &first.roster);
  EXPECT_EQ(second.counts.change, 1u);
  EXPECT_EQ(Named(second, "acme.17")->user().surname(), "Other");
  EXPECT_EQ(Named(second, "acme.0017")->user().surname(), "N");
}

// Case doesn't tell people apart, nor does a wide letter.
TEST(ImportMatch, TwoNewRowsOfOneKeyAreNobody) {
  decl::Import import = Acme();
  import.mutable_columns()->mutable_values(0)->clear_pattern();
  const Matched matched = Next(import,
                               "ab1,u1,N,,\nAB1,u2,N,,\n\xEF\xBC\xA1"
                               "B1,u3,N,,\nB2,u4,N,,\n");
  EXPECT_EQ(Lines(matched.refused),
            "2 E0888 3 new rows have its key\n3 E0888 3 new rows have its key\n"
            "4 E0888 3 new rows have its key\n");
  EXPECT_THAT(Names(matched), ElementsAre("acme.b2"));
}

TEST(ImportMatch, PartitionIsTheImports) {
  decl::Import import;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(name: "acme" owner: "partner:acme" what: "roster" to: "iam:corp" partition: "Acme"
         format { type: "csv" } may { values: "create" } match { values: "user_name" }
         columns { values { name: "U" to: "user_name" } values { name: "D" to: "department" } })",
      &import));
  const std::string text = "U,D\r\njo,Sales\r\nan@Staff,Sales\r\nroot,Sales\r\n";
  auto file = ReadRoster(import, TextSource(text), "r.csv", 0);
  ASSERT_TRUE(file);
  EXPECT_EQ(Lines(file->refused),
            "3 E0886 U: \"an@Staff\" names a partition\n"
            "4 E0886 U: the login root is a system's own\n");
  const config::Declarations world = World();
  const Matched matched = MatchRoster({import, nullptr, &world, kNow, "00"}, *file);
  ASSERT_EQ(matched.roster.people_size(), 1);
  EXPECT_EQ(matched.roster.people(0).iam_user().user_name(), "jo@Acme");
}

TEST(ImportThresholds, OnByDefault) {
  RosterCounts counts{.before = 100, .rows = 100, .rows_before = 100};
  EXPECT_THAT(Exceeded(Acme(), counts), IsEmpty());
  counts.disable = 5;
  EXPECT_THAT(Exceeded(Acme(), counts), IsEmpty());
  counts.disable = 6;
  EXPECT_THAT(Exceeded(Acme(), counts), ElementsAre("6 of 100 people would be disabled; 5 may be"));
  counts.before = 40;  // five per cent of them are two
  counts.disable = 3;
  EXPECT_THAT(Exceeded(Acme(), counts), ElementsAre("3 of 40 people would be disabled; 2 may be"));
  counts = {.before = 100, .change = 31, .rows = 69, .rows_before = 100, .refused = 0};
  EXPECT_THAT(Exceeded(Acme(), counts),
              ElementsAre("31 of 100 people would change; 30 % may",
                          "69 rows where the last file had 100; 30 % apart may be"));
  counts = {.create = 51, .rows = 51, .refused = 2};
  EXPECT_THAT(Exceeded(Acme(), counts), ElementsAre("51 people would be new or back; 50 may be",
                                                    "2 of 53 rows are refused; 2 % may be"));
  EXPECT_THAT(Exceeded(Acme("thresholds { create: 60 reject_percent: 10 }"), counts), IsEmpty());
}

TEST(ImportThresholds, ThirtyPercentMissing) {
  std::string all, most;
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    const std::string row = "A" + n + ",u" + n + ",N,u" + n + "@acme.test,\n";
    all += row;
    if (i >= 30) most += row;
  }
  const Matched first = Next(Acme(), all);
  const Matched second = Next(Acme(), most, &first.roster);
  EXPECT_EQ(second.counts.disable, 30u);
  EXPECT_THAT(Exceeded(Acme(), second.counts),
              ElementsAre("30 of 100 people would be disabled; 5 may be"));
}

}  // namespace
}  // namespace postern::jobs::test
