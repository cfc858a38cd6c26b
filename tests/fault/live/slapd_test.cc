// Kills on the way to a real slapd.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "tests/fault/live/campaign.h"
#include "tests/support/slapd.h"

namespace postern::fault {
namespace {

using support::Slapd;

class SlapdWorld : public World {
 public:
  explicit SlapdWorld(const support::Scratch& scratch) : secrets_(scratch.path() + "/secrets") {
    scratch.Write("secrets/bind", Slapd::kPassword, 0600);
    scratch.Write("secrets/login-u1", "u1-password", 0600);
    scratch.Write("secrets/login-u6", "u6-password", 0600);
  }

  std::string OperatorFile() override {
    return fmt::format(R"([directory.corp]
url = "{}"
tls = {{ start = false }}
bind = {{ dn = "{}", password = "secret:bind" }}
manage = {{ bases = ["{}", "{}"] }}
users_ou = "{}"
groups_ou = "{}"
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, change_percent = 100 }}

[secret.bind]
from = "file:{}/bind"
[secret."login-*"]
from = "file:{}/login-*"
)",
                       slapd_.url(), Slapd::kBindDn, Slapd::kPeople, Slapd::kGroups, Slapd::kPeople,
                       Slapd::kGroups, secrets_, secrets_);
  }

  std::string Declarations(char state) override {
    const bool b = state == 'B';
    std::string text;
    for (int i = 1; i <= (b ? 9 : 7); ++i) {
      text += fmt::format(
          "[user.u{0}]\ndirectory = \"corp\"\ncommon_name = \"User {0}\"\nsurname = \"U\"\n"
          "mail = [\"u{0}@{1}.test\"]\n",
          i, b && i % 2 == 0 ? "after" : "before");
      if (i == 5 && !b) text += "enabled = false\n";
      if (i == 6 && b) text += "enabled = false\n";
      if (i == 1 || i == 6) text += fmt::format("password = \"secret:login-u{}\"\n", i);
    }
    const auto group = [&](const char* name, const std::string& members) {
      text +=
          fmt::format("[group.{}]\ndirectory = \"corp\"\ndescription = \"of {}\"\n", name, state);
      text += fmt::format("members = [{}]\n", members);
    };
    group("one", b ? R"("user:u3", "user:u4", "user:u5")" : R"("user:u1", "user:u2", "user:u3")");
    group("two", b ? R"("user:u1", "user:u8")" : R"("user:u4", "user:u7")");
    if (b) group("three", R"("user:u2", "user:u9")");
    return text;
  }

  std::string Dump() override {
    // Stable ids included: an entry that was made anew is another one.
    const std::string found =
        slapd_.Search(Slapd::kSuffix, "(objectClass=*)",
                      {"*", "entryUUID", "pwdAccountLockedTime", "shadowExpire"});
    std::vector<std::string> lines;
    std::istringstream in(found);
    std::string dn;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("dn:")) dn = line;
      if (!line.empty()) lines.push_back(dn + " | " + line);
    }
    std::sort(lines.begin(), lines.end());
    return fmt::format("{}", fmt::join(lines, "\n"));
  }

  void TryClients(char state) override {
    const std::string people = std::string(",") + Slapd::kPeople;
    EXPECT_TRUE(slapd_.CanBind("uid=u1" + people, "u1-password"));
    EXPECT_EQ(slapd_.CanBind("uid=u6" + people, "u6-password"), state == 'A');
  }

  std::string Logs() override { return slapd_.process().LogTail(); }

 private:
  std::string secrets_;
  Slapd slapd_;
};

TEST(LiveKills, OnSlapdTheNextApplyFinishes) {
  const support::Scratch scratch;
  SlapdWorld world(scratch);
  Campaign campaign(&world, scratch.Folder("world"));
  ASSERT_TRUE(campaign.Prepare("ABAB"));
  const std::vector<Place> places = {{"directory.before-write", true},
                                     {"directory.after-write", true},
                                     {"provider.apply.received", true},
                                     {"provider.apply.answered", true},
                                     {"apply.begun"},
                                     {"apply.before-intents"},
                                     {"apply.after-intents"},
                                     {"apply.after-call"},
                                     {"apply.before-outcomes"},
                                     {"apply.after-outcomes"},
                                     {"apply.before-finish"},
                                     {"apply.finished"}};
  const int kills = campaign.Run(places, {{{"directory.after-write", true}, 2}}, 6);
  std::printf("%d kills tried\n", kills);
  EXPECT_GE(kills, FullCampaign() ? 30 : 6);
}

}  // namespace
}  // namespace postern::fault
