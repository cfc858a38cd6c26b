// A roster's way into a real directory: planned, held, released, applied; and what plan says then.
// The sender's place is a folder.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cmd/postern/exit_code.h"
#include "cmd/postern/import_run.h"
#include "core/jobs/files.h"
#include "tests/support/command.h"
#include "tests/support/folder_place.h"
#include "tests/support/scratch.h"
#include "tests/support/slapd.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;
using support::Slapd;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kBase[] = "ou=acme,dc=example,dc=org";
// {CRYPT}!, where no policy of the directory locks.
constexpr char kLock[] = "userPassword:: e0NSWVBUfSE=";

Slapd::Options WithBase() {
  Slapd::Options options;
  options.ldif = fmt::format("dn: {}\nobjectClass: organizationalUnit\nou: acme\n\n", kBase) +
                 Slapd::PersonLdif("li");
  return options;
}

class LiveImport : public testing::Test {
 protected:
  LiveImport() : slapd_(WithBase()), place_(scratch_.Folder("place")) {
    for (const char* folder : {"place/hr", "place/rejects", "place/done", "state"}) {
      scratch_.Folder(folder, 0700);
    }
    EXPECT_EQ(Command({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", scratch_.File("zoe")}),
              0);
    std::string key = support::ReadFile(scratch_.File("zoe.pub"));
    key.pop_back();
    scratch_.Write("bind", Slapd::kPassword, 0600);
    scratch_.Write("operator/postern.toml", OperatorFile(key));
    WriteTree("");
    const auto installed = Postern({"apply", "--yes"});
    EXPECT_EQ(installed.exit, 0) << installed.out << installed.err;
  }

  std::string OperatorFile(const std::string& key) const {
    return fmt::format(R"(administrators = ["person:li"]
[host.here]
address = "memory:{0}/here.world"
[directory.corp]
url = "{1}"
tls = {{ start = false }}
bind = {{ dn = "{2}", password = "secret:bind" }}
manage = {{ bases = ["{3}"] }}
users_ou = "{3}"
limits = {{ lose_people = 100, lose_percent = 100, change_percent = 100 }}
[secret.bind]
from = "file:{0}/bind"
targets = ["directory:corp"]
[secret."drop"]
from = "file:{0}/bind"
[endpoint.drop]
for = "partner:acme"
protocol = "sftp"
address = "files.acme.test"
known_host = "{4}"
login = "postern"
password = "secret:drop"
[runner.here]
host = "here"
user = "jobs"
state = "{0}/state"
[releaser.zoe]
for = "person:zoe"
keys = ["{4}"]
)",
                       scratch_.path(), slapd_.url(), Slapd::kBindDn, kBase, key);
  }

  void WriteTree(const std::string& more) const {
    scratch_.Write("access/all.toml", R"([person.li]
[person.zoe]
[partner.acme]
[service_account.rosters]
owner = "person:li"
purpose = "rosters"
[import.acme]
owner = "partner:acme"
reason = "their people"
runner = "here"
as = "service:rosters"
what = "roster"
to = "directory:corp"
base = "ou=acme,dc=example,dc=org"
fetch = { from = "drop", folder = "/hr", pattern = "roster_*.csv", ready = "trigger", rejects = "/rejects", done = "/done" }
format = { type = "csv" }
columns = [{ name = "ID", to = "employee_number", required = true }, { name = "UID", to = "uid", required = true }, { name = "MAIL", to = "mail", domains = ["acme.test"] }]
may = ["create", "update", "disable"]
match = ["employee_number"]
)" + more);
  }

  static int Command(const std::vector<std::string>& words) {
    return support::RunCommand(words).exit;
  }

  support::RunResult Postern(std::vector<std::string> words) const {
    words.insert(words.begin(), POSTERN);
    words.insert(words.end(), {"--operator", scratch_.File("operator/postern.toml")});
    return support::RunCommand(words);
  }

  // People from `first` to before `end`.
  void Deliver(const std::string& name, int first, int end, const std::string& more = "") const {
    std::string text = "ID,UID,MAIL\r\n";
    for (int i = first; i < end; ++i) text += fmt::format("A{0},u{0},u{0}@acme.test\r\n", i);
    scratch_.Write("place/hr/" + name, text + more);
    scratch_.Write("place/hr/" + name + ".done", "");
  }

  int Import() const {
    Shell shell;
    shell.globals.operator_file = scratch_.File("operator/postern.toml");
    shell.globals.quiet = true;
    const std::string folder = scratch_.File("state/jobs/import.acme");
    EXPECT_TRUE(jobs::MakeFolder(folder));
    const auto lock = jobs::JobLock::Take(folder + "/lock");
    EXPECT_TRUE(lock);
    return RunImportJob(
        shell, "acme", base::Now(), **lock,
        [this](const config::Declarations&, const decl::Import&) -> Result<Origin> {
          return Origin{std::make_unique<support::FolderPlace>(scratch_.File("place")), {}};
        });
  }

  std::string Summary(const std::string& name) const {
    return support::ReadFile(scratch_.File("place/rejects/" + name + ".summary.json"));
  }
  std::string Entries(const std::string& filter) {
    return slapd_.Search(kBase, filter, {"*", "+"});
  }
  // "" where a plan has nothing to do and sees nobody as foreign.
  std::string Pending() const {
    const auto plan = Postern({"plan", "--detailed-exitcode"});
    return plan.exit == 0 ? "" : plan.out + plan.err;
  }
  std::string HeldRun(const std::string& name) const {
    for (const auto& entry : fs::directory_iterator(scratch_.File("state/jobs/import.acme/in"))) {
      const std::string state = support::ReadFile(entry.path().string() + "/state.json");
      if (state.find("\"held\"") == std::string::npos) continue;
      if (state.find(name) == std::string::npos) continue;
      const size_t at = state.find("\"run\": \"") + 8;
      return state.substr(at, 16);
    }
    return "";
  }

  support::Scratch scratch_;
  Slapd slapd_;
  support::FolderPlace place_;
};

TEST_F(LiveImport, FromTheFirstFileToAReleasedOne) {
  Deliver("roster_1.csv", 0, 12, "A99,root,root@acme.test\r\n");
  // One of thirteen rows is more than two per cent.
  EXPECT_EQ(Import(), kRefused);
  EXPECT_THAT(Entries("(uid=u0)"), Not(HasSubstr("uid: u0")));
  fs::remove(scratch_.File("place/hr/roster_1.csv"));
  Deliver("roster_2.csv", 0, 12);
  ASSERT_EQ(Import(), kOk);
  EXPECT_THAT(Entries("(uid=u0)"), HasSubstr("mail: u0@acme.test"));
  EXPECT_THAT(Summary("roster_2.csv"), HasSubstr("\"created\": 12"));
  EXPECT_EQ(Pending(), "");
  EXPECT_EQ(Postern({"drift"}).exit, 0) << "nobody of a roster is foreign";

  Deliver("roster_3.csv", 1, 12);  // one has left
  ASSERT_EQ(Import(), kOk);
  EXPECT_THAT(Entries("(uid=u0)"), HasSubstr(kLock));
  EXPECT_THAT(Entries("(uid=u1)"), Not(HasSubstr(kLock)));
  EXPECT_EQ(Pending(), "");

  Deliver("roster_4.csv", 4, 12);  // three more
  ASSERT_EQ(Import(), kRefused);
  EXPECT_THAT(Entries("(uid=u1)"), Not(HasSubstr(kLock)));
  const std::string run = HeldRun("roster_4.csv");
  ASSERT_EQ(run.size(), 16u);
  const auto text = Postern({"job", "release", "acme", run, "--reason", "three left"});
  ASSERT_EQ(text.exit, 0) << text.err;
  scratch_.Write("text", text.out);
  ASSERT_EQ(Command({"ssh-keygen", "-Y", "sign", "-n", "postern-release", "-f",
                     scratch_.File("zoe"), scratch_.File("text")}),
            0);
  EXPECT_NE(Postern({"job", "release", "acme", run, "--reason", "three left", "--signature",
                     scratch_.File("zoe.pub")})
                .exit,
            0);
  const auto released = Postern({"job", "release", "acme", run, "--reason", "three left",
                                 "--signature", scratch_.File("text.sig")});
  ASSERT_EQ(released.exit, 0) << released.err;
  ASSERT_EQ(Import(), kOk);
  EXPECT_THAT(Entries("(uid=u1)"), HasSubstr(kLock));
  EXPECT_EQ(Pending(), "");
  EXPECT_EQ(Postern({"ledger", "verify"}).exit, 0);
}

TEST_F(LiveImport, CarriesOutNothingButItsFile) {
  Deliver("roster_1.csv", 0, 9);
  ASSERT_EQ(Import(), kOk);
  WriteTree("[user.eve]\ndirectory = \"corp\"\ndn = \"uid=eve," + std::string(kBase) + "\"\n");
  Deliver("roster_2.csv", 0, 10);
  EXPECT_EQ(Import(), kRefused);
  EXPECT_EQ(Entries("(uid=eve)").find("uid: eve"), std::string::npos);
  EXPECT_EQ(Entries("(uid=u9)").find("uid: u9"), std::string::npos);
  const auto release = Postern({"job", "release", "acme", HeldRun("roster_2.csv")});
  EXPECT_EQ(release.exit, kError) << release.out;
  EXPECT_THAT(release.err, AllOf(HasSubstr("E0896"), HasSubstr("no release opens run"),
                                 HasSubstr("E0898 other changes than its file's wait (1)")));
  WriteTree("");
  EXPECT_EQ(Import(), kOk);
  EXPECT_THAT(Entries("(uid=u9)"), HasSubstr("uid: u9"));
}

TEST_F(LiveImport, WhomTheTreeDeclaresARosterCant) {
  WriteTree("[user.eve]\ndirectory = \"corp\"\nuid = \"u1\"\ndn = \"uid=u1," + std::string(kBase) +
            "\"\n");
  ASSERT_EQ(Postern({"apply", "--yes"}).exit, 0);
  Deliver("roster_1.csv", 0, 50);
  EXPECT_EQ(Import(), kOk);
  EXPECT_EQ(support::ReadFile(scratch_.File("place/rejects/roster_1.csv.rejects.csv")),
            "line,column,code,key,text\r\n"
            "3,,E0893,A1,its uid is that of somebody who isn't of this import\r\n");
  EXPECT_THAT(Entries("(uid=u0)"), HasSubstr("uid: u0"));
  EXPECT_THAT(Entries("(uid=u1)"), Not(HasSubstr("u1@acme.test")));
  EXPECT_EQ(Pending(), "");
}

}  // namespace
}  // namespace postern::cmd
