// A service account is compiled as the account, the keys, the entry and the rows that it stands
// for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/compile/compile_fixture.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

std::string Service(const std::string& more) {
  return std::string(
             "[service_account.nightly]\nowner = \"person:jo\"\ndeputy = \"person:al\"\n"
             "purpose = \"cards\"\nservers = [\"ftp\", \"two\"]\nhome = \"/srv/d\"\n"
             "directory = \"corp\"\nrows = [{ folder = \"d\", rights = [\"list\"] }]\n") +
         more;
}

std::vector<std::string> OwnersOf(const Desired& desired, const char* target, Kind kind) {
  std::vector<std::string> owners;
  for (const DesiredObject& object : desired.Find(target)->objects) {
    if (object.kind != kind) continue;
    const std::string& owner = desired.provenance[object.sources.front()].owner;
    if (owner.starts_with("service_account:")) owners.push_back(owner);
  }
  return owners;
}

class CompileServices : public CompileTest {
 protected:
  const std::string owner_ = "service_account:nightly (service:nightly)";
  const std::string key_ = std::string("current = { key = \"") + kSshKey + "\" }\n";
  const std::string next_ = std::string("next = { key = \"") + kOtherKey + "\" }\n";
};

TEST_F(CompileServices, StandsForAnAccountAtEachServerAnEntryAndRows) {
  const Desired desired = Read(Service(key_));
  EXPECT_THAT(Codes(desired), IsEmpty());
  EXPECT_THAT(OwnersOf(desired, "host:edge", Kind::kAccount), ElementsAre(owner_, owner_));
  EXPECT_THAT(OwnersOf(desired, "host:edge", Kind::kSshKey), ElementsAre(owner_, owner_));
  EXPECT_THAT(OwnersOf(desired, "host:edge", Kind::kGrant), ElementsAre(owner_, owner_));
  EXPECT_THAT(OwnersOf(desired, "directory:corp", Kind::kUser), ElementsAre(owner_));
  EXPECT_THAT(Rows(desired), ElementsAre("ftp /srv/d subtree account:nightly list",
                                         "two /srv/d subtree account:nightly list"));
  const kinds::Account account = AccountNamed(desired, "nightly");
  EXPECT_TRUE(account.enabled());
  EXPECT_EQ(account.home(), "/srv/d");
  EXPECT_EQ(desired.IdentityOf({"host:edge", "two"}, "nightly"), "service:nightly");
  EXPECT_EQ(desired.IdentityOf({"directory:corp", ""}, "uid=nightly,ou=people,dc=x"),
            "service:nightly");
}

TEST_F(CompileServices, BothSlotsOpenEveryAccount) {
  const Desired desired = Read(Service(key_ + next_));
  EXPECT_EQ(OwnersOf(desired, "host:edge", Kind::kSshKey).size(), 4u);
}

// A login has one password: whoever signs in tries the next one first.
TEST_F(CompileServices, TheNextPasswordIsTheAccounts) {
  const std::string current = "current = { password = \"secret:a\" }\n";
  EXPECT_EQ(AccountNamed(Read(Service(current)), "nightly").password(), "secret:a");
  EXPECT_EQ(AccountNamed(Read(Service(current + "next = { password = \"secret:b\" }\n")), "nightly")
                .password(),
            "secret:b");
  EXPECT_EQ(AccountNamed(Read(Service(current + next_)), "nightly").password(), "secret:a");
}

TEST_F(CompileServices, EndsWithAllThatIsDeclaredForIt) {
  const Desired desired =
      Read(Service(key_ + "expires = 2026-01-31\n") +
           "[account.other]\nfor = \"service:nightly\"\nserver = \"ftp\"\nhome = \"/srv\"\n");
  EXPECT_FALSE(AccountNamed(desired, "nightly").enabled());
  EXPECT_FALSE(AccountNamed(desired, "other").enabled());
  EXPECT_THAT(Rows(desired), IsEmpty());
}

TEST_F(CompileServices, IsNamedInGrantsAndGroups) {
  const Desired desired = Read(Service(key_) + "[group.jobs]\nmembers = [\"service:nightly\"]\n" +
                               Grant("group:jobs", "", "\"read\""));
  EXPECT_THAT(Rows(desired), testing::Contains("ftp /srv/d subtree group:jobs read"));
  EXPECT_THAT(Rows(Read(Service(key_) + Grant("service:nightly", "", "\"read\""))),
              testing::Contains("two /srv/d subtree account:nightly list, read"));
}

}  // namespace
}  // namespace postern::compile
