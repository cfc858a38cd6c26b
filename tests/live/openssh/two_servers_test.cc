// An sshd and a ProFTPD on one host, over the same folders: what one server's rows want of modes
// and ACLs never takes the other's accounts' access away, a hole in the folders is seen at both,
// and a person's access is the union of what both give.
#include "tests/live/openssh/two_servers.h"

#include <gmock/gmock.h>

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST_F(TwoServers, EachGivesWhatIsDeclaredAndNothingElse) {
  EXPECT_TRUE(SftpGets(kIn + "/old"));
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/old"));
  EXPECT_TRUE(FtpPuts("cal-ftp", kOut + "/order"));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "what cal made is cal's own";
  EXPECT_FALSE(FtpGets("cal-ftp", kIn + "/old"));
  EXPECT_FALSE(FtpPuts("bea-ftp", kOut + "/other"));
  EXPECT_FALSE(SftpGets(kOut + "/order"));
  EXPECT_FALSE(world_->Sftp("bea-in", "one", "ls " + kOut + "\n").exit == 0);
}

TEST_F(TwoServers, ARevocationAtOneLeavesTheOther) {
  const std::string entry = "user:" + UidAtFtp("cal-ftp") + ":";
  EXPECT_THAT(SshdWorld::Run({"getfacl", "-n", "-p", kOut}), HasSubstr(entry));
  Declare("");
  world_->ApplyAll();
  EXPECT_FALSE(FtpPuts("cal-ftp", kOut + "/order"));
  EXPECT_THAT(SshdWorld::Run({"getfacl", "-n", "-p", kOut}), testing::Not(HasSubstr(entry)));
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/old"));
  EXPECT_TRUE(SftpGets(kIn + "/old"));
}

// The FTP server's own rules say what they said: only the folder keeps cal out.
TEST_F(TwoServers, AnEntryTakenByHandIsLessAtTheServerWhoseAccountItWas) {
  SshdWorld::Run({"setfacl", "-x", "u:" + UidAtFtp("cal-ftp"), kOut});
  EXPECT_FALSE(FtpPuts("cal-ftp", kOut + "/order"));
  const auto drift = world_->Postern({"drift"});
  EXPECT_EQ(drift.exit, 2) << drift.out << drift.err;
  EXPECT_THAT(drift.out, AllOf(HasSubstr("cal"), HasSubstr(kOut), HasSubstr("create")));
  world_->ApplyAll();
  EXPECT_TRUE(FtpPuts("cal-ftp", kOut + "/order"));
}

// What goes at one server stays through the other, and is said so before and is so after.
TEST_F(TwoServers, WhatOneServerStillGivesIsNoLoss) {
  const auto declare = [&](const std::string& who) {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) + AtFtp("bea") +
                    "[person.cal]\n" + AtFtp("cal") + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant(who, "in", R"("list", "read")") + kCalGrant);
  };
  declare("account:bea-ftp");
  const auto less = world_->Postern({"plan"});
  EXPECT_THAT(less.out, AllOf(HasSubstr("Nobody loses or gains access"), HasSubstr("at sftp"),
                              HasSubstr("still through"), HasSubstr("server ftp")));
  world_->ApplyAll();
  EXPECT_FALSE(SftpGets(kIn + "/old"));
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/old"));
  declare("person:bea");
  const auto more = world_->Postern({"plan"});
  EXPECT_THAT(more.out, AllOf(HasSubstr("Nobody loses or gains access"),
                              HasSubstr("already through"), HasSubstr("server ftp")));
  world_->ApplyAll();
  EXPECT_TRUE(SftpGets(kIn + "/old"));
}

// An entry by hand lets the account at sshd do what the person does by FTP anyway: told with the
// server, as no more access.
TEST_F(TwoServers, AnEntryByHandForWhatTheOtherServerGivesIsNoMore) {
  world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) + AtFtp("bea") +
                  "[person.cal]\n" + AtFtp("cal") + SshdWorld::Folder("in", kIn) +
                  SshdWorld::Folder("out", kOut) +
                  SshdWorld::Grant("account:bea-ftp", "in", R"("list", "read")") +
                  SshdWorld::Grant("person:bea", "out", R"("list", "read")") + kCalGrant);
  world_->ApplyAll();
  EXPECT_FALSE(SftpGets(kIn + "/old"));
  SshdWorld::Run({"setfacl", "-R", "-m", "u:bea-in:rX", kIn});
  EXPECT_TRUE(SftpGets(kIn + "/old"));
  const auto drift = world_->Postern({"drift", "--detail"});
  EXPECT_EQ(drift.exit, 2) << drift.out << drift.err;
  EXPECT_THAT(drift.out, AllOf(HasSubstr("same access  bea"), HasSubstr("already through"),
                               testing::Not(HasSubstr("more access  bea"))));
  world_->ApplyAll();
  EXPECT_FALSE(SftpGets(kIn + "/old"));
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/old"));
}

// A chmod deep in the tree is told with the folder that it was done to, at both servers.
TEST_F(TwoServers, AHoleFarBelowIsNamed) {
  SshdWorld::MakeFolder(kIn + "/deep");
  world_->ApplyAll();
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/deep/old"));
  SshdWorld::Run({"setfacl", "-b", kIn + "/deep"});
  SshdWorld::Run({"chmod", "0700", kIn + "/deep"});
  EXPECT_FALSE(FtpGets("bea-ftp", kIn + "/deep/old"));
  EXPECT_FALSE(SftpGets(kIn + "/deep/old"));
  const auto drift = world_->Postern({"drift", "--detail"});
  EXPECT_EQ(drift.exit, 2) << drift.out << drift.err;
  for (const char* server : {"at sftp, in", "at ftp, in"}) {
    EXPECT_THAT(drift.out, HasSubstr(server)) << drift.out;
  }
  EXPECT_THAT(drift.out, HasSubstr(kIn + "/deep")) << drift.out;
  world_->ApplyAll();
  EXPECT_TRUE(FtpGets("bea-ftp", kIn + "/deep/old"));
}

class TwoServersChroot : public TwoServers {
 protected:
  SshdWorld::Options Options() const override { return {.chroot = true, .servers = FtpServer()}; }
};

// sshd ends every session whose chroot somebody else may write: the other server's grant waits.
TEST_F(TwoServersChroot, AGrantAtTheOtherServerShutsNobodysChroot) {
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  Declare(kCalGrant + SshdWorld::Grant("person:cal", "all", R"("list", "create")"));
  const auto run = world_->Postern({"apply", "--yes"});
  EXPECT_NE(run.exit, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("sshd refuses the chroot " + kExchange));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_FALSE(FtpPuts("cal-ftp", kExchange + "/order"));
  EXPECT_FALSE(world_->PlanIsEmpty()) << "what was declared isn't so";
  // What else is declared goes on, and the grant taken back leaves nothing.
  Declare(kCalGrant);
  world_->ApplyAll();
  EXPECT_TRUE(FtpPuts("cal-ftp", kOut + "/order"));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
}

}  // namespace
}  // namespace postern::live
