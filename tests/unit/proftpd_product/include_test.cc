// Fit, Lower and ParseInclude: what is refused, what is widened, what comes back.
#include "providers/filetransfer/proftpd/include_file.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "providers/filetransfer/proftpd/product.h"
#include "tests/unit/proftpd_product/random_rows.h"

namespace postern::proftpd {
namespace {

using access::Depth;
using access::Fit;
using access::GrantRow;
using access::Right;
using access::Rights;
using access::Subject;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Rows = std::vector<GrantRow>;

const std::vector<std::string> kRoots = {"/srv/x", "/srv/y"};

Subject Account(std::string name) {
  return {Subject::Type::kAccount, std::move(name)};
}
Subject Group(std::string name) {
  return {Subject::Type::kGroup, std::move(name)};
}
Fit FitOf(const Rows& rows) {
  return Proftpd().FitRows(rows, kRoots);
}

std::string LowerOf(const Rows& rows) {
  const Result<std::string> text = Lower(FitOf(rows).rows, kRoots);
  EXPECT_TRUE(text.has_value()) << text.error().message;
  return text.value_or("");
}

ParsedInclude Parsed(const std::string& text) {
  const Result<ParsedInclude> parsed = ParseInclude(text);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
  return parsed.value_or(ParsedInclude());
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// ---- the property, over thousands of sets

TEST(IncludeProperty, ReadsBackWhatItWrote) {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const Rows rows = testing::RandomRows(random, 14);
    const Fit fit = FitOf(rows);
    const Fit again = FitOf(fit.rows);
    ASSERT_EQ(again.rows, fit.rows) << "seed " << seed;
    ASSERT_THAT(again.widenings, IsEmpty()) << "seed " << seed;
    ASSERT_THAT(again.refusals, IsEmpty()) << "seed " << seed;
    const Result<std::string> text = Lower(fit.rows, kRoots);
    ASSERT_TRUE(text.has_value()) << "seed " << seed << ": " << text.error().message;
    const Result<ParsedInclude> parsed = ParseInclude(*text);
    ASSERT_TRUE(parsed.has_value()) << "seed " << seed;
    ASSERT_EQ(parsed->rows, fit.rows) << "seed " << seed << "\n" << *text;
    ASSERT_THAT(parsed->edits, IsEmpty()) << "seed " << seed << ": " << parsed->edits[0].why;
    ASSERT_EQ(parsed->blocks, CountBlocks(*text));
  }
}

// Fit changes meaning only where it says so.
TEST(IncludeProperty, FitKeepsMeaningButForItsReports) {
  std::vector<std::string> probes = testing::Folders();
  for (const std::string& folder : testing::Folders()) {
    probes.push_back(folder + "/new");
    probes.push_back(folder + "/new/deep");
  }
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Rows rows = testing::RandomRows(random, 10);
    const Fit fit = FitOf(rows);
    for (const access::Refusal& refusal : fit.refusals) {
      rows.erase(std::find(rows.begin(), rows.end(), refusal.row));
    }
    for (const Subject& subject : testing::Subjects()) {
      for (const std::string& path : probes) {
        const Rights asked = testing::Meaning(rows, subject, path);
        const Rights given = testing::Meaning(fit.rows, subject, path);
        ASSERT_TRUE(given.Includes(asked)) << "seed " << seed << " " << path;
        if (given == asked) continue;
        const bool told = std::any_of(
            fit.widenings.begin(), fit.widenings.end(), [&](const access::Widening& widening) {
              return widening.subject == subject && access::IsWithin(path, widening.path) &&
                     widening.extra.Includes(given - asked);
            });
        ASSERT_TRUE(told) << "seed " << seed << " " << path << ": " << Format(given - asked);
      }
    }
  }
}

// ---- Fit

TEST(Fit, MergesRowsOfOneKey) {
  EXPECT_THAT(FitOf({{"/srv/x/a", Depth::kThis, Account("u"), Right::kList},
                     {"/srv/x/a", Depth::kThis, Account("u"), Right::kRead}})
                  .rows,
              ElementsAre(GrantRow{"/srv/x/a", Depth::kThis, Account("u"),
                                   Rights(Right::kList) | Right::kRead}));
}

TEST(Fit, LeavesOutWhatASubtreeAboveGives) {
  const Fit fit =
      FitOf({{"/srv/x", Depth::kSubtree, Account("u"), Right::kRead},
             {"/srv/x/a/b", Depth::kThis, Account("u"), Right::kRead},
             {"/srv/x/a", Depth::kSubtree, Account("u"), Rights(Right::kRead) | Right::kList}});
  EXPECT_THAT(fit.rows,
              ElementsAre(GrantRow{"/srv/x", Depth::kSubtree, Account("u"), Right::kRead},
                          GrantRow{"/srv/x/a", Depth::kSubtree, Account("u"), Right::kList}));
}

TEST(Fit, DoesNotTakeAGroupForItsMembers) {
  EXPECT_THAT(FitOf({{"/srv/x", Depth::kSubtree, Group("g"), Right::kRead},
                     {"/srv/x/a", Depth::kThis, Account("u"), Right::kRead}})
                  .rows,
              SizeIs(2));
}

TEST(Fit, RefusesOverwriteWithoutCreate) {
  const Fit fit =
      FitOf({{"/srv/x/a", Depth::kThis, Account("u"), Rights(Right::kList) | Right::kOverwrite}});
  EXPECT_THAT(fit.rows, IsEmpty());
  ASSERT_THAT(fit.refusals, SizeIs(1));
  EXPECT_THAT(fit.refusals[0].why, HasSubstr("overwrite without create"));
}

TEST(Fit, TakesCreateFromARowAbove) {
  const Fit fit = FitOf({{"/srv/x", Depth::kSubtree, Account("u"), Right::kCreate},
                         {"/srv/x/a", Depth::kThis, Account("u"), Right::kOverwrite}});
  EXPECT_THAT(fit.rows, SizeIs(2));
  EXPECT_THAT(fit.refusals, IsEmpty());
}

// A change of the row above must not leave an overwrite bare.
TEST(Fit, OverwriteStandsWithItsCreate) {
  const Rights both = Rights(Right::kCreate) | Right::kOverwrite;
  const Fit fit = FitOf({{"/srv/x", Depth::kSubtree, Account("u"), Right::kCreate},
                         {"/srv/x/a", Depth::kSubtree, Account("u"), both}});
  ASSERT_THAT(fit.rows, SizeIs(2));
  EXPECT_EQ(fit.rows[1].rights, both);
  EXPECT_THAT(FitOf({fit.rows[1]}).refusals, IsEmpty());
}

TEST(Fit, RefusesSubtreeOverwriteWithCreateOnlyHere) {
  EXPECT_THAT(FitOf({{"/srv/x/a", Depth::kThis, Account("u"), Right::kCreate},
                     {"/srv/x/a", Depth::kSubtree, Account("u"), Right::kOverwrite}})
                  .refusals,
              SizeIs(1));
}

TEST(Fit, WidensCreateBesideOverwrite) {
  const Rights both = Rights(Right::kCreate) | Right::kOverwrite;
  const Fit fit = FitOf({{"/srv/x/a", Depth::kSubtree, Account("u1"), both},
                         {"/srv/x/a", Depth::kThis, Account("u2"), Right::kCreate}});
  ASSERT_THAT(fit.widenings, SizeIs(1));
  EXPECT_EQ(fit.widenings[0].subject, Account("u2"));
  EXPECT_EQ(fit.widenings[0].extra, Rights(Right::kOverwrite));
  EXPECT_THAT(fit.rows, Contains(GrantRow{"/srv/x/a", Depth::kThis, Account("u2"), both}));
}

TEST(Fit, CreateAloneStaysAlone) {
  const Fit fit = FitOf({{"/srv/x/a", Depth::kSubtree, Account("u1"), Right::kCreate}});
  EXPECT_THAT(fit.widenings, IsEmpty());
  EXPECT_THAT(LowerOf(fit.rows), ::testing::Not(HasSubstr("AllowOverwrite on")));
}

struct UnfitCase {
  const char* name;
  GrantRow row;
};
class FitRefuses : public ::testing::TestWithParam<UnfitCase> {};

TEST_P(FitRefuses, AndLowerToo) {
  const Rows rows = {GetParam().row};
  const Fit fit = FitOf(rows);
  EXPECT_THAT(fit.rows, IsEmpty());
  ASSERT_THAT(fit.refusals, SizeIs(1));
  EXPECT_FALSE(fit.refusals[0].why.empty());
  EXPECT_FALSE(Lower(rows, kRoots).has_value());
}
INSTANTIATE_TEST_SUITE_P(
    All, FitRefuses,
    ::testing::Values(
        UnfitCase{"Quote", {"/srv/x/a\"b", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"Newline", {"/srv/x/a\nb", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"Tilde", {"/srv/x/~b", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"Percent", {"/srv/x/%u", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"Backslash", {"/srv/x/a\\b", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"Dots", {"/srv/x/../b", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"OutsideTheRoots", {"/srv/xy", Depth::kThis, Account("u"), Right::kList}},
        UnfitCase{"NameAnd", {"/srv/x", Depth::kThis, Account("AND"), Right::kList}},
        UnfitCase{"NameNegated", {"/srv/x", Depth::kThis, Account("!u"), Right::kList}},
        UnfitCase{"NameWithComma", {"/srv/x", Depth::kThis, Group("a,b"), Right::kList}},
        UnfitCase{"NameWithBlank", {"/srv/x", Depth::kThis, Group("a b"), Right::kList}}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- Lower

TEST(Lower, DeniesTheRootsWhenNothingIsGranted) {
  const std::string text = LowerOf({});
  EXPECT_EQ(CountBlocks(text), 2u);
  EXPECT_THAT(text, HasSubstr("<Directory \"/srv/x\">"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("Allow"
                                             "User")));
  EXPECT_EQ(Parsed(text).rows, Rows());
  EXPECT_EQ(Parsed(text).roots, kRoots);
}

TEST(Lower, OneBlockWhereTheCellsAreAlike) {
  EXPECT_EQ(CountBlocks(LowerOf({{"/srv/x", Depth::kSubtree, Account("u"), Right::kRead}})), 2u);
}

// Twice the blocks would be twice the daemon's work for each command.
TEST(Lower, TwoBlocksForAFolderOfDepthThis) {
  const std::string text = LowerOf({{"/srv/x", Depth::kThis, Account("u"), Right::kList}});
  EXPECT_EQ(CountBlocks(text), 3u);
  EXPECT_THAT(text, HasSubstr("<Directory \"/srv/x/*/?*\">"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("<Directory \"/srv/x/?*\">")));
}

TEST(Lower, ThreeBlocksInTheOrderThatTheDaemonNeeds) {
  const std::string text = LowerOf({{"/srv/x/a", Depth::kThis, Account("u"), Right::kList},
                                    {"/srv/x/a/b", Depth::kThis, Account("v"), Right::kList}});
  size_t last = 0;
  for (const char* block : {"\"/srv/x/a\">", "\"/srv/x/a/b\">", "\"/srv/x/a/b/*/?*\">",
                            "\"/srv/x/a/b/?*\">", "\"/srv/x/a/*/?*\">", "\"/srv/x/a/?*\">"}) {
    const size_t at = text.find(block);
    ASSERT_NE(at, std::string::npos) << block << "\n" << text;
    EXPECT_GT(at, last) << block;
    last = at;
  }
}

TEST(Lower, EscapesPatternCharacters) {
  const std::string text = LowerOf({{"/srv/x/[a]*?", Depth::kSubtree, Account("u"), Right::kRead}});
  EXPECT_THAT(text, HasSubstr("<Directory \"/srv/x/[[]a][*][?]\">"));
  EXPECT_EQ(Parsed(text).rows[0].path, "/srv/x/[a]*?");
}

TEST(Lower, OneLineForEachGroup) {
  const std::string text = LowerOf({{"/srv/x", Depth::kSubtree, Group("g1"), Right::kRead},
                                    {"/srv/x", Depth::kSubtree, Group("g2"), Right::kRead}});
  EXPECT_THAT(text, HasSubstr("    AllowGroup g1\n    AllowGroup g2\n    DenyAll\n"));
}

TEST(Lower, RefusesRowsThatAreNotFit) {
  const Rows rows = {{"/srv/x", Depth::kSubtree, Account("u"), Right::kRead},
                     {"/srv/x/a", Depth::kThis, Account("u"), Right::kRead}};
  EXPECT_FALSE(Lower(rows, kRoots).has_value());
  const Rows overwrite = {{"/srv/x", Depth::kThis, Account("u"), Right::kOverwrite}};
  EXPECT_FALSE(Lower(overwrite, kRoots).has_value());
}

TEST(Lower, LocksLogins) {
  const std::vector<std::string> locked = {"bea", "al"};
  const Result<std::string> text = Lower(Rows(), kRoots, locked);
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, HasSubstr("<Limit LOGIN>\n    DenyUser al,bea\n</Limit>\n"));
  const ParsedInclude parsed = Parsed(*text);
  EXPECT_THAT(parsed.locked_logins, ElementsAre("al", "bea"));
  EXPECT_THAT(parsed.rows, IsEmpty());
  EXPECT_THAT(parsed.edits, IsEmpty());
  EXPECT_FALSE(Lower(Rows(), kRoots, std::vector<std::string>{"a,b"}).has_value());
}

TEST(Lower, ManyNamesGoOverSeveralLines) {
  Rows rows;
  for (int i = 100; i < 125; ++i) {
    rows.push_back({"/srv/x", Depth::kSubtree, Account("u" + std::to_string(i)), Right::kRead});
  }
  const std::string text = LowerOf(rows);
  EXPECT_THAT(text, HasSubstr("    AllowUser u110,u111"));
  EXPECT_EQ(Parsed(text).rows, rows);
}

// ---- edits

class Edited : public ::testing::Test {
 protected:
  const Rows rows_ = {
      {"/srv/x/a", Depth::kSubtree, Account("u"), Rights(Right::kList) | Right::kRead}};
  const std::string text_ = LowerOf(rows_);
};

TEST_F(Edited, AWrittenFileHasNone) {
  EXPECT_THAT(Parsed(text_).edits, IsEmpty());
}

TEST_F(Edited, AnAddedUserIsAChangedRow) {
  std::string text = text_;
  for (size_t at = text.find("AllowUser u\n"); at != std::string::npos;
       at = text.find("AllowUser u\n", at + 1)) {
    text.replace(at, 12, "AllowUser u,v\n");
  }
  const ParsedInclude parsed = Parsed(text);
  EXPECT_THAT(parsed.rows, Contains(Field(&GrantRow::subject, Account("v"))));
  EXPECT_THAT(parsed.edits, ::testing::Not(IsEmpty()));
}

TEST_F(Edited, AForeignLineIsNamedWithItsPlace) {
  const std::string text =
      Replaced(text_, "  AllowOverwrite off\n", "  AllowOverwrite off\n  Umask 077\n");
  const ParsedInclude parsed = Parsed(text);
  EXPECT_EQ(parsed.rows, rows_);
  EXPECT_THAT(parsed.edits, Contains(Field(&Edit::text, HasSubstr("Umask 077"))));
  for (const Edit& edit : parsed.edits) {
    EXPECT_TRUE(edit.text.find("Umask") == std::string::npos || edit.line > 4) << edit.line;
  }
}

TEST_F(Edited, ARemovedDenyAllIsSeen) {
  EXPECT_THAT(Parsed(Replaced(text_, "    DenyAll\n", "")).edits, ::testing::Not(IsEmpty()));
}

TEST_F(Edited, AWidenedSingleCommandIsSeen) {
  const std::string text = Replaced(text_, "<Limit STOR ", "<Limit ");
  const ParsedInclude parsed = Parsed(text);
  EXPECT_EQ(parsed.rows, rows_);
  EXPECT_THAT(parsed.edits, ::testing::Not(IsEmpty()));
}

TEST_F(Edited, EveryCutIsSeen) {
  for (size_t size = text_.find('\n') + 1; size < text_.size(); ++size) {
    const Result<ParsedInclude> parsed = ParseInclude(text_.substr(0, size));
    ASSERT_TRUE(!parsed.has_value() || !parsed->edits.empty()) << "cut at " << size;
  }
}

TEST_F(Edited, EveryRemovedLineIsSeen) {
  for (size_t start = text_.find('\n') + 1; start < text_.size();) {
    const size_t end = text_.find('\n', start) + 1;
    const Result<ParsedInclude> parsed = ParseInclude(text_.substr(0, start) + text_.substr(end));
    ASSERT_TRUE(!parsed.has_value() || !parsed->edits.empty()) << text_.substr(start, end - start);
    start = end;
  }
}

TEST_F(Edited, AFileOfOthersIsAnErrorNotNothing) {
  EXPECT_FALSE(ParseInclude("").has_value());
  EXPECT_FALSE(ParseInclude("<Directory /srv/x>\n</Directory>\n").has_value());
  const Result<ParsedInclude> newer =
      ParseInclude(Replaced(text_, "# postern-proftpd-include 1", "# postern-proftpd-include 9"));
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupported);
}

TEST_F(Edited, OddTextNeverBreaksTheReader) {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    std::mt19937 random(seed);
    std::string text = text_;
    for (int i = 0; i < 5; ++i) {
      text[random() % text.size()] = "<>/\\\"\n #*[]AL"[random() % 13];
    }
    const Result<ParsedInclude> parsed = ParseInclude(text);
    ASSERT_TRUE(text == text_ || !parsed.has_value() || !parsed->edits.empty()) << text;
  }
}

}  // namespace
}  // namespace postern::proftpd
