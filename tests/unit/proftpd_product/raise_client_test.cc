// Rules of ProFTPD that ask where the client is, and names by regular expression, each as it was
// seen on the daemon with clients from several addresses.
#include <gtest/gtest.h>

#include "tests/unit/proftpd_product/raise_text.h"

namespace postern::proftpd {
namespace {

using access::Right;
using testing::Ask;
using testing::RaiseText;

std::string Limit(const std::string& words, const std::string& lines) {
  return "<Limit " + words + ">\n" + lines + "\n</Limit>\n";
}

Ruling RulingOn(const std::string& text, Right right) {
  const Raiser raiser = RaiseText(text);
  Ruling ruling = raiser.Decide("ada", {"/srv", Cell::Rest::kEntry}, right, Way::kFtp);
  if (ruling.reason != nullptr) {
    EXPECT_EQ(ruling.reason->why, "depends on the client's address");
  }
  return ruling;
}

bool ForSomeOnly(const std::string& text, Right right = Right::kDelete) {
  const Ruling ruling = RulingOn(text, right);
  return ruling.verdict == Verdict::kAllowed && ruling.reason != nullptr;
}
bool Refused(const std::string& text, Right right = Right::kDelete) {
  return RulingOn(text, right).verdict == Verdict::kDenied;
}

TEST(RaiseClient, WhatSomeAddressMayDoIsAllowedAndTellsSo) {
  EXPECT_TRUE(ForSomeOnly(Limit("DELE", "Allow from 10.0.0.0/8\nDenyAll")));
  EXPECT_TRUE(ForSomeOnly(Limit("DELE", "Allow from 10.1.\nDenyAll")));
  EXPECT_TRUE(ForSomeOnly(Limit("DELE", "Deny from 2001:db8::/32, 10.0.0.7")));
  EXPECT_TRUE(ForSomeOnly(Limit("LOGIN", "Allow from 10.0.0.0/8\nDenyAll")));
  // No address is in both.
  EXPECT_TRUE(Refused(Limit("DELE", "Allow from 10.0.0.0/8\nDenyAll") +
                      Limit("LOGIN", "Allow from 192.168.0.0/16\nDenyAll")));
  // Everywhere: no reason is due.
  const Raiser everywhere = RaiseText(Limit("DELE", "Deny from 10.0.0.0/8\nAllowUser ada"));
  EXPECT_EQ(everywhere.Decide("ada", {"/srv"}, Right::kDelete, Way::kFtp).reason, nullptr);
}

TEST(RaiseClient, ANegatedAddressSilencesTheOthers) {
  EXPECT_TRUE(Refused(Limit("DELE", "Allow from 10.0.0.0/8\nAllow from !10.0.0.1\nDenyAll")));
  const std::string deny = Limit("DELE", "Deny from 10.0.0.0/8, !10.0.0.1");
  EXPECT_EQ(RulingOn(deny, Right::kDelete).verdict, Verdict::kAllowed);
}

TEST(RaiseClient, TheFirstClassThatFitsIsTheSessions) {
  const std::string classes =
      "<Class wide>\nFrom 10.0.0.0/8\n</Class>\n<Class near>\nFrom 10.1.0.0/16\n</Class>\n";
  EXPECT_TRUE(ForSomeOnly(classes + Limit("DELE", "AllowClass wide\nDenyAll")));
  EXPECT_TRUE(Refused(classes + Limit("DELE", "AllowClass near\nDenyAll")));
  // Others have no class; then not even a negated one fits.
  EXPECT_TRUE(Refused(classes + Limit("DELE", "AllowClass !wide\nDenyAll")));
  EXPECT_TRUE(ForSomeOnly(classes + Limit("DELE", "AllowClass regex ^w\nDenyAll")));
}

TEST(RaiseClient, AClassMayWantAllOfItsLines) {
  const std::string lines = "From !10.1.0.0/16\nFrom 10.0.0.0/8\n";
  const std::string limit = Limit("DELE", "AllowClass c\nDenyAll");
  const std::string both = Limit("LOGIN", "Allow from 10.1.0.0/16\nDenyAll") + limit;
  EXPECT_TRUE(Refused("<Class c>\n" + lines + "Satisfy all\n</Class>\n" + both));
  EXPECT_TRUE(ForSomeOnly("<Class c>\n" + lines + "</Class>\n" + both));
}

TEST(RaiseClient, IfClassStandsBehindIfUserAndItsBlocksBefore) {
  // Nobody else may log in.
  const std::string one =
      "<Class c>\nFrom 10.0.0.0/8\n</Class>\n" + Limit("LOGIN", "AllowClass c\nDenyAll");
  const auto some = [](const std::string& head, const std::string& lines) {
    return "<" + head + ">\n" + lines + "</" + head.substr(0, head.find(' ')) + ">\n";
  };
  const auto block = [](const std::string& lines) {
    return "<Directory /srv>\n" + lines + "</Directory>\n";
  };
  const std::string deny = Limit("DELE", "DenyAll");
  const Raiser limits =
      RaiseText(one + some("IfClass c", deny) + some("IfUser ada", Limit("DELE", "AllowAll")));
  EXPECT_EQ(Ask(limits, "ada", "/srv", Right::kDelete), Verdict::kAllowed);
  const Raiser blocks = RaiseText(one + some("IfClass c", block(deny)) +
                                  some("IfUser ada", block(Limit("MKD", "DenyAll"))));
  EXPECT_EQ(Ask(blocks, "ada", "/srv", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask(blocks, "ada", "/srv", Right::kMkdir), Verdict::kAllowed);
}

TEST(RaiseClient, BlocksOfAClassTakeNoneBelowThem) {
  const auto block = [](const std::string& path, const std::string& lines) {
    return "<Directory " + path + ">\n" + lines + "</Directory>\n";
  };
  const std::string text = "<Class c>\nFrom 10.0.0.0/8\n</Class>\n" +
                           Limit("LOGIN", "AllowClass c\nDenyAll") +
                           block("/srv/a", Limit("DELE", "DenyAll")) + "<IfClass c>\n" +
                           block("/srv", Limit("MKD", "DenyAll")) + "</IfClass>\n";
  const Raiser alone = RaiseText(text);
  EXPECT_EQ(Ask(alone, "ada", "/srv/a", Right::kDelete), Verdict::kAllowed);
  // A user's section nests all blocks anew.
  const Raiser both = RaiseText(text + "<IfUser ada>\nAllowOverwrite on\n</IfUser>\n");
  EXPECT_EQ(Ask(both, "ada", "/srv/a", Right::kDelete), Verdict::kDenied);
}

TEST(RaiseNames, AListOfGroupsForgetsAPatternThatFittedASupplementaryGroup) {
  const std::string regex = "DenyGroup regex ^ops$\n", list = "DenyGroup nobody";
  const Raiser raiser = RaiseText(Limit("DELE", regex + list) + Limit("MKD", list + "\n" + regex));
  // ops is ada's primary group, and a supplementary one of bea.
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "bea", "/srv", Right::kDelete), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "bea", "/srv", Right::kMkdir), Verdict::kDenied);
}

TEST(RaiseNames, RegularExpressionsAreSearchedForInNames) {
  const Raiser raiser = RaiseText(Limit("DELE", "AllowUser regex ^a.*a$\nDenyAll") +
                                  Limit("MKD", "AllowGroup regex taf\nDenyAll"));
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kDelete), Verdict::kAllowed);
  EXPECT_EQ(Ask(raiser, "bea", "/srv", Right::kDelete), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "ada", "/srv", Right::kMkdir), Verdict::kDenied);
  EXPECT_EQ(Ask(raiser, "bea", "/srv", Right::kMkdir), Verdict::kAllowed);
  const Raiser perl = RaiseText(Limit("DELE", "AllowUser regex (?i)ADA\nDenyAll"));
  EXPECT_EQ(Ask(perl, "ada", "/srv", Right::kDelete), Verdict::kNotComputable);
}

}  // namespace
}  // namespace postern::proftpd
