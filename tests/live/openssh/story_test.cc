// Postern's whole way over a real sshd: plan, apply, clients, drift, apply again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/base/time.h"
#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class OpenSshStory : public testing::TestWithParam<bool> {
 protected:
  void Begin(SshdWorld::Options options = {}) {
    options.pam = GetParam();
    world_ = std::make_unique<SshdWorld>(options);
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    ASSERT_TRUE(world_->Start());
    Declare();
    world_->ApplyAll();
  }
  // bea reads in `in` and changes `out`; ana lists `out`.
  void Declare(const std::string& bea_more = "", const std::string& more = "") {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"}) + "\n" + bea_more) +
                    SshdWorld::Person("ana", world_->KeysLine({"two"})) +
                    SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:bea", "in", R"("list", "read")") +
                    SshdWorld::Grant("person:bea", "out",
                                     R"("list", "create", "delete", "rename", "mkdir", "rmdir")") +
                    SshdWorld::Grant("person:ana", "out", R"("list")") + more);
  }
  bool May(const std::string& login, const std::string& batch) const {
    return world_->Sftp(login, login == "ana-in" ? "two" : "one", batch).exit == 0;
  }
  std::string Drift() const {
    const auto run = world_->Postern({"drift"});
    return run.out + run.err;
  }
  // A change by hand is drift with these words, and the next apply heals it.
  void ExpectDriftThatHeals(const testing::Matcher<std::string>& words) const {
    EXPECT_THAT(Drift(), words);
    EXPECT_FALSE(world_->PlanIsEmpty());
    world_->ApplyAll();
  }

  std::unique_ptr<SshdWorld> world_;
};
INSTANTIATE_TEST_SUITE_P(Pam, OpenSshStory, testing::Bool(),
                         [](const auto& info) { return info.param ? "Pam" : "NoPam"; });

TEST_P(OpenSshStory, WhatIsDeclaredIsWhatClientsMay) {
  Begin();
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_TRUE(May("bea-in", "ls " + kIn + "\nget " + kIn + "/old /dev/null\n"));
  EXPECT_FALSE(May("bea-in", "put /srv/clients/known_hosts " + kIn + "/new\n"));
  EXPECT_FALSE(May("bea-in", "rm " + kIn + "/old\n"));
  EXPECT_TRUE(May("bea-in", "put /srv/clients/known_hosts " + kOut + "/new\n"));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "what she made is her own";
  EXPECT_TRUE(May("bea-in", "rm " + kOut + "/new\n"));
  EXPECT_FALSE(May("bea-in", "get " + kOut + "/old /dev/null\n"));
  EXPECT_TRUE(world_->LetsIn("ana-in", "two"));
  EXPECT_TRUE(May("ana-in", "ls " + kOut + "\n"));
  EXPECT_FALSE(May("ana-in", "ls " + kIn + "\n"));
}

TEST_P(OpenSshStory, APasswordOpensAndALockShutsEveryWay) {
  Begin();
  EXPECT_FALSE(world_->LetsInByPassword("bea-in", "correct horse"));
  Declare("password = \"secret:pw\"");
  world_->ApplyAll();
  EXPECT_TRUE(world_->LetsInByPassword("bea-in", "correct horse"));
  EXPECT_FALSE(world_->LetsInByPassword("bea-in", "battery"));
  const auto session = world_->OpenSession("bea-in", "one");
  ASSERT_TRUE(session->Alive());
  Declare("password = \"secret:pw\"\nenabled = false");
  world_->ApplyAll();
  EXPECT_FALSE(session->Alive()) << "the open session is ended";
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  EXPECT_FALSE(world_->LetsInByPassword("bea-in", "correct horse"));
  EXPECT_TRUE(world_->LetsIn("ana-in", "two"));
  Declare("password = \"secret:pw\"");
  world_->ApplyAll();
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_TRUE(world_->LetsInByPassword("bea-in", "correct horse"));
}

TEST_P(OpenSshStory, AChmodThatCutsTheMaskIsLess) {
  Begin();
  SshdWorld::Run({"touch", "-d", "2020-01-02", "/srv/ssh/sshd_config.d/postern.conf"});
  SshdWorld::Run({"chmod", "g=", kIn + "/old"});
  EXPECT_FALSE(May("bea-in", "get " + kIn + "/old /dev/null\n"));
  ExpectDriftThatHeals(AllOf(HasSubstr("less access  bea  read on " + kIn),
                             HasSubstr("changed " + base::FormatHuman(base::Now()).substr(0, 10)),
                             Not(HasSubstr("2020-01-02"))));  // the include's time is another
  EXPECT_TRUE(May("bea-in", "get " + kIn + "/old /dev/null\n"));
}

TEST_P(OpenSshStory, AnEntryByHandIsMore) {
  Begin();
  for (const std::string& folder : {kExchange, kIn}) {
    SshdWorld::Run({"setfacl", "-m", "u:ana-in:rx", folder});
  }
  EXPECT_TRUE(May("ana-in", "ls " + kIn + "\n"));
  ExpectDriftThatHeals(AllOf(HasSubstr("more access  ana"), HasSubstr(kIn)));
  EXPECT_FALSE(May("ana-in", "ls " + kIn + "\n"));
}

// Nothing of ours names them: what lets in whom nobody manages is told, and stays.
TEST_P(OpenSshStory, AnEntryForSomebodyElseIsTold) {
  Begin();
  SshdWorld::Run({"setfacl", "-m", "u:games:rx", kIn});
  EXPECT_THAT(Drift(), AllOf(HasSubstr("same access"), HasSubstr("kept out by a folder above")));
  SshdWorld::Run({"setfacl", "-m", "u:games:x", kExchange});
  SshdWorld::Run({"setfacl", "-m", "u:64999:rwx", kOut});
  const int64_t before = base::Now();
  EXPECT_THAT(Drift(),
              AllOf(ContainsRegex("more access  " + kIn + " "), HasSubstr("games, an account that"),
                    HasSubstr("user:games:r-x"), HasSubstr("number 64999"),
                    HasSubstr(base::FormatHuman(before).substr(0, 10))));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "Postern takes away nobody's access but that of its own";
  const auto plan = world_->Postern({"plan"});
  EXPECT_THAT(plan.out, AllOf(HasSubstr("Needs a look"), HasSubstr("games")));
  EXPECT_EQ(world_->Postern({"access", "who", "in"}).exit, 0);
  SshdWorld::Run({"setfacl", "-R", "-x", "u:games", kExchange});
  SshdWorld::Run({"setfacl", "-x", "u:64999", kOut});
  EXPECT_EQ(world_->Postern({"drift"}).exit, 0);
}

// Where the operator says so, they go; what is ours beside them stays as it was.
TEST_P(OpenSshStory, AnEntryForSomebodyElseGoesWhereForeignIsRemove) {
  Begin({.foreign = "remove"});
  const std::string ours = SshdWorld::Run({"getfacl", "-Rpn", kExchange});
  SshdWorld::Run({"setfacl", "-m", "u:games:x", kExchange});
  SshdWorld::Run({"setfacl", "-R", "-m", "u:games:rx,d:u:games:rx", kIn});
  SshdWorld::Run({"setfacl", "-m", "u:64999:rwx", kIn});
  EXPECT_THAT(world_->Postern({"plan"}).out,
              AllOf(HasSubstr("games, an account that"), HasSubstr("it is removed")));
  world_->ApplyAll();
  EXPECT_THAT(SshdWorld::Run({"getfacl", "-Rpn", kIn}), Not(HasSubstr("64999")));
  EXPECT_THAT(SshdWorld::Run({"getfacl", "-Rp", kIn}), Not(HasSubstr("games")));
  EXPECT_TRUE(world_->PlanIsEmpty());
  // A way to nowhere gives nothing, and isn't told.
  SshdWorld::Run({"setfacl", "-x", "u:games", kExchange});
  EXPECT_EQ(SshdWorld::Run({"getfacl", "-Rpn", kExchange}), ours);
}

TEST_P(OpenSshStory, AnExtraKeyIsMore) {
  Begin();
  const std::string two = support::ReadFile("/srv/clients/two.pub");
  std::ofstream("/srv/ssh/keys/bea-in", std::ios::app) << two;
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  ExpectDriftThatHeals(HasSubstr("more access  bea"));
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

// Who is let in by a declared key, from where it is declared, as long as it is declared.
// Each file that sshd asks is an account's: a key in the second one is drift as well.
TEST_P(OpenSshStory, AKeyInAnotherFileThatSshdAsksIsMore) {
  Begin();
  ::mkdir("/srv/ssh/more", 0755);
  std::string config = support::ReadFile(world_->config());
  const std::string files = "AuthorizedKeysFile /srv/ssh/keys/%u";
  config.replace(config.find(files), files.size(), files + " /srv/ssh/more/%u");
  std::ofstream(world_->config(), std::ios::trunc) << config;
  SshdWorld::Run({"kill", "-HUP", std::to_string(world_->SshdPid())});
  SshdWorld::Run({"cp", "/srv/clients/two.pub", "/srv/ssh/more/bea-in"});
  for (int i = 0; i < 100 && !world_->LetsIn("bea-in", "two"); ++i) ::usleep(50'000);
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  ExpectDriftThatHeals(HasSubstr("more access  bea"));
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

// Whom a program or an authority by other hands lets in stands in no file: the doctor says so.
TEST_P(OpenSshStory, WaysInBesideTheFilesOfKeysAreTold) {
  Begin();
  EXPECT_THAT(world_->Postern({"providers", "doctor"}).out,
              Not(HasSubstr("AuthorizedKeysCommand")));
  world_->WriteConfig(
      "AuthorizedKeysCommand /bin/cat /srv/clients/two.pub\nAuthorizedKeysCommandUser nobody\n"
      "TrustedUserCAKeys /srv/clients/keeper.pub\n",
      "");
  SshdWorld::Run({"chmod", "0644", "/srv/clients/two.pub"});
  SshdWorld::Run({"kill", "-HUP", std::to_string(world_->SshdPid())});
  for (int i = 0; i < 100 && !world_->LetsIn("bea-in", "two"); ++i) ::usleep(50'000);
  EXPECT_TRUE(world_->LetsIn("bea-in", "two")) << "what no file of hers says";
  const std::string doctor = world_->Postern({"providers", "doctor"}).out;
  EXPECT_THAT(doctor, HasSubstr("AuthorizedKeysCommand /bin/cat"));
  EXPECT_THAT(doctor, HasSubstr("TrustedUserCAKeys /srv/clients/keeper.pub"));
}

TEST_P(OpenSshStory, AKeyIsLetInFromWhereAndUntilWhenItIsDeclared) {
  Begin();
  const auto key = [&](const std::string& narrow) {
    return "keys = [{ key = \"" + support::PublicKeyOf("/srv/clients/two.pub") + "\"" + narrow +
           " }]";
  };
  const auto declare = [&](const std::string& narrow) {
    world_->Declare(SshdWorld::Person("bea", key(narrow)) + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Grant("person:bea", "in", R"("list", "read")"));
  };
  declare(R"(, from = ["10.0.0.0/8"])");
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  declare(R"(, from = ["10.0.0.0/8", "127.0.0.0/8"], expires = 2999-12-31)");
  const std::string plan = world_->Postern({"plan", "--detail"}).out;
  EXPECT_THAT(plan, AllOf(HasSubstr("10.0.0.0/8, 127.0.0.0/8"), HasSubstr("2999-12-31")));
  world_->ApplyAll();
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  EXPECT_THAT(support::ReadFile("/srv/ssh/keys/bea-in"),
              AllOf(HasSubstr("restrict,from=\"10.0.0.0/8,127.0.0.0/8\""),
                    HasSubstr("expiry-time=\"29991231235959Z\"")));
  // What is over is taken away, and a date by hand that is over is less.
  SshdWorld::Run({"sed", "-i", "s/2999/2020/", "/srv/ssh/keys/bea-in"});
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  ExpectDriftThatHeals(AllOf(HasSubstr("less access  bea"), HasSubstr("2020-12-31")));
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  // What narrowed it taken away by hand is more.
  SshdWorld::Run({"sed", "-i", "s/from=[^ ]* /pty /", "/srv/ssh/keys/bea-in"});
  ExpectDriftThatHeals(AllOf(HasSubstr("more access  bea"), HasSubstr("pty")));
  declare(", expires = 2020-12-31");
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_FALSE(std::filesystem::exists("/srv/ssh/keys/bea-in")) << "it was the only one";
}

// sshd ends the login itself, at the end of the declared day, with PAM and without.
TEST_P(OpenSshStory, AnEndIsWrittenAndKeptByTheServer) {
  Begin();
  const int64_t today = base::Now() / 86400;
  const auto date = [](int64_t day) { return base::FormatInstant(day * 86400).substr(0, 10); };
  const auto written = [] {
    const std::string line = SshdWorld::Run({"getent", "shadow", "bea-in"});
    std::vector<std::string> fields(1);
    for (const char c : line) c == ':' ? (void)fields.emplace_back() : (void)(fields.back() += c);
    return fields.at(7);
  };
  const int64_t shift = GetParam() ? 1 : 0;
  Declare("expires = " + date(today));
  world_->ApplyAll();
  EXPECT_EQ(written(), std::to_string(today + shift));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one")) << "the whole of the day is hers";
  EXPECT_THAT(world_->Postern({"explain", "account:sftp/bea-in"}).out,
              HasSubstr("until " + date(today) + " (closed by server)"));
  EXPECT_THAT(world_->Postern({"access", "expiring"}).out,
              AllOf(HasSubstr("the login bea-in at sftp"), HasSubstr("server"),
                    testing::Not(HasSubstr("nobody"))));
  // The moment after it, as sshd sees it.
  SshdWorld::Run({"chage", "-E", std::to_string(today + shift - 1), "bea-in"});
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  ExpectDriftThatHeals(AllOf(HasSubstr("less access  bea"), HasSubstr(date(today - 1))));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  // A lock stands in its place, and what opens it again writes it again.
  Declare("enabled = false\nexpires = " + date(today + 400));
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  Declare("expires = " + date(today + 400));
  world_->ApplyAll();
  EXPECT_EQ(written(), std::to_string(today + 400 + shift));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  // An end that isn't declared any more is none.
  Declare("");
  EXPECT_THAT(world_->Postern({"plan", "--detail"}).out, HasSubstr("never"));
  world_->ApplyAll();
  EXPECT_EQ(written(), "");
  Declare("expires = 2999-12-31T12:00:00Z");
  const auto plan = world_->Postern({"plan"});
  EXPECT_THAT(plan.out + plan.err, HasSubstr("2999-12-30T23:59:59Z"));
  world_->ApplyAll();
}

TEST_P(OpenSshStory, AMovedInFileAndAGivenAwayFolderAreTold) {
  Begin();
  std::ofstream("/srv/loose") << "open to all\n";
  SshdWorld::Run({"chmod", "0666", "/srv/loose"});
  SshdWorld::Run({"mv", "/srv/loose", kIn + "/loose"});
  ExpectDriftThatHeals(HasSubstr("more access  bea  overwrite on " + kIn));
  SshdWorld::Run({"chown", "bea-in", kIn});
  SshdWorld::Run({"chmod", "u=rwx", kIn});
  EXPECT_TRUE(May("bea-in", "put /srv/clients/known_hosts " + kIn + "/new\n"));
  ExpectDriftThatHeals(AllOf(HasSubstr("more access  bea"), HasSubstr("create")));
  EXPECT_FALSE(May("bea-in", "put /srv/clients/known_hosts " + kIn + "/newer\n"));
}

TEST_P(OpenSshStory, EditsOfTheIncludeAreUndone) {
  Begin();
  // What she may do in `out` isn't what she may do in `in`: only POSIX stops her now.
  SshdWorld::Run({"sed", "-i",
                  "s/^    ForceCommand internal-sftp.*/    ForceCommand internal-sftp -R/",
                  world_->include()});
  ExpectDriftThatHeals(AllOf(HasSubstr("less access  bea"), HasSubstr("create")));
  SshdWorld::Run({"rm", world_->include()});
  ExpectDriftThatHeals(HasSubstr("the deny-all is gone"));
  EXPECT_TRUE(May("bea-in", "put /srv/clients/known_hosts " + kOut + "/new\n"));
}

TEST_P(OpenSshStory, AnEarlierMatchIsSeenAndHoldsWhatItTouches) {
  Begin();
  world_->WriteConfig("Match User bea-in\n    ForceCommand internal-sftp -R\nMatch all\n", "");
  const std::string drift = Drift();
  EXPECT_THAT(drift, HasSubstr(world_->config() + ":"));
  EXPECT_THAT(drift, HasSubstr("less access  bea"));
  EXPECT_FALSE(world_->PlanIsEmpty());
  EXPECT_THAT(world_->Postern({"plan"}).out,
              HasSubstr("a rule by other hands stands in the way: " + world_->config() + ":"));
  world_->WriteConfig("", "");
  EXPECT_TRUE(world_->PlanIsEmpty());
}

// Whoever gets the number of an account that is gone has all that the folders gave it.
TEST_P(OpenSshStory, ARecycledUidIsToldWithWhatItInherits) {
  Begin();
  std::string uid = SshdWorld::Run({"id", "-u", "bea-in"});
  uid.pop_back();
  SshdWorld::Run({"userdel", "bea-in"});
  SshdWorld::Run({"useradd", "-M", "-u", uid, "-g", "30000", "-d", kExchange, "-s",
                  "/usr/sbin/nologin", "-p", "*", "mal"});
  std::ofstream("/srv/ssh/keys/mal") << support::ReadFile("/srv/clients/one.pub");
  EXPECT_TRUE(May("mal", "get " + kIn + "/old /dev/null\n"));
  const std::string drift = Drift();
  EXPECT_THAT(drift, HasSubstr("account:mal on " + kIn));
  EXPECT_THAT(drift, HasSubstr("account nobody declared"));
  EXPECT_THAT(drift, HasSubstr("account gone"));
  // Her number is his now: she isn't made anew as him.
  world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
}

// What the tree let her do goes at once; what her session may ask for, with the session.
TEST_P(OpenSshStory, ARevocationEndsTheOpenSession) {
  Begin();
  const auto session = world_->OpenSession("bea-in", "one");
  ASSERT_TRUE(session->Alive());
  world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) +
                  SshdWorld::Person("ana", world_->KeysLine({"two"})) +
                  SshdWorld::Folder("in", kIn) + SshdWorld::Grant("person:bea", "in", R"("list")"));
  world_->ApplyAll();
  EXPECT_FALSE(session->Alive());
  EXPECT_TRUE(May("bea-in", "ls " + kIn + "\n"));
  EXPECT_FALSE(May("bea-in", "get " + kIn + "/old /dev/null\n"));
  EXPECT_FALSE(May("bea-in", "put /srv/clients/known_hosts " + kOut + "/new\n"));
  EXPECT_FALSE(May("ana-in", "ls " + kOut + "\n"));
}

TEST_P(OpenSshStory, AGroupsGrantIsOneOfEachMember) {
  Begin();
  Declare("", "[group.ops]\nmembers = [\"person:ana\", \"person:bea\"]\n" +
                  SshdWorld::Folder("ops", kExchange + "/ops") +
                  SshdWorld::Grant("group:ops", "ops", R"("list", "read")"));
  SshdWorld::MakeFolder(kExchange + "/ops");
  world_->ApplyAll();
  for (const char* login : {"ana-in", "bea-in"}) {
    EXPECT_TRUE(May(login, "get " + kExchange + "/ops/old /dev/null\n")) << login;
  }
  EXPECT_FALSE(May("ana-in", "ls " + kIn + "\n"));
}

TEST_P(OpenSshStory, InAChrootTheLoginFolderIsAll) {
  Begin({.chroot = true});
  EXPECT_TRUE(May("bea-in", "ls /in\nget /in/old /dev/null\n"));
  EXPECT_FALSE(May("bea-in", "ls /etc\n"));
  EXPECT_FALSE(May("ana-in", "ls /in\n"));
  // A folder above it that somebody else may change: sshd ends the session, and the doctor says so.
  SshdWorld::Run({"chmod", "o+w", "/srv"});
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_THAT(doctor.out + doctor.err, HasSubstr("/srv"));
  SshdWorld::Run({"chmod", "o-w", "/srv"});
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

// sshd that reads a file which it refuses ends: so it is never told to.
TEST_P(OpenSshStory, AConfigurationThatSshdRefusesIsLeftAlone) {
  Begin();
  const std::string include = support::ReadFile(world_->include());
  SshdWorld::Run({"sed", "-i", "1i NoSuchOption yes", world_->config()});
  Declare("", SshdWorld::Grant("person:ana", "in", R"("list")"));
  const auto run = world_->Postern({"apply", "--yes"});
  EXPECT_NE(run.exit, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("NoSuchOption"));
  EXPECT_EQ(support::ReadFile(world_->include()), include);
  EXPECT_TRUE(world_->LetsIn("bea-in", "one")) << "it goes on with what it has";
  SshdWorld::Run({"sed", "-i", "1d", world_->config()});
  world_->ApplyAll();
  EXPECT_TRUE(May("ana-in", "ls " + kIn + "\n"));
}

TEST_P(OpenSshStory, WithoutTheIncludeLineNothingIsOpenedAndTheDoctorSaysTheLine) {
  Begin();
  EXPECT_EQ(world_->Postern({"providers", "doctor"}).exit, 0)
      << world_->Postern({"providers", "doctor"}).out;
  SshdWorld::Run({"sed", "-i", "/^Include/d", world_->config()});
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_NE(doctor.exit, 0);
  EXPECT_THAT(doctor.out + doctor.err, HasSubstr("Include " + world_->include()));
  world_->Declare(SshdWorld::Person("new", world_->KeysLine({"two"})));
  EXPECT_NE(world_->Postern({"apply", "--yes"}).exit, 0);
  EXPECT_FALSE(world_->LetsIn("new-in", "two"));
}

}  // namespace
}  // namespace postern::live
