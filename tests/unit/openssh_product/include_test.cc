// Rows to sshd and back: FitRows is a normal form, the include reads back as what was written, and
// edits by hand are seen.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/openssh/requests.h"

namespace postern::openssh {
namespace {

using access::Depth;
using access::Fit;
using access::Right;
using access::Rights;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Type = Subject::Type;

const std::vector<std::string> kRoots = {"/srv/x", "/srv/y z"};
const std::vector<std::string> kPaths = {"/srv/x",       "/srv/x/a",   "/srv/x/a/b",
                                         "/srv/x/a/b/c", "/srv/x/a b", "/srv/x/n\nl\\e",
                                         "/srv/y z/#d"};
const std::vector<std::string> kLogins = {"ada", "bea", "c.d-e"};

GrantRow Row(const std::string& path, Depth depth, const std::string& login, Rights rights) {
  return {path, depth, {Type::kAccount, login}, rights};
}

std::vector<GrantRow> AnyRows(std::mt19937& random) {
  std::vector<GrantRow> rows(1 + random() % 6);
  for (GrantRow& row : rows) {
    row =
        Row(kPaths[random() % kPaths.size()], random() % 2 ? Depth::kThis : Depth::kSubtree,
            kLogins[random() % kLogins.size()], Rights(static_cast<uint32_t>(random() & random())));
  }
  return rows;
}

IncludeContent ContentOf(std::vector<GrantRow> rows, std::mt19937& random) {
  IncludeContent content{.rows = std::move(rows), .roots = kRoots};
  for (const std::string& login : kLogins) {
    ManagedAccount account{.login = login, .locked = random() % 3 == 0};
    if (random() % 2) account.chroot = random() % 2 ? "/srv" : "/srv/y z/50%";
    if (random() % 2) account.start_folder = "/in";
    if (random() % 2) account.revoked = "/etc/ssh/revoked list";
    content.accounts.push_back(account);
  }
  return content;
}

TEST(FitRows, IsANormalFormThatTheIncludeCarries) {
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    std::mt19937 random(seed);
    const std::vector<GrantRow> wanted = AnyRows(random);
    const Fit fit = OpenSsh().FitRows(wanted, kRoots);
    const Fit again = OpenSsh().FitRows(fit.rows, kRoots);
    ASSERT_EQ(again.rows, fit.rows) << "seed " << seed;
    EXPECT_THAT(again.widenings, IsEmpty()) << "seed " << seed;
    EXPECT_THAT(again.refusals, IsEmpty()) << "seed " << seed;

    const IncludeContent content = ContentOf(fit.rows, random);
    const Result<std::string> text = Lower(content);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    const Result<ParsedInclude> parsed = ParseInclude(*text);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->content, content) << *text;
    EXPECT_THAT(parsed->edits, IsEmpty());
  }
}

// Every folder: what rows mean is what the two layers give, and each widening is told.
TEST(FitRows, GivesWhatPosixAndRequestsGive) {
  for (uint32_t seed = 1; seed <= 500; ++seed) {
    std::mt19937 random(seed);
    const std::vector<GrantRow> wanted = AnyRows(random);
    const Fit fit = OpenSsh().FitRows(wanted, kRoots);
    for (const std::string& login : kLogins) {
      Rights all;
      for (const GrantRow& row : wanted) {
        if (row.subject.name == login) all |= row.rights;
      }
      const Rights allowed = RightsOf(CommandFor(all));
      for (const std::string& path : kPaths) {
        for (const std::string& folder : {path, path + "/sub"}) {
          const Rights due = RightsOfRows(wanted, login, folder) - Right::kChmod;
          const Rights given = RightsOfRows(fit.rows, login, folder);
          EXPECT_EQ(given, GivenBy(posix::NeedsOf(due)) & allowed) << seed << folder;
          EXPECT_TRUE(given.Includes(due));
          if (given == due) continue;
          // The nearest folder above that has a row says so.
          bool told = false;
          for (const access::Widening& widening : fit.widenings) {
            told = told ||
                   (widening.subject.name == login && access::IsWithin(folder, widening.path) &&
                    widening.extra.Includes(given - due));
          }
          EXPECT_TRUE(told) << "seed " << seed << " " << login << " " << folder;
        }
      }
    }
  }
}

TEST(FitRows, WhatCantBeSaidIsRefusedAndTheRestStays) {
  const std::vector<GrantRow> rows = {
      Row("/srv/x", Depth::kThis, "ada", Rights(Right::kList) | Right::kChmod),
      Row("/elsewhere", Depth::kThis, "ada", Right::kList),
      Row("/srv/x", Depth::kThis, "a*", Right::kList),
      Row("/srv/x", Depth::kThis, "!ada", Right::kList),
      {"/srv/x", Depth::kThis, {Type::kGroup, "ops"}, Right::kList},
      {"/srv/x", Depth::kSubtree, {Type::kEveryone, ""}, Rights()}};
  const Fit fit = OpenSsh().FitRows(rows, kRoots);
  EXPECT_THAT(fit.rows, ElementsAre(Row("/srv/x", Depth::kThis, "ada", Right::kList)));
  ASSERT_THAT(fit.refusals, SizeIs(5));
  EXPECT_EQ(fit.refusals[0].row.rights, Rights(Right::kChmod));
}

TEST(ExpandMembers, GroupsAndEveryoneBecomeTheirAccounts) {
  const std::vector<GrantRow> rows = {
      {"/srv/x", Depth::kThis, {Type::kGroup, "ops"}, Right::kList},
      {"/srv/x", Depth::kThis, {Type::kAccount, "ada"}, Right::kRead},
      {"/srv/x", Depth::kSubtree, {Type::kEveryone, ""}, Rights()},
      {"/srv/x", Depth::kSubtree, {Type::kEveryone, ""}, Right::kCreate}};
  const Members members = {{"ops", {"ada", "bea"}}, {"", {"bea"}}};
  // The deny-all of the root has no rights to expand; merged with everyone's row it has.
  EXPECT_THAT(ExpandMembers(rows, members),
              ElementsAre(Row("/srv/x", Depth::kThis, "ada", Rights(Right::kList) | Right::kRead),
                          Row("/srv/x", Depth::kThis, "bea", Right::kList),
                          Row("/srv/x", Depth::kSubtree, "bea", Right::kCreate),
                          GrantRow{"/srv/x", Depth::kSubtree, {Type::kEveryone, ""}, Rights()}));
}

IncludeContent Small() {
  return {.rows = {Row("/srv/x", Depth::kSubtree, "ada", Rights(Right::kList) | Right::kRead)},
          .roots = {"/srv/x"},
          .accounts = {{.login = "ada", .chroot = "/srv/x"}, {.login = "bea", .locked = true}}};
}

TEST(Include, SaysWhatSshdReads) {
  const std::string text = *Lower(Small());
  EXPECT_THAT(text, HasSubstr("Match User ada\n    ForceCommand internal-sftp -l VERBOSE -P "));
  EXPECT_THAT(text, HasSubstr(" -R\n    ChrootDirectory \"/srv/x\"\n"));
  EXPECT_THAT(text, HasSubstr("    DenyUsers bea\n"));
  EXPECT_THAT(text, HasSubstr("# grant subtree ada list,read /srv/x\n"));
}

TEST(Include, EditsByHandAreSeenAndARemovedRightIsGone) {
  std::string text = *Lower(Small());
  const size_t at = text.find(" -R\n");
  text.replace(at, 3, ",read");
  const auto parsed = ParseInclude(text);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_THAT(parsed->content.rows,
              ElementsAre(Row("/srv/x", Depth::kSubtree, "ada", Right::kList)));
  EXPECT_FALSE(parsed->edits.empty());
}

TEST(Include, AFileThatIsNotOursIsNeverEmpty) {
  EXPECT_EQ(ParseInclude("").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ParseInclude("Match User ada\n").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(ParseInclude("# postern-openssh-include 2\n").error().code, ErrorCode::kUnsupported);
  const std::string text = *Lower(Small());
  for (size_t size = 30; size < text.size(); size += 7) {
    const auto cut = ParseInclude(std::string_view(text).substr(0, size));
    ASSERT_TRUE(cut.has_value());
    EXPECT_FALSE(cut->edits.empty()) << size;
  }
}

// The mask of an ACL is the group digit of the mode, which sshd looks at.
TEST(Include, AGrantThatWouldShutAChrootIsRefused) {
  IncludeContent content = Small();
  content.rows = {Row("/srv/x", Depth::kThis, "ada", Right::kMkdir)};
  EXPECT_THAT(Lower(content).error().message, HasSubstr("refuses the chroot /srv/x"));
  content.rows[0].path = "/srv/x/in";
  EXPECT_TRUE(Lower(content).has_value());
}

TEST(Include, WhatALineCantCarryIsRefused) {
  IncludeContent content = Small();
  content.accounts[0].chroot = "/srv/x\"";
  EXPECT_EQ(Lower(content).error().code, ErrorCode::kInvalid);
  content = Small();
  content.accounts[0].start_folder = "/a b";
  EXPECT_THAT(Lower(content).error().message, HasSubstr("a command can't carry"));
  content = Small();
  // Delete somewhere else comes along here: FitRows would have said so.
  content.rows = {Row("/srv/x/a", Depth::kThis, "ada", Right::kCreate),
                  Row("/srv/x/b", Depth::kThis, "ada", Right::kDelete)};
  EXPECT_THAT(Lower(content).error().message, HasSubstr("FitRows"));
  content = Small();
  content.accounts.erase(content.accounts.begin());
  EXPECT_THAT(Lower(content).error().message, HasSubstr("isn't one of this server's"));
}

}  // namespace
}  // namespace postern::openssh
