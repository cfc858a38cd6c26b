// What the daemon lets each account do, from configuration texts. The live campaign proves that the
// rules are the daemon's; here: what isn't computable is told with its line, answers for everybody
// are those for each, and size costs nothing unexpected.
#include "providers/filetransfer/proftpd/raise.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <random>

#include "providers/filetransfer/proftpd/raise_directives.h"
#include "tests/unit/proftpd_product/raise_text.h"

namespace postern::proftpd {
namespace {

using access::Right;
using Rest = Cell::Rest;
using testing::Ask;
using testing::Files;
using testing::kMain;
using testing::QuestionOf;
using testing::RaiseText;

// What isn't computable names the line that makes it so.
Reason WhyNot(const Raiser& raiser, const std::string& path, Right right) {
  const Ruling ruling = raiser.Decide("ada", {path, Rest::kEntry}, right, Way::kFtp);
  EXPECT_EQ(ruling.verdict, Verdict::kNotComputable) << path;
  return ruling.reason == nullptr ? Reason() : *ruling.reason;
}

TEST(Raise, NothingSaidIsAllowed) {
  const Raiser raiser = RaiseText("ServerName x\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kOverwrite), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "nobody", "/srv", Right::kRead), Verdict::kDenied);
  // No server speaks SFTP.
  EXPECT_EQ(raiser.Decide("ada", {"/srv", Rest::kEntry}, Right::kRead, Way::kSftp).verdict,
            Verdict::kDenied);
}

TEST(Raise, AnUnknownDirectiveIsToldWithItsLineInItsScopeOnly) {
  const Raiser raiser = RaiseText(
      "ServerName x\n<Directory /srv/a>\n  FrobnicateUploads on\n  Umask 022\n</Directory>\n");
  const Reason why = WhyNot(raiser, "/srv/a", Right::kRead);
  EXPECT_EQ(why.file, kMain);
  EXPECT_EQ(why.line, 3U);
  EXPECT_EQ(why.text, "FrobnicateUploads on");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/b", Right::kRead), Verdict::kAllowed);
}

TEST(Raise, OtherSourcesOfAccountsAreNoticed) {
  for (const std::string line :
       {"SQLConnectInfo base@host", "LDAPServer ldap.example.com", "AuthOrder mod_sql.c",
        "LoadModule mod_ours.c", "RewriteEngine on", "AllowFilter ^[a-z]+$"}) {
    const Raiser raiser = RaiseText("ServerName x\n" + line + "\n");
    EXPECT_EQ(WhyNot(raiser, "/srv", Right::kRead).line, 2U) << line;
  }
}

TEST(Raise, ASwitchThatIsOffChangesNothing) {
  const Raiser raiser = RaiseText("CreateHome off\nSQLEngine off\nHideFiles none\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kAllowed);
}

TEST(Raise, PathFiltersAreAskedForEachName) {
  const Raiser raiser = RaiseText(
      "AllowOverwrite on\nPathDenyFilter \\.exe$\n<Directory /x>\nPathAllowFilter ^/x/in/\n"
      "</Directory>");
  const auto ask = [&](const std::string& path, Right right, Way way = Way::kFtp) {
    return Ask(raiser, "ada", path, right, Rest::kNone, way);
  };
  EXPECT_EQ(ask("/srv/a.exe", Right::kCreate), Verdict::kDenied);
  EXPECT_EQ(ask("/srv/a.exe", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(ask("/srv/a.exe", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(ask("/srv/a.txt", Right::kCreate), Verdict::kAllowed);
  // Of unnamed entries it stops some.
  EXPECT_EQ(WhyNot(raiser, "/srv", Right::kCreate).line, 2U);
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(WhyNot(raiser, "/x/out", Right::kCreate).line, 4U);
  EXPECT_EQ(ask("/x/in/a.exe", Right::kCreate), Verdict::kDenied);
}

TEST(Raise, AFilterAboutAccessFilesLeavesAllOthersComputable) {
  for (const std::string regex : {"(^|/)\\\\.ftpaccess$", "/[.]ftpaccess$"}) {
    const Raiser raiser = RaiseText("PathDenyFilter " + regex + "\n");
    EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kCreate), Verdict::kAllowed) << regex;
    EXPECT_EQ(Ask(raiser, "ada", "/srv/.ftpaccess", Right::kCreate, Rest::kNone), Verdict::kDenied)
        << regex;
  }
}

// DELE asks the filter of the folder where the command before was.
TEST(Raise, WhatOnlyABlocksOwnFilterStopsDependsOnTheSessionsHistory) {
  const Raiser raiser =
      RaiseText("<Directory /srv>\nPathDenyFilter secret\n</Directory>\nServerName x\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/secret", Right::kDelete, Rest::kNone),
            Verdict::kNotComputable);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/open", Right::kDelete, Rest::kNone), Verdict::kAllowed);
}

TEST(Raise, OverSftpFiltersStopReadingAndNotSetstat) {
  const Raiser raiser = RaiseText("SFTPEngine on\nPathDenyFilter \\.exe$\n");
  const auto ask = [&](Right right) {
    return Ask(raiser, "ada", "/srv/a.exe", right, Rest::kNone, Way::kSftp);
  };
  EXPECT_EQ(ask(Right::kRead), Verdict::kDenied);
  EXPECT_EQ(ask(Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(ask(Right::kOverwrite), Verdict::kAllowed);
  EXPECT_EQ(ask(Right::kChmod), Verdict::kAllowed);
}

TEST(Raise, AFilterOnAPathThatTheSessionSeesOtherwiseIsNotGuessed) {
  const Raiser raiser = RaiseText("DefaultRoot /srv\nPathDenyFilter ^/srv/secret\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/secret", Right::kDelete, Rest::kNone),
            Verdict::kNotComputable);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/open", Right::kDelete, Rest::kNone), Verdict::kAllowed);
}

TEST(Raise, HiddenNamesAreNotListedAndCanBeUsed) {
  const Raiser raiser = RaiseText(
      "<Directory /x>\nHideFiles ^[.]\n</Directory>\n<Directory /x/all>\nHideFiles .\n"
      "</Directory>\n<Directory /x/all/none>\nHideFiles none\n</Directory>\n");
  const auto lists = [&](const std::string& path) {
    return Ask(raiser, "ada", path, Right::kList, Rest::kNone);
  };
  EXPECT_EQ(lists("/x"), Verdict::kNotComputable);
  EXPECT_EQ(lists("/x/all"), Verdict::kNotComputable);
  EXPECT_EQ(lists("/x/all/none"), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/x/all", Right::kRead), Verdict::kAllowed);
}

TEST(Raise, AClientNamedByItsHostIsNotGuessed) {
  const Raiser raiser = RaiseText(
      "<Directory /srv>\n<Limit READ>\nAllowUser ada\nAllow from .example.com\nDenyAll\n</Limit>\n"
      "</Directory>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "bea", "/srv", Right::kRead), Verdict::kNotComputable);
}

TEST(Raise, AnFtpaccessFileCountsUnlessOverrideIsOff) {
  RaiseQuestion question = QuestionOf();
  question.ftpaccess_files = {"/srv/a/.ftpaccess"};
  const Raiser on = RaiseText("ServerName x\n", question);
  EXPECT_EQ(WhyNot(on, "/srv/a/b", Right::kRead).text, "/srv/a/.ftpaccess");
  EXPECT_EQ(Ask(on, "ada", "/srv/c", Right::kRead), Verdict::kAllowed);
  const Raiser off = RaiseText("<Global>\nAllowOverride off\n</Global>\n", question);
  EXPECT_EQ(Ask(off, "ada", "/srv/a/b", Right::kRead), Verdict::kAllowed);
}

TEST(Raise, APatternThatCoversSomeNamesIsToldWhereItMatters) {
  const Raiser raiser =
      RaiseText("<Directory /srv/*.key>\n<Limit READ>\nDenyAll\n</Limit>\n</Directory>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kNotComputable);
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kCreate), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a.key", Right::kRead, Rest::kNone), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a.txt", Right::kRead, Rest::kNone), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/home", Right::kRead), Verdict::kAllowed);
}

TEST(Raise, RulesFromIncludedFilesKeepTheirFileAndLine) {
  Files files;
  files.texts["/etc/p/conf.d/10.conf"] = "\n<Directory /srv>\n  TimeMachine on\n</Directory>\n";
  const Raiser raiser = RaiseText("Include /etc/p/conf.d/*.conf\n", QuestionOf(), files);
  const Reason why = WhyNot(raiser, "/srv", Right::kDelete);
  EXPECT_EQ(why.file, "/etc/p/conf.d/10.conf");
  EXPECT_EQ(why.line, 3U);
}

TEST(Raise, EveryRowOfTheTableSaysHow) {
  for (const RaisedDirective& row : RaisedDirectives()) {
    EXPECT_FALSE(row.how.empty()) << row.word;
    ConfigNode line{.word = std::string(row.word), .args = {"x"}, .text = "", .children = {}};
    EXPECT_EQ(UseOf(line).treatment, row.treatment) << row.word;
  }
  EXPECT_EQ(UseOf({.word = "nosuchdirective", .args = {"on"}}).treatment, Treatment::kUnknown);
}

// proftpd-access.md section 9: what decides by means that no file shows, or rewrites names and
// accounts, is told wherever it stands; none of it passes for harmless.
TEST(Raise, WhatNoFileShowsIsNeverTakenForHarmless) {
  for (const char* word :
       {"rewriteengine", "rewriterule",    "vrootengine",     "vrootalias",     "execengine",
        "execoncommand", "sqlbackend",     "sqlauthenticate", "sqlengine",      "ldapserver",
        "ldapuseddn",    "wrapengine",     "wrapusertables",  "geoipengine",    "dnsblpolicy",
        "radiusengine",  "authotpengine",  "createhome",      "userdirroot",    "userowner",
        "groupowner",    "anonymousgroup", "allowfilter",     "denyfilter",     "hideuser",
        "hidegroup",     "hidenoaccess",   "pathallowfilter", "pathdenyfilter", "hidefiles",
        "nosuchthing"}) {
    const ConfigNode line{.word = word, .args = {"x"}, .text = "", .children = {}};
    EXPECT_NE(UseOf(line).treatment, Treatment::kHarmless) << word;
    EXPECT_NE(UseOf(line).treatment, Treatment::kRaised) << word;
  }
}

// A cell's answer is the answer of every name in it.
TEST(Raise, CoverOfUnnamedEntriesHoldsForEveryName) {
  std::mt19937 random(1);
  const std::vector<std::string> parts = {"/", "a", "b", "*", "?", "[ab]", "/a", "/*"};
  const std::vector<std::string> names = {"a", "b", "ab", "zz", "a.txt", "xyzzy"};
  for (int i = 0; i < 3000; ++i) {
    std::string pattern = "/a";
    for (size_t n = random() % 5; n > 0; --n) pattern += parts[random() % parts.size()];
    const BlockPattern block(pattern, RaiseRules());
    if (block.literal()) continue;
    for (const std::string path : {"/a", "/a/b", "/b"}) {
      const Cover entry = block.Covers({path, Rest::kEntry});
      const Cover deeper = block.Covers({path, Rest::kDeeper});
      for (const std::string& name : names) {
        const Cover one = block.Covers({path + "/" + name, Rest::kNone});
        if (entry != Cover::kSome) {
          ASSERT_EQ(one, entry) << pattern << " on " << path << "/" << name;
        }
        const Cover two = block.Covers({path + "/" + name + "/x", Rest::kNone});
        if (deeper != Cover::kSome) {
          ASSERT_EQ(two, deeper) << pattern << " below " << path;
        }
      }
    }
  }
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
}

std::string BigConfig(int blocks) {
  std::string text = "<Global>\nAllowOverride off\n";
  for (int i = 0; i < blocks; ++i) {
    std::string users;
    for (int u = 0; u < 5; ++u)
      users += fmt::format("{}u{}", u == 0 ? "" : ",", (i * 7 + u) % 5000);
    text += fmt::format(
        "<Directory /srv/d{}/f{}>\n<Limit RETR READ>\nAllowUser {}\nDenyAll\n</Limit>\n"
        "<Limit STOR APPE WRITE>\nAllowGroup g{}\nDenyAll\n</Limit>\n</Directory>\n",
        i % 100, i, users, i % 200);
  }
  return text + "</Global>\n";
}

TEST(Raise, TenThousandBlocksAndFiveThousandAccounts) {
  constexpr int kBlocks = 10000, kAccounts = 5000;
  RaiseQuestion question = QuestionOf();
  question.accounts.clear();
  for (int i = 0; i < kAccounts; ++i) {
    question.accounts.push_back({fmt::format("u{}", i), {fmt::format("g{}", i % 200)}, "/home"});
  }
  Files files;
  files.texts[kMain] = BigConfig(kBlocks);
  const double start = CpuSeconds();
  Result<Raiser> raiser = Raiser::Make(files, std::move(question));
  ASSERT_TRUE(raiser.has_value());
  const double made = CpuSeconds();
  size_t readers = 0;
  const std::vector<std::string> paths = raiser->NamedPaths();
  ASSERT_EQ(paths.size(), static_cast<size_t>(kBlocks));
  for (const std::string& path : paths) {
    for (const Rest rest : {Rest::kNone, Rest::kEntry, Rest::kDeeper}) {
      const CellAnswers answers = raiser->AnswersFor({path, rest}, Way::kFtp);
      if (rest == Rest::kEntry) {
        readers += answers[static_cast<int>(Right::kRead)].yes.Members(kAccounts).size();
      }
    }
  }
  EXPECT_EQ(readers, static_cast<size_t>(kBlocks) * 5);
  std::printf("made in %.2f s, all cells in %.2f s of CPU\n", made - start, CpuSeconds() - made);
}

TEST(Raise, AnswersForAllAreTheAnswersForEach) {
  const Raiser raiser = RaiseText(BigConfig(50) + "UserAlias guest u1\n");
  for (const std::string& path : raiser.NamedPaths()) {
    const CellAnswers answers = raiser.AnswersFor({path, Rest::kEntry}, Way::kFtp);
    for (size_t id = 0; id < raiser.accounts().size(); ++id) {
      for (int i = 0; i < access::kRightCount; ++i) {
        const Ruling one = raiser.Decide(raiser.accounts()[id].name, {path, Rest::kEntry},
                                         static_cast<Right>(i), Way::kFtp);
        ASSERT_EQ(answers[i].yes.Has(id), one.verdict == Verdict::kAllowed);
      }
    }
  }
}

}  // namespace
}  // namespace postern::proftpd
