// A person's end as it is declared, changed and taken back, through the program on a real slapd.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/slapd.h"

namespace postern::directory {
namespace {

using support::RunResult;
using support::Slapd;
using testing::HasSubstr;
using testing::Not;

class Ends : public testing::Test {
 protected:
  Ends() {
    scratch_.Write("secrets/bind", Slapd::kPassword, 0600);
    scratch_.Write("secrets/login", "ann-password", 0600);
    scratch_.Write("world/operator/postern.toml",
                   fmt::format(R"([directory.corp]
url = "{}"
tls = {{ start = false }}
bind = {{ dn = "{}", password = "secret:bind" }}
manage = {{ bases = ["{}"] }}
users_ou = "{}"
limits = {{ lose_people = 100, lose_percent = 100, change_percent = 100 }}

[secret.bind]
from = "file:{}/secrets/bind"
[secret.login]
from = "file:{}/secrets/login"
)",
                               slapd_.url(), Slapd::kBindDn, Slapd::kPeople, Slapd::kPeople,
                               scratch_.path(), scratch_.path()));
  }
  void Declare(const std::string& more) {
    scratch_.Write("world/access/all.toml",
                   "[user.ann]\ndirectory = \"corp\"\ncommon_name = \"Ann A\"\nsurname = \"A\"\n"
                   "password = \"secret:login\"\n" +
                       more);
  }
  RunResult Postern(std::vector<std::string> words) {
    words.insert(words.begin(), POSTERN);
    return support::RunCommand(words, {.env = {{"NO_COLOR", "1"}}, .cwd = scratch_.File("world")});
  }
  void ApplyAll() {
    const RunResult apply = Postern({"apply", "--yes"});
    EXPECT_EQ(apply.exit, 0) << apply.out << apply.err << slapd_.process().LogTail();
    const RunResult plan = Postern({"plan", "--detailed-exitcode"});
    EXPECT_EQ(plan.exit, 0) << "the plan after an apply is empty\n" << plan.out << plan.err;
  }
  std::string End() {
    return slapd_.Search(dn_, "(objectClass=*)", {"pwdEndTime", "shadowExpire"});
  }
  bool LetsIn() { return slapd_.CanBind(dn_, "ann-password"); }

  support::Scratch scratch_;
  Slapd slapd_;
  const std::string dn_ = std::string("uid=ann,") + Slapd::kPeople;
};

TEST_F(Ends, WhatPosternWroteIsClearedWhenItIsNoLongerDeclared) {
  Declare("expires = 2999-12-31\n");
  ApplyAll();
  EXPECT_THAT(End(), HasSubstr("pwdEndTime: 29991231235959Z"));
  Declare("");
  EXPECT_THAT(Postern({"plan", "--detail"}).out, HasSubstr("never"));
  ApplyAll();
  EXPECT_THAT(End(), Not(HasSubstr("pwdEndTime")));
  EXPECT_TRUE(LetsIn());
  // One that somebody sets now is earlier than what was applied, and is taken out again.
  slapd_.Modify("dn: " + dn_ +
                "\nchangetype: modify\nreplace: pwdEndTime\npwdEndTime: 20200101000000Z\n");
  EXPECT_FALSE(LetsIn());
  EXPECT_THAT(Postern({"drift"}).out, HasSubstr("less access"));
  ApplyAll();
  EXPECT_TRUE(LetsIn());
}

TEST_F(Ends, WhatNobodyDeclaredStays) {
  Declare("");
  ApplyAll();
  slapd_.Modify("dn: " + dn_ +
                "\nchangetype: modify\nreplace: pwdEndTime\npwdEndTime: 20200101000000Z\n");
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0);
  EXPECT_THAT(End(), HasSubstr("pwdEndTime: 20200101000000Z"));
}

}  // namespace
}  // namespace postern::directory
