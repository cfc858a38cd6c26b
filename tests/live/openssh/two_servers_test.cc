// An sshd and a ProFTPD on one host, over the same folders: what one server's rows want of modes
// and ACLs never takes the other's accounts' access away, and a hole in the folders is seen at
// both.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/live/openssh/world.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/proftpd.h"

namespace postern::live {
namespace {

using support::RunCommand;
using testing::AllOf;
using testing::HasSubstr;

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class TwoServers : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Machine::Get().entered());
    // Accounts of a host are marked by a group, at each of its servers.
    ftp_.WriteGroups({{"ftpusers", 40000, {}}});
    world_ =
        std::make_unique<SshdWorld>(SshdWorld::Options{.chroot = chroot_, .servers = FtpServer()});
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    ASSERT_TRUE(world_->Start());
    ASSERT_TRUE(ftp_.Start());
    std::ofstream("/srv/clients/file") << "an order\n";
    Declare(kCalGrant);
    world_->ApplyAll();
  }

  std::string FtpServer() const {
    std::string start;
    for (const std::string& word : ftp_.StartCommand()) {
      if (word != "-n") start += (start.empty() ? "\"" : ", \"") + word + "\"";
    }
    return fmt::format(R"(
[server.ftp]
host = "edge"
product = "proftpd"
config = "{}"
include = "{}"
uids = {{ from = 40000, to = 49999, gid = 40000 }}
control = {{ pidfile = "{}", start = [{}] }}
)",
                       ftp_.config_path(), ftp_.include_path(), ftp_.pid_path(), start);
  }

  static std::string AtFtp(const std::string& name) {
    return fmt::format(
        "[account.{0}-ftp]\nfor = \"person:{0}\"\nserver = \"ftp\"\nhome = \"{1}\"\n"
        "password = \"secret:pw\"\n",
        name, kExchange);
  }
  // bea is at both servers, cal at the FTP server alone.
  void Declare(const std::string& more) const {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) + AtFtp("bea") +
                    "[person.cal]\n" + AtFtp("cal") + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:bea", "in", R"("list", "read")") + more);
  }
  bool Ftp(const std::string& login, std::vector<std::string> words) const {
    words.insert(words.begin(),
                 {"curl", "-sS", "--max-time", "20", "--ftp-method", "nocwd", "-K", "-"});
    return RunCommand(words, fmt::format("user = \"{}:correct horse\"\n", login)).exit == 0;
  }
  std::string Url(const std::string& path) const {
    return fmt::format("ftp://127.0.0.1:{}/%2F{}", ftp_.ftp_port(), path.substr(1));
  }
  bool FtpGets(const std::string& login, const std::string& path) const {
    return Ftp(login, {Url(path)});
  }
  bool FtpPuts(const std::string& login, const std::string& path) const {
    return Ftp(login, {"-T", "/srv/clients/file", Url(path)});
  }
  bool SftpGets(const std::string& path) const {
    return world_->Sftp("bea-in", "one", "get " + path + " /dev/null\n").exit == 0;
  }
  std::string UidAtFtp(const std::string& login) const {
    const std::string text = "\n" + support::ReadFile(ftp_.passwd_path());
    const size_t at = text.find("\n" + login + ":");
    EXPECT_NE(at, std::string::npos) << text;
    const size_t colon = text.find(':', text.find(':', at) + 1);
    return text.substr(colon + 1, text.find(':', colon + 1) - colon - 1);
  }

  bool chroot_ = false;
  const std::string kCalGrant = SshdWorld::Grant(
      "person:cal", "out", R"("list", "create", "delete", "rename", "mkdir", "rmdir")");
  support::Scratch scratch_;
  support::Proftpd ftp_{scratch_};
  std::unique_ptr<SshdWorld> world_;
};

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

class TwoServersChroot : public TwoServers {
 protected:
  TwoServersChroot() { chroot_ = true; }
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
