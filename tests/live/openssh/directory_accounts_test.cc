// Accounts that the host has from a directory through NSS: a real slapd behind nslcd, a real sshd.
// What is theirs in passwd, shadow and the directory stays byte for byte; what is the server's is
// Postern's: keys, blocks, folders, the lock and the sessions.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/live/openssh/nss.h"
#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kIn = kExchange + "/in";

class DirectoryAccounts : public testing::TestWithParam<bool> {
 protected:
  void Begin() {
    directory_ = std::make_unique<NssDirectory>();
    SshdWorld::Options options;
    options.pam = GetParam();
    options.servers = directory_->OperatorLines();
    world_ = std::make_unique<SshdWorld>(options);
    SshdWorld::MakeFolder(kIn);
    ASSERT_TRUE(world_->Start());
  }
  // bea from the directory, in the group that says who is managed.
  void BeginWithBea() {
    Begin();
    AddBea();
    Declare();
    world_->ApplyAll();
    ASSERT_TRUE(world_->LetsIn("bea", "two"));
    own_ = HostFiles();
    entry_ = Entry();
  }
  void AddBea() {
    directory_->Add("bea", 31001);
    SshdWorld::Run({"gpasswd", "-a", "bea", "ftpusers"});
  }
  void Declare(const std::string& account = "", const std::string& more = "") {
    world_->Declare(
        fmt::format("[person.bea]\n[account.bea]\nfor = \"person:bea\"\nserver = \"sftp\"\n"
                    "home = \"{}\"\nsource = \"directory:corp\"\n{}\n{}\n",
                    kExchange, world_->KeysLine({"two"}), account) +
        SshdWorld::Folder("in", kIn) + SshdWorld::Grant("person:bea", "in", R"("list", "read")") +
        more);
  }
  // Nothing of bea is declared any more.
  void DeclareNothing() { world_->Declare("[person.bea]\n" + SshdWorld::Folder("in", kIn)); }
  [[nodiscard]] bool Reads() const {
    return world_->Sftp("bea", "two", "get " + kIn + "/old /dev/null\n").exit == 0;
  }
  std::string Say(const std::vector<std::string>& words) const {
    const auto run = world_->Postern(words);
    return run.out + run.err;
  }
  static std::string HostFiles() {
    std::string text;
    for (const char* file : {"/etc/passwd", "/etc/shadow", "/etc/group"}) {
      text += support::ReadFile(file);
    }
    return text;
  }
  std::string Entry() {
    return directory_->slapd().Search(NssDirectory::Dn("bea"), "(objectClass=*)", {"*", "+"});
  }
  void ExpectNothingWritten() {
    EXPECT_EQ(HostFiles(), own_);
    EXPECT_EQ(Entry(), entry_);
  }

  std::unique_ptr<NssDirectory> directory_;
  std::unique_ptr<SshdWorld> world_;
  std::string own_, entry_;
};
// What opens and shuts them, with PAM and without; what they are on the host is the same with
// either.
class DirectoryAccountsOnAHost : public DirectoryAccounts {};
const auto kPamName = [](const auto& info) { return info.param ? "Pam" : "NoPam"; };
INSTANTIATE_TEST_SUITE_P(Pam, DirectoryAccounts, testing::Bool(), kPamName);
INSTANTIATE_TEST_SUITE_P(Pam, DirectoryAccountsOnAHost, testing::Values(true), kPamName);

TEST_P(DirectoryAccounts, AKeyAndAGrantOpenOneAndItsEntryStaysAsItIs) {
  Begin();
  AddBea();
  const std::string own = HostFiles(), entry = Entry();
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  Declare();
  world_->ApplyAll();
  EXPECT_TRUE(Reads());
  EXPECT_FALSE(world_->LetsIn("bea", "one"));
  EXPECT_NE(world_->Sftp("bea", "two", "rm " + kIn + "/old\n").exit, 0);
  EXPECT_TRUE(world_->LetsInByPassword("bea", "correct horse")) << "the directory's own way in";
  // The account of the host's own beside it was made, nothing else.
  const auto without_root = [](const std::string& text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      const std::string line = text.substr(at, end - at);
      if (line.find("root-in") == std::string::npos) out += line;
      at = end;
    }
    return out;
  };
  EXPECT_EQ(without_root(support::ReadFile("/etc/passwd")).find("bea"), std::string::npos);
  EXPECT_EQ(without_root(support::ReadFile("/etc/shadow")).find("bea"), std::string::npos);
  EXPECT_NE(own.find("bea"), std::string::npos) << "in the group alone";
  EXPECT_EQ(Entry(), entry);
}

TEST_P(DirectoryAccounts, OneThatIsNoLongerDeclaredIsShutInEveryWay) {
  BeginWithBea();
  EXPECT_TRUE(world_->LetsInByPassword("bea", "correct horse"));
  const auto session = world_->OpenSession("bea", "two");
  ASSERT_TRUE(session->Alive());
  DeclareNothing();
  const std::string plan = Say({"plan"});
  EXPECT_THAT(plan, HasSubstr("bea is shut at sftp alone"));
  world_->ApplyAll();
  EXPECT_FALSE(session->Alive()) << "the open session is ended";
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  EXPECT_FALSE(world_->LetsInByPassword("bea", "correct horse")) << "the directory still takes it";
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("DenyUsers bea"));
  ExpectNothingWritten();
  Declare();
  world_->ApplyAll();
  EXPECT_TRUE(Reads());
  ExpectNothingWritten();
}

TEST_P(DirectoryAccounts, ALockAndTheDirectorysGoInOnePlanWhereBothAreDeclared) {
  BeginWithBea();
  const auto user = [](const char* enabled) {
    return fmt::format(
        "[user.bea]\nfor = \"person:bea\"\ndirectory = \"corp\"\n"
        "surname = \"bea\"\ncommon_name = \"bea\"\nenabled = {}\n",
        enabled);
  };
  Declare("", user("true"));
  world_->ApplyAll();
  const std::string bea = NssDirectory::Dn("bea");
  EXPECT_TRUE(directory_->slapd().CanBind(bea, "correct horse"));
  Declare("enabled = false", user("true"));
  EXPECT_THAT(Say({"plan"}), AllOf(HasSubstr("bea is shut at sftp alone"),
                                   HasSubstr("in directory:corp stays enabled")));
  Declare("", user("false"));
  EXPECT_THAT(Say({"plan"}), AllOf(HasSubstr("bea is disabled in directory:corp alone"),
                                   HasSubstr("lets it in all the same")));
  const auto session = world_->OpenSession("bea", "two");
  Declare("enabled = false", user("false"));
  EXPECT_THAT(Say({"plan"}), Not(HasSubstr("alone")));
  world_->ApplyAll();
  EXPECT_FALSE(session->Alive());
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  EXPECT_FALSE(world_->LetsInByPassword("bea", "correct horse"));
  EXPECT_FALSE(directory_->slapd().CanBind(bea, "correct horse"));
  EXPECT_EQ(HostFiles(), own_);
}

TEST_P(DirectoryAccountsOnAHost, OneThatTheHostDoesNotKnowHoldsWhatHangsOnIt) {
  Begin();
  directory_->Add("bea", 31001);
  Declare("", SshdWorld::Person("ana", world_->KeysLine({"one"})) +
                  SshdWorld::Grant("person:ana", "in", R"("list")"));
  // In the directory, and not in the group: a change under review doesn't reach it.
  const std::string plan = Say({"plan"});
  EXPECT_THAT(plan, HasSubstr("the host doesn't know bea from directory:corp"));
  EXPECT_THAT(plan, HasSubstr("gpasswd -a bea ftpusers"));
  world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  EXPECT_TRUE(world_->LetsIn("ana-in", "one")) << "others aren't held";
  EXPECT_THAT(support::ReadFile(world_->include()), Not(HasSubstr("bea")));
  SshdWorld::Run({"gpasswd", "-a", "bea", "ftpusers"});
  world_->ApplyAll();
  EXPECT_TRUE(Reads());
}

// No member by name: the directory gives the group's number.
TEST_P(DirectoryAccountsOnAHost, OneThatIsInTheGroupByItsNumberAloneIsFound) {
  Begin();
  for (const char* login : {"bea", "gus"}) {
    directory_->Add(login, login[0] == 'b' ? 31001 : 31002);
    directory_->slapd().Modify("dn: " + NssDirectory::Dn(login) +
                               "\nchangetype: modify\nreplace: gidNumber\ngidNumber: 30000\n");
  }
  directory_->Add("ida", 40001);
  Declare();
  world_->ApplyAll();
  EXPECT_TRUE(Reads());
  EXPECT_THAT(support::ReadFile("/etc/group"), Not(HasSubstr("bea")));
  // Nobody declared the other one, whoever has another group is none of ours.
  const std::string drift = Say({"drift"});
  EXPECT_THAT(drift, HasSubstr("sftp/gus"));
  EXPECT_THAT(drift, Not(HasSubstr("sftp/ida")));
  DeclareNothing();
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  // With the directory down they aren't gone.
  Declare();
  world_->ApplyAll();
  directory_->StopNslcd();
  EXPECT_NE(world_->Postern({"plan", "--detailed-exitcode"}).exit, 0);
  const auto run = world_->Postern({"apply", "--yes"});
  directory_->StartNslcd();
  EXPECT_TRUE(world_->LetsIn("bea", "two")) << run.out << run.err;
  EXPECT_TRUE(world_->PlanIsEmpty());
}

TEST_P(DirectoryAccountsOnAHost, AnAccountOfTheHostsOwnBeforeItIsTold) {
  BeginWithBea();
  SshdWorld::Run({"sh", "-c",
                  "echo 'bea:x:31777:31777::/srv/exchange:/usr/sbin/nologin' >>/etc/passwd; "
                  "echo 'bea:*:19000:0:99999:7:::' >>/etc/shadow"});
  const std::string plan = Say({"plan"});
  EXPECT_THAT(plan, HasSubstr("bea stands in the host's own files, before the directory's"));
  EXPECT_THAT(Say({"providers", "doctor"}),
              HasSubstr("bea stands in /etc/passwd and in a directory (ldap) as well"));
  SshdWorld::Run({"sed", "-i", "/^bea:/d", "/etc/passwd", "/etc/shadow"});
  EXPECT_TRUE(world_->PlanIsEmpty());
}

TEST_P(DirectoryAccountsOnAHost, ADirectoryThatIsDownIsNotOneWithoutAccounts) {
  BeginWithBea();
  directory_->StopNslcd();
  DeclareNothing();
  const auto run = world_->Postern({"apply", "--yes"});
  EXPECT_THAT(run.out + run.err, HasSubstr("the directory may be down"));
  directory_->StartNslcd();
  // Not forgotten: what was to be shut still is.
  EXPECT_TRUE(world_->LetsIn("bea", "two"));
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  // And the lock outlives a change that is made while nobody answers for her.
  directory_->StopNslcd();
  world_->Declare("[person.bea]\n" + SshdWorld::Folder("in", kIn) +
                  SshdWorld::Grant("person:root", "in", R"("list")"));
  world_->Postern({"apply", "--yes"});
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("DenyUsers bea"));
  directory_->StartNslcd();
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  ExpectNothingWritten();
}

TEST_P(DirectoryAccountsOnAHost, ANameThatTheDirectoryGaveToAnotherNumberIsShutFirst) {
  BeginWithBea();
  const auto session = world_->OpenSession("bea", "two");
  directory_->slapd().Modify("dn: " + NssDirectory::Dn("bea") +
                             "\nchangetype: modify\nreplace: uidNumber\nuidNumber: 31009\n");
  EXPECT_THAT(Say({"plan"}), HasSubstr("gave the name to uid 31009, it was 31001"));
  EXPECT_EQ(world_->Postern({"apply", "--yes"}).exit, 0);
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  EXPECT_FALSE(world_->PlanIsEmpty()) << "the next plan opens it, once somebody has looked";
}

// A role gives the login to whom the directory has under it, and the ledger knows it as another's:
// nobody makes the entry anew, and nobody inherits the account.
TEST_P(DirectoryAccounts, ALoginThatIsAnotherPersonsNowIsShutAndItsRowsGo) {
  BeginWithBea();
  const auto acl = [] { return SshdWorld::Run({"getfacl", "-n", "-p", kIn}); };
  EXPECT_THAT(acl(), HasSubstr("user:31001:"));
  const auto session = world_->OpenSession("bea", "two");
  ASSERT_TRUE(session->Alive());
  world_->Declare("[person.bea]\n" + SshdWorld::Folder("in", kIn) +
                  "[role.ops]\nowner = \"person:root\"\n"
                  "members = [{ directory = \"corp\", where = { user_name = \"bea\" } }]\n"
                  "account = { servers = [\"sftp\"], login = \"{userName}\", home = \"" +
                  kExchange +
                  "\" }\n"
                  "rows = [{ folder = \"in\", rights = [\"list\", \"read\"] }]\n");
  EXPECT_THAT(Say({"plan"}),
              HasSubstr("it comes from a directory: it is locked, what it had here"));
  world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(session->Alive()) << "the open session is ended";
  EXPECT_FALSE(world_->LetsIn("bea", "two"));
  EXPECT_FALSE(world_->LetsInByPassword("bea", "correct horse"));
  EXPECT_THAT(support::ReadFile(world_->include()), HasSubstr("DenyUsers bea"));
  EXPECT_THAT(acl(), Not(HasSubstr("31001"))) << "its rows are gone";
  ExpectNothingWritten();
  // A role's account is the host's own: this one isn't, and stays shut.
  world_->Postern({"apply", "--yes"});
  EXPECT_FALSE(world_->LetsInByPassword("bea", "correct horse"));
  ExpectNothingWritten();
}

TEST_P(DirectoryAccounts, TheDoctorSaysWhetherTheDirectorysLockIsAskedFor) {
  BeginWithBea();
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_THAT(doctor.out + doctor.err,
              HasSubstr(GetParam() ? "comes in with a key" : "UsePAM is off"));
  EXPECT_NE(doctor.exit, 0);
}

}  // namespace
}  // namespace postern::live
