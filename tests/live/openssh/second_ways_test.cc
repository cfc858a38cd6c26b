// Folders with more than one path, by links and bind mounts, at two daemons: what real clients get
// by the second path is what plan and drift say of the one that counts.
#include <gmock/gmock.h>

#include "tests/live/openssh/two_servers.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kDoor = kIn + "/door";  // to kOut

class WaysWorld : public TwoServers {
 protected:
  // In the test's own mount namespace.
  void Mount(const std::string& from, const std::string& at) {
    SshdWorld::Run({"mkdir", "-p", at});
    SshdWorld::Run({"mount", "--bind", from, at});
    mounts_.push_back(at);
  }
  void TearDown() override {
    for (auto at = mounts_.rbegin(); at != mounts_.rend(); ++at) SshdWorld::Run({"umount", *at});
  }
  static void Link(const std::string& target, const std::string& path) {
    SshdWorld::Run({"ln", "-s", target, path});
  }
  // Somebody lets bea into kOut by hand, below the daemons.
  void LetIn(const std::string& who, const std::string& bits) {
    SshdWorld::Run({"setfacl", "-m", "u:" + who + ":" + bits, kOut});
    SshdWorld::Run({"setfacl", "-m", "u:" + who + ":r", kOut + "/order"});
  }
  std::string Drift() const {
    const auto drift = world_->Postern({"drift", "--detail"});
    // Lines are broken at blanks: here they aren't.
    std::string text;
    for (const char c : drift.out) {
      if (c == '\n' || c == ' ') {
        if (!text.empty() && text.back() != ' ') text += ' ';
      } else {
        text += c;
      }
    }
    return text;
  }
  void DeclareBea(const std::string& rights, const std::string& more,
                  const std::string& who = "person:bea") const {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) + AtFtp("bea") +
                    "[person.cal]\n" + AtFtp("cal") + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Folder("out", kOut) + SshdWorld::Grant(who, "in", rights) +
                    kCalGrant + more);
  }
  // `listed`: a folder that the account may list, which curl asks for beside.
  bool FtpDeletes(const std::string& login, const std::string& path,
                  const std::string& listed = kIn + "/") const {
    return Ftp(login, {"-l", "-Q", "DELE " + path, Url(listed)});
  }

  std::vector<std::string> mounts_;
};

class SecondWaysLive : public WaysWorld {
 protected:
  void SetUp() override {
    WaysWorld::SetUp();
    EXPECT_TRUE(FtpPuts("cal-ftp", kOut + "/order"));
  }
};

TEST_F(SecondWaysLive, AMountInARootGivesWhatTheFoldersLet) {
  Mount(kOut, kDoor);
  EXPECT_FALSE(FtpGets("bea-ftp", kDoor + "/order"));
  EXPECT_FALSE(SftpGets(kDoor + "/order"));
  EXPECT_TRUE(world_->PlanIsEmpty()) << "one folder is fitted to one path";
  EXPECT_THAT(Drift(), HasSubstr("No drift")) << "the folders keep bea out";

  LetIn(UidAtFtp("bea-ftp"), "rx");
  EXPECT_TRUE(FtpGets("bea-ftp", kDoor + "/order"));
  EXPECT_FALSE(FtpGets("bea-ftp", kOut + "/order")) << "the daemon's rules are by path";
  EXPECT_THAT(Drift(), AllOf(HasSubstr("more access"), HasSubstr("bea"),
                             HasSubstr("also has list, read on " + kOut + " (by " + kDoor + ")")));
}

TEST_F(SecondWaysLive, ARootsFolderMountedOutsideIsNotUnderItsRules) {
  Mount(kOut, "/srv/aside");
  EXPECT_THAT(Drift(), Not(HasSubstr("bea"))) << "the folders keep her out";
  LetIn(UidAtFtp("bea-ftp"), "rx");
  EXPECT_TRUE(FtpGets("bea-ftp", "/srv/aside/order"));
  EXPECT_THAT(Drift(),
              AllOf(HasSubstr("bea also has list, read on " + kOut), HasSubstr("(by /srv/aside)")));
}

TEST_F(SecondWaysLive, ALinkGivesDeletionAlone) {
  DeclareBea(R"("list", "read", "delete")", "", "account:bea-ftp");
  world_->ApplyAll();
  Link(kOut, kDoor);
  EXPECT_TRUE(world_->PlanIsEmpty());
  EXPECT_THAT(Drift(), HasSubstr("No drift"));
  LetIn(UidAtFtp("bea-ftp"), "rwx");
  EXPECT_FALSE(FtpGets("bea-ftp", kDoor + "/order")) << "asked for what the link leads to";
  EXPECT_THAT(Drift(), HasSubstr("also has delete on " + kOut + " (by " + kDoor + ")"));
  EXPECT_FALSE(FtpDeletes("bea-ftp", kOut + "/order"));
  EXPECT_TRUE(FtpDeletes("bea-ftp", kDoor + "/order"));
}

TEST_F(SecondWaysLive, WhatALinkLeadsOutToIsSaid) {
  SshdWorld::Run({"mkdir", "-p", "/srv/elsewhere"});
  std::ofstream("/srv/elsewhere/file") << "not managed\n";
  Link("/srv/elsewhere", kDoor);
  EXPECT_TRUE(SftpGets(kDoor + "/file"));
  EXPECT_THAT(Drift(), AllOf(HasSubstr(kDoor),
                             HasSubstr("leads out of the managed roots to "
                                       "/srv/elsewhere"),
                             HasSubstr("isn't managed")));
  EXPECT_TRUE(world_->PlanIsEmpty());
}

TEST_F(SecondWaysLive, TwoDeclaredFoldersThatAreOneAreHeld) {
  Mount(kOut, kDoor);
  DeclareBea(R"("list", "read")", SshdWorld::Folder("door", kDoor) +
                                      SshdWorld::Grant("person:bea", "door", R"("list", "read")"));
  const auto plan = world_->Postern({"plan"});
  EXPECT_THAT(plan.err + plan.out,
              AllOf(HasSubstr(kDoor + " and " + kOut + " are one folder"), HasSubstr("all.toml:")));
  world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(SftpGets(kDoor + "/order"));
  EXPECT_FALSE(FtpGets("bea-ftp", kDoor + "/order"));
}

// Sessions of the FTP daemon see /srv/exchange as "/": paths on the host are what is told.
class ChrootWays : public WaysWorld {
 protected:
  void Configure(support::Proftpd* ftp) override { ftp->WriteConfig({.default_root = true}); }
};

TEST_F(ChrootWays, AnAbsoluteLinkLeadsIntoTheChroot) {
  DeclareBea(R"("list", "read", "delete")", "", "account:bea-ftp");
  world_->ApplyAll();
  EXPECT_TRUE(FtpPuts("cal-ftp", "/out/order"));
  LetIn(UidAtFtp("bea-ftp"), "rwx");
  Link(kOut, kDoor);  // of the host: in the chroot nothing is there
  EXPECT_FALSE(FtpDeletes("bea-ftp", "/in/door/order", "/in/"));
  EXPECT_THAT(Drift(), Not(HasSubstr("also has")));
  SshdWorld::Run({"rm", kDoor});
  Link("/out", kDoor);  // of the chroot: on the host nothing is there
  EXPECT_THAT(Drift(), HasSubstr("also has delete on " + kOut + " (by " + kDoor + ")"));
  EXPECT_FALSE(FtpDeletes("bea-ftp", "/out/order", "/in/"));
  EXPECT_TRUE(FtpDeletes("bea-ftp", "/in/door/order", "/in/"));
}

// sshd's sessions see /srv/exchange as "/", too: a mount brings in what lies outside of it.
class SshChrootWays : public WaysWorld {
 protected:
  SshdWorld::Options Options() const override { return {.chroot = true, .servers = FtpServer()}; }
};

TEST_F(SshChrootWays, PathsOfAChrootAreToldAsTheHosts) {
  EXPECT_TRUE(FtpPuts("cal-ftp", kOut + "/order"));
  EXPECT_TRUE(SftpGets("/in/old"));
  EXPECT_FALSE(SftpGets(kIn + "/old")) << "no such path in the chroot";
  Link("/out", kDoor);
  EXPECT_FALSE(SftpGets("/in/door/order"));
  const std::string uid = SshdWorld::Run({"id", "-u", "bea-in"});
  LetIn(uid.substr(0, uid.find('\n')), "rx");
  EXPECT_TRUE(SftpGets("/in/door/order")) << "by the link, inside the chroot";
  EXPECT_THAT(Drift(), AllOf(HasSubstr("more access bea"), HasSubstr("on " + kOut),
                             HasSubstr("added at sftp")));
}

}  // namespace
}  // namespace postern::live
