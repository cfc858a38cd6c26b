// Rules of ProFTPD about <Anonymous> and about IfUser and its kind, each as it was seen on the
// daemon (tests/live/proftpd_product/campaign has them among random configurations).
#include <gtest/gtest.h>

#include "tests/unit/proftpd_product/raise_text.h"

namespace postern::proftpd {
namespace {

using access::Right;
using testing::Ask;
using testing::RaiseText;

std::string Anonymous(const std::string& lines, const std::string& user = "User ada\n") {
  return "<Anonymous /srv>\n" + user + "UserAlias anonymous ada\n" + lines + "</Anonymous>\n";
}

std::string Limit(const std::string& words, const std::string& line) {
  return "<Limit " + words + ">\n" + line + "\n</Limit>\n";
}

std::string Block(const std::string& name, const std::string& lines) {
  return "<Directory " + name + ">\n" + lines + "</Directory>\n";
}

TEST(RaiseAnonymous, TheStarBlockIsAskedBeforeTheSectionAndItsFirstLimitFirst) {
  const std::string star = Block("*", Limit("DELE", "DenyAll"));
  for (const std::string& lines :
       {star + Limit("DELE", "AllowAll"), Limit("DELE", "AllowAll") + star,
        Block("*", Limit("DELE", "DenyAll") + Limit("DELE", "AllowAll"))}) {
    EXPECT_EQ(Ask(RaiseText(Anonymous(lines)), "anonymous", "/srv/a", Right::kDelete),
              Verdict::kDenied)
        << lines;
  }
  const Raiser on =
      RaiseText(Anonymous("AllowOverwrite off\n" + Block("*", "AllowOverwrite on\n")));
  EXPECT_EQ(Ask(on, "anonymous", "/srv/a", Right::kOverwrite), Verdict::kAllowed);
}

TEST(RaiseAnonymous, ARelativeBlockDoesNotNestBelowAnAbsoluteOne) {
  const Raiser raiser = RaiseText(
      Anonymous(Block("/srv/a", Limit("DELE", "DenyAll")) + Block("a/b", Limit("MKD", "DenyAll"))));
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv/a/b", Right::kDelete), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv/a/b", Right::kMkdir), Verdict::kDenied);
  const Raiser relative = RaiseText(
      Anonymous(Block("a", Limit("DELE", "DenyAll")) + Block("a/b", Limit("MKD", "DenyAll"))));
  EXPECT_EQ(Ask(relative, "anonymous", "/srv/a/b", Right::kDelete), Verdict::kDenied);
}

TEST(RaiseAnonymous, WithoutUserOnlyTheAliasIsAnonymous) {
  const Raiser raiser = RaiseText(Anonymous(Limit("DELE", "DenyAll"), ""));
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv/a", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv/a", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "anonymous", "/home", Right::kRead), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a", Right::kDelete), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/home", Right::kRead), Verdict::kAllowed);
  EXPECT_TRUE(raiser.Anonymous().Has(0));
}

TEST(RaiseAnonymous, AHomeMayBeItsFolder) {
  const Raiser raiser = RaiseText("<Anonymous ~ada>\nUser ada\n</Anonymous>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/home/ada/in", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kRead), Verdict::kDenied);
}

TEST(RaiseAnonymous, OverSftpThereIsNoSuchSession) {
  const Raiser raiser =
      RaiseText("<Global>\nSFTPEngine on\n" + Anonymous(Limit("DELE", "DenyAll")) + "</Global>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/home", Right::kDelete, Cell::Rest::kEntry, Way::kSftp),
            Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv", Right::kRead, Cell::Rest::kEntry, Way::kSftp),
            Verdict::kDenied);
}

TEST(RaiseAnonymous, SectionsForSomeCountButForTheirLimitsOnLogin) {
  const std::string some = "<IfUser ada>\n" + Limit("WRITE LOGIN", "DenyAll") +
                           Block("/srv/a", Limit("READ", "DenyAll")) + "</IfUser>\n";
  const Raiser raiser = RaiseText(Anonymous(Block("/srv/a", Limit("READ", "DenyUser ada"))) + some);
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv", Right::kMkdir), Verdict::kDenied);
  // Its block removes the section's block of that name, and isn't asked itself.
  EXPECT_EQ(Ask(raiser, "anonymous", "/srv/a", Right::kRead), Verdict::kAllowed);
}

TEST(RaiseSessions, ABlockRemovesTheOneOfThatNameWhereverItNests) {
  const Raiser raiser = RaiseText(Block("/srv/a", Limit("ALL", "DenyAll")) + "<IfGroup ops>\n" +
                                  Block("/srv", "AllowOverwrite on\n") +
                                  Block("/srv/a", Limit("MKD", "DenyAll")) + "</IfGroup>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a", Right::kMkdir), Verdict::kDenied);
}

TEST(RaiseSessions, AUsersBlockStandsBeforeAGroupsAndLosesItsNameToIt) {
  const std::string user = "<IfUser ada>\n", group = "<IfGroup ops>\n";
  const Raiser raiser = RaiseText(user + Block("/srv/[ab]", "AllowOverwrite off\n") +
                                  Block("/x", Limit("MKD", "DenyAll")) + "</IfUser>\n" + group +
                                  Block("/srv/a", Limit("READ", "DenyAll")) +
                                  Block("/x", Limit("DELE", "DenyAll")) + "</IfGroup>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a", Right::kRead), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "bea", "/srv/a", Right::kRead), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "ada", "/x", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "ada", "/x", Right::kMkdir), Verdict::kAllowed);
}

TEST(RaiseSessions, WhatNestsInALostBlockOfAnotherSectionStays) {
  const Raiser raiser =
      RaiseText(Block("/srv/a", Limit("READ", "DenyAll")) + "<IfUser ada>\n" +
                Block("/srv", Limit("RMD", "DenyAll")) + "</IfUser>\n<IfUser !bea>\n" +
                Block("/srv", Limit("MKD", "DenyAll")) + "</IfUser>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/a", Right::kRead), Verdict::kDenied);
}

TEST(RaiseSessions, OfItsBlocksTheFirstInFileIsTriedFirst) {
  const Raiser raiser = RaiseText("<IfUser ada>\n" + Block("/srv/ab", Limit("MKD", "DenyAll")) +
                                  Block("/srv/a*", Limit("DELE", "DenyAll")) + "</IfUser>\n");
  EXPECT_EQ(Ask(raiser, "ada", "/srv/ab", Right::kDelete), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "ada", "/srv/ab", Right::kMkdir), Verdict::kDenied);
}

TEST(RaiseBlocks, OfTwoBlocksOfOneNameTheInnerIsTheParentOfOthers) {
  const Raiser raiser =
      RaiseText("<Global>\n" + Block("/srv/b*", Limit("READ", "AllowAll")) +
                Block("/srv/*", Limit("READ", "DenyAll")) + Block("/srv/b", "AllowOverwrite on\n") +
                "</Global>\n" + Block("/srv/*", "AllowOverwrite on\n"));
  EXPECT_EQ(Ask(raiser, "ada", "/srv/b", Right::kRead), Verdict::kAllowed);
}

TEST(RaiseSessions, ALoginThatMayComeFromElsewhereIsNotComputable) {
  const Raiser raiser = RaiseText("LDAPServer ldap.example.com\n");
  EXPECT_EQ(Ask(raiser, "carl", "/srv", Right::kRead), Verdict::kNotComputable);
}

}  // namespace
}  // namespace postern::proftpd
