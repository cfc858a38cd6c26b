// Accounts that a host has from a directory: verified, shut at the server, never written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diag/codes.h"
#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using testing::HasSubstr;

const access::Rights kList = Right::kList;
constexpr char kBeaDn[] = "uid=a,ou=people,dc=x";

object::Object Sourced(bool enabled = true, std::string_view home = "/srv") {
  auto account = object::DecodeAs<kinds::Account>(Account("a", enabled, home).body);
  account.set_source(std::string(object::kFromDirectory));
  return object::Encode(account);
}

object::Object Entry(bool enabled = true) {
  auto user = object::DecodeAs<kinds::User>(User(kBeaDn, enabled).body);
  user.set_uid("A");
  return object::Encode(user);
}

struct SourceBench : Bench {
  SourceBench() {
    host().mutable_manage()->set_accounts("group:ftpusers");
    declarations.accounts.resize(1);
    decl::Account& account = declarations.accounts[0].message;
    account.set_name("a");
    account.set_server("ftp");
    account.set_source("directory:corp");
  }
};

std::string Looks(const Plan& plan) {
  std::string text;
  for (const Look& look : plan.looks) text += look.what + ": " + look.detail + "\n";
  return text;
}

TEST(AccountsOfADirectory, OneThatIsThereIsTakenOverAndNothingIsWritten) {
  SourceBench bench;
  bench.Want(Sourced()).Live(WithId(Sourced(), "30001")).Want(Key("a"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "adopt account declared; create ssh_key declared");
  EXPECT_EQ(Steps(plan), "open ssh_key");
}

TEST(AccountsOfADirectory, OneThatIsNotThereIsHeldWithWhatWouldOpenIt) {
  SourceBench bench;
  bench.Want(Sourced()).Want(Key("a")).Want(Row("/d", "subtree", "account:a", kList));
  bench.Want(Row("/d", "subtree", "account:b", kList)).All(Account("b"));
  diag::Diagnostics diagnostics;
  const Plan plan = bench.Make(&diagnostics);
  EXPECT_EQ(Said(plan),
            "create account declared (held); create ssh_key declared (held); create grant declared "
            "(held); create grant declared");
  EXPECT_EQ(Steps(plan), "open grant");
  ASSERT_EQ(diagnostics.all().size(), 1u);
  EXPECT_EQ(diagnostics.all()[0].code, diag::code::kSourceDiffers);
  EXPECT_THAT(diagnostics.all()[0].summary, HasSubstr("doesn't know a from directory:corp"));
  EXPECT_THAT(diagnostics.all()[0].notes[0], HasSubstr("gpasswd -a a ftpusers"));
}

TEST(AccountsOfADirectory, AnAccountOfTheHostsOwnInItsPlaceOpensNothing) {
  SourceBench bench;
  bench.Want(Sourced()).Live(WithId(Account("a"), "1")).Want(Key("a"));
  diag::Diagnostics diagnostics;
  const Plan plan = bench.Make(&diagnostics);
  EXPECT_EQ(Said(plan),
            "update account declaration changed (held); create ssh_key declared (held)");
  EXPECT_EQ(Steps(plan), "");
  EXPECT_THAT(diagnostics.all()[0].summary, HasSubstr("before the directory's"));
}

TEST(AccountsOfADirectory, OneThatIsDeclaredAsTheHostsOwnIsNotWritten) {
  SourceBench bench;
  bench.Want(Account("a", true, "/other")).Live(WithId(Sourced(), "30001"));
  EXPECT_EQ(Said(bench.Make()), "update account declaration changed (held)");
}

TEST(AccountsOfADirectory, AnotherHomeIsToldAndALockWaitsForNothing) {
  SourceBench bench;
  const object::Object live = WithId(Sourced(true, "/home/a"), "30001");
  bench.Want(Sourced()).Live(live).Record(WithId(Sourced(), "30001"));
  diag::Diagnostics diagnostics;
  const Plan plan = bench.Make(&diagnostics);
  EXPECT_EQ(Steps(plan), "");
  ASSERT_EQ(plan.changes.size(), 1u);
  EXPECT_EQ(plan.changes[0].held, "its home in the directory is /home/a, declared is /srv");
  SourceBench shut;
  shut.Want(Sourced(false)).Live(live).Record(WithId(Sourced(), "30001"));
  const Plan lock = shut.Make();
  EXPECT_EQ(Steps(lock), "revoke account; revoke session");
  const auto after = object::DecodeAs<kinds::Account>(lock.steps[0].operation.after);
  EXPECT_FALSE(after.enabled());
  EXPECT_FALSE(after.has_home()) << "only the lock is written";
}

TEST(AccountsOfADirectory, ALockSaysWhatTheDirectoryDoes) {
  const auto shut = [](SourceBench& bench) {
    bench.Want(Sourced(false)).Live(WithId(Sourced(), "30001")).Record(WithId(Sourced(), "30001"));
    const Plan plan = bench.Make();
    EXPECT_THAT(Steps(plan), HasSubstr("revoke account"));
    return Looks(plan);
  };
  SourceBench unknown;
  EXPECT_THAT(shut(unknown), HasSubstr("directory:corp is disabled isn't known"));
  SourceBench open;
  open.All(Entry(), kCorp);
  EXPECT_THAT(shut(open), HasSubstr("stays enabled: whatever else asks there lets it in"));
  SourceBench both;
  both.Want(Entry(false), kCorp).Live(Entry(), kCorp).Record(Entry(), kCorp);
  EXPECT_EQ(shut(both), "") << "disabled in the same plan";
}

TEST(AccountsOfADirectory, WhoIsDisabledInTheDirectoryAloneIsToldWhereTheServerDoesNotAsk) {
  for (const char* support : {"unsupported", "native"}) {
    SourceBench bench;
    bench.All(WithId(Sourced(), "30001"));
    bench.Want(Entry(false), kCorp).Live(Entry(), kCorp).Record(Entry(), kCorp);
    bench.capabilities[kHost] = {{.kind = "account",
                                  .field = "directory_lock",
                                  .server = "ftp",
                                  .support = support,
                                  .widens_to = {},
                                  .why = "no PAM",
                                  .alternatives = {}}};
    const std::string looks = Looks(bench.Make());
    EXPECT_EQ(looks.find("until its [account] says enabled = false: no PAM") != std::string::npos,
              std::string_view(support) == "unsupported")
        << looks;
  }
}

TEST(AccountsOfADirectory, OneThatIsNoLongerDeclaredIsShutAndNeverDeleted) {
  SourceBench bench;
  bench.declarations.accounts.clear();
  bench.Live(WithId(Sourced(), "30001")).Record(WithId(Sourced(), "30001"));
  EXPECT_EQ(Said(bench.Make()), "disable account declaration removed");
  SourceBench later;
  later.declarations.accounts.clear();
  later.Live(WithId(Sourced(false), "30001")).Record(WithId(Sourced(false), "30001"));
  later.recorded[kHost][0].retired_at = kNow - 400 * 86400;
  EXPECT_EQ(Said(later.Make()), "");
  later.host().mutable_manage()->set_retention_days(0);
  EXPECT_EQ(Said(later.Make()), "");
}

TEST(AccountsOfADirectory, AnotherUidUnderTheNameIsShutFirst) {
  SourceBench bench;
  bench.Want(Sourced()).Live(WithId(Sourced(), "30009")).Record(WithId(Sourced(), "30001"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "update account re-created by other hands");
  EXPECT_EQ(Steps(plan), "revoke account; revoke session");
  EXPECT_THAT(Looks(plan), HasSubstr("gave the name to uid 30009, it was 30001"));
  SourceBench next;
  next.Want(Sourced()).Live(WithId(Sourced(false), "30009"));
  next.Record(WithId(Sourced(false), "30009"));
  EXPECT_EQ(Steps(next.Make()), "enable account");
}

// By the facts of a role: nobody makes a directory's entry anew, and nobody inherits it.
TEST(AccountsOfADirectory, ALoginThatIsAnotherPersonsNowIsShutAndItsRowsGo) {
  const auto begin = [](SourceBench& bench, const object::Object& wanted) {
    bench.desired.inherited[{kHost, wanted.key}] = "iam:hr/ann#1";
    const auto row = Row("/d", "subtree", "account:a", kList);
    bench.Want(wanted).Live(WithId(Sourced(), "30001")).Record(WithId(Sourced(), "30001"));
    bench.All(row).Live(Key("a")).Record(Key("a"));
    bench.Want(Row("/new", "subtree", "account:a", kList));
  };
  // Declared with its source, and by a role, which knows of none.
  for (const object::Object& wanted : {Sourced(), Account("a")}) {
    SourceBench bench;
    begin(bench, wanted);
    const Plan plan = bench.Make();
    EXPECT_EQ(Steps(plan), "revoke account; revoke grant; revoke ssh_key; revoke session");
    for (const Change& change : plan.changes) {
      EXPECT_NE(change.action, Action::kReplace);
      EXPECT_TRUE(change.kind != object::Kind::kAccount || change.action == Action::kUpdate);
      EXPECT_TRUE(change.kind != object::Kind::kAccount || change.reason == Reason::kFact);
    }
    const auto after = object::DecodeAs<kinds::Account>(plan.steps[0].operation.after);
    EXPECT_FALSE(after.enabled());
    EXPECT_FALSE(after.has_home()) << "only the lock is written";
    EXPECT_TRUE(plan.delta.gained.empty()) << "what is new waits for the next plan";
    EXPECT_THAT(Looks(plan), HasSubstr("it is locked, what it had here goes"));
  }
}

// Shut before: nothing is written, and nothing opens before somebody has seen it.
TEST(AccountsOfADirectory, AnotherUnderAShutNameStaysShutForOnePlan) {
  for (const bool by_fact : {false, true}) {
    SourceBench bench;
    if (by_fact) bench.desired.inherited[{kHost, Sourced().key}] = "iam:hr/ann#1";
    bench.Want(Sourced()).Live(WithId(Sourced(false), by_fact ? "30001" : "30009"));
    bench.Record(WithId(Sourced(false), "30001"));
    const Plan plan = bench.Make();
    EXPECT_EQ(Steps(plan), "") << by_fact;
    ASSERT_EQ(plan.changes.size(), 1u);
    EXPECT_EQ(plan.changes[0].action, Action::kAdopt);
    EXPECT_THAT(Looks(plan), HasSubstr("the next plan opens it for the new one"));
  }
}

}  // namespace
}  // namespace postern::plan
