// Ways into an account and their ends: keys with bounds, certificates, logins that a server ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diag/codes.h"
#include "tests/unit/compile/compile_fixture.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class KeysTest : public CompileTest {};

// What narrows a key of jo's other account, which stands in line 2 of what is read.
std::string KeyedAccount(const std::string& keys) {
  return "[account.jo-key]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\nkeys = [" +
         keys + "]\n";
}

TEST_F(KeysTest, WhoNarrowsAKeySaysAllThatNarrowsIt) {
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

TEST_F(KeysTest, AKeyWhoseTimeIsOverIsNotWantedAndItsLossExpected) {
  const Desired desired =
      Read(KeyedAccount(std::string("{ key = \"") + kSshKey + "\", expires = 2026-05-31 }"));
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    EXPECT_NE(object.kind, Kind::kSshKey);
  }
  ASSERT_EQ(desired.expired.size(), 1U);
  EXPECT_EQ(desired.expired[0].key.kind, Kind::kSshKey);
}

TEST_F(KeysTest, WhatAServerCantKeepOfAKeyIsRefusedWithPlaceAndWayOut) {
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

TEST_F(KeysTest, PrincipalsAreLinesOfEachAuthorityThatTheOperatorNames) {
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

TEST_F(KeysTest, AServerThatEndsLoginsByDaysIsGivenTheLastFullOne) {
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

}  // namespace
}  // namespace postern::compile
