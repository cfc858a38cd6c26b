// Held imports and their release by a second person, over real signatures of ssh-keygen; and
// imports into an IAM system.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <pwd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

using nlohmann::json;
using support::RunResult;
using support::Slapd;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// {CRYPT}!, where no policy of the directory locks.
constexpr char kLock[] = "userPassword:: e0NSWVBUfSE=";
constexpr char kWhy[] = "their night shift's contract ended";

std::string LoginName() {
  const passwd* user = getpwuid(geteuid());  // NOLINT(concurrency-mt-unsafe): one thread
  return user == nullptr ? "" : user->pw_name;
}

// Who releases: zoe; and whoever runs this test, under his login, as person:starter.
class Release : public testing::Test {
 protected:
  Release() : place_("sftp"), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    zoe_ = MakeKey(bench_.scratch.File("zoe"));
    starter_ = MakeKey(bench_.scratch.File("starter"));
    MakeKey(bench_.scratch.File("eve"));  // known to nobody
    bench_.operators = fmt::format(R"([releaser.zoe]
for = "person:zoe"
keys = ["{}"]
[releaser.starter]
for = "person:{}"
keys = ["{}"]
)",
                                   zoe_, LoginName(), starter_);
    bench_.tree = fmt::format("[person.{}]\n", LoginName());
  }

  RunResult Text(const std::string& run) {
    return bench_.Postern({"job", "release", "acme", run, "--reason", kWhy});
  }
  // The signature of `who` over the text that the command prints for the run, in a file.
  std::string Signed(const std::string& who, const std::string& run) {
    const RunResult text = Text(run);
    EXPECT_EQ(text.exit, kOk) << text.err;
    EXPECT_THAT(text.out, HasSubstr("run " + run));
    return SignedText(who, text.out);
  }
  std::string SignedText(const std::string& who, const std::string& text,
                         const std::string& space = "postern-release") {
    const std::string file = bench_.scratch.Write(fmt::format("text{}", ++texts_), text);
    const RunResult made = support::RunCommand(
        {"ssh-keygen", "-Y", "sign", "-n", space, "-f", bench_.scratch.File(who), file});
    EXPECT_EQ(made.exit, 0) << made.err;
    return file + ".sig";
  }
  RunResult Try(const std::string& run, const std::string& signature,
                const std::string& why = kWhy) {
    return bench_.Postern(
        {"job", "release", "acme", run, "--reason", why, "--signature", signature});
  }

  jobs::LivePlace place_;
  ImportBench bench_;
  std::string zoe_, starter_;
  int texts_ = 0;
};

class DirectoryRelease : public Release {
 protected:
  DirectoryRelease() : slapd_(ImportBench::DirectoryOptions()) {
    bench_.To(slapd_);
    bench_.Install();
    bench_.Deliver("roster_1.csv", ImportBench::People(0, 20));
    const RunResult first = bench_.Run();
    EXPECT_EQ(first.exit, kOk) << first.out << first.err;
  }
  // A file without the first `count` of them; its held run.
  std::string Without(const std::string& name, int count) {
    bench_.Deliver(name, ImportBench::People(count, 20));
    const RunResult run = bench_.Run();
    EXPECT_EQ(run.exit, kRefused) << run.out << run.err;
    EXPECT_THAT(run.out, AllOf(HasSubstr("E0894"), HasSubstr("postern job release acme ")));
    return bench_.HeldRun(name);
  }
  bool IsLocked(const std::string& uid) {
    return slapd_.Search(ImportBench::kBase, "(uid=" + uid + ")", {"*", "+"}).find(kLock) !=
           std::string::npos;
  }

  Slapd slapd_;
};

// The same bytes under the same name may come again, and ask for the same steps.
TEST_F(Release, OpensOnce) {
  Slapd slapd(ImportBench::DirectoryOptions());
  bench_.To(slapd);
  bench_.pattern = "roster.csv";
  bench_.Install();
  // The first `changed` of 20 with another address.
  const auto deliver = [&](int changed) {
    std::string rows = "ID,UID,MAIL\r\n";
    for (int i = 0; i < 20; ++i) {
      rows += fmt::format("A{0},u{0},{1}{0}@acme.test\r\n", i, i < changed ? "v" : "u");
    }
    bench_.Deliver("roster.csv", rows);
    return bench_.Run();
  };
  ASSERT_EQ(deliver(0).exit, kOk);
  ASSERT_EQ(deliver(8).exit, kRefused);
  const std::string run = bench_.HeldRun("roster.csv");
  ASSERT_EQ(Try(run, Signed("zoe", run)).exit, kOk);
  ASSERT_EQ(bench_.Run().exit, kOk);
  for (const int changed : {3, 0}) {  // back to where it was, within the thresholds
    const RunResult back = deliver(changed);
    ASSERT_EQ(back.exit, kOk) << back.out << back.err;
  }
  const RunResult again = deliver(8);
  EXPECT_EQ(again.exit, kRefused) << again.out << again.err;
  EXPECT_EQ(bench_.HeldRun("roster.csv"), run) << "the same run, held anew";
  const RunResult proof = bench_.Postern(
      {"job", "verify", "import.acme", run, "--spec", bench_.JobFolder() + "/spec.json"});
  EXPECT_EQ(proof.exit, kOk) << proof.out << proof.err;
}

TEST_F(DirectoryRelease, OnlyASecondPersonsWordOverThisRunCounts) {
  const std::string run = Without("roster_2.csv", 6);
  ASSERT_EQ(run.size(), 16u);
  EXPECT_THAT(bench_.At("rejects/roster_2.csv.summary.json"), HasSubstr("\"state\": \"held\""));
  const RunResult own = Try(run, Signed("starter", run));
  EXPECT_EQ(own.exit, kError);
  EXPECT_THAT(own.err, AllOf(HasSubstr("E0896"), HasSubstr("started this run")));
  const RunResult unknown = Try(run, Signed("eve", run));
  EXPECT_EQ(unknown.exit, kError);
  EXPECT_THAT(unknown.err, HasSubstr("of no releaser's key"));
  std::string other = Text(run).out;
  other.replace(other.find("plan "), 9, "plan 0000");
  EXPECT_EQ(Try(run, SignedText("zoe", other)).exit, kError) << "another plan's digest";
  const std::string text = Text(run).out;
  EXPECT_EQ(Try(run, SignedText("zoe", text, "file")).exit, kError) << "another namespace";
  EXPECT_EQ(bench_.Run().exit, kRefused) << "held still";
  EXPECT_FALSE(IsLocked("u0"));
  const RunResult released = Try(run, Signed("zoe", run));
  ASSERT_EQ(released.exit, kOk) << released.err;
  EXPECT_FALSE(IsLocked("u0")) << "a release carries nothing out";
  const RunResult applied = bench_.Run();
  ASSERT_EQ(applied.exit, kOk) << applied.out << applied.err;
  EXPECT_TRUE(IsLocked("u0") && IsLocked("u5"));
  EXPECT_FALSE(IsLocked("u6"));
  EXPECT_THAT(bench_.At("rejects/roster_2.csv.summary.json"),
              AllOf(HasSubstr("\"state\": \"applied\""), HasSubstr("\"disabled\": 6")));
  EXPECT_EQ(bench_.Pending(), "");
  EXPECT_EQ(bench_.Postern({"ledger", "verify"}).exit, kOk);
}

// It is signed, so that nobody can say later that it was another one.
TEST_F(DirectoryRelease, AReleaseSaysWhy) {
  const std::string run = Without("roster_2.csv", 6);
  ASSERT_EQ(run.size(), 16u);
  const RunResult without = bench_.Postern({"job", "release", "acme", run});
  EXPECT_EQ(without.exit, kError);
  EXPECT_EQ(without.out, "");
  EXPECT_THAT(without.err, AllOf(HasSubstr("E0896"), HasSubstr("a release says why"),
                                 HasSubstr("postern job release acme " + run + " --reason")));
  const std::string signature = Signed("zoe", run);
  const RunResult bare = bench_.Postern({"job", "release", "acme", run, "--signature", signature});
  EXPECT_EQ(bare.exit, kError) << "nor with a signature";
  EXPECT_THAT(Try(run, signature, "another reason").err, HasSubstr("plan and reason"));
  EXPECT_EQ(Try(run, signature).exit, kOk);
}

// As E0884 tells root to: the run is the runner's user's, and person:zoe had it run.
TEST_F(DirectoryRelease, WhoHadItRunBySudoIsntASecondPerson) {
  bench_.Deliver("roster_2.csv", ImportBench::People(6, 20));
  ASSERT_EQ(bench_.Run({"env", "SUDO_USER=zoe"}).exit, kRefused);
  const std::string run = bench_.HeldRun("roster_2.csv");
  ASSERT_EQ(run.size(), 16u);
  EXPECT_THAT(Text(run).err, HasSubstr("for zoe@"));
  EXPECT_THAT(Try(run, Signed("zoe", run)).err, HasSubstr("person:zoe started this run"));
  // Whom the environment names is never believed in place of who it is.
  EXPECT_THAT(Try(run, Signed("starter", run)).err, HasSubstr("started this run"));
  // Looked at anew by somebody else, the same plan is still one that zoe had started.
  ASSERT_EQ(bench_.Run({"env", "SUDO_USER=nobody"}).exit, kRefused);
  EXPECT_EQ(Try(run, Signed("zoe", run)).exit, kError);
  EXPECT_FALSE(IsLocked("u0"));
}

// What was released was looked at: when the plan of the same file is another, it is held anew.
TEST_F(DirectoryRelease, AReleaseIsOfOnePlan) {
  const std::string run = Without("roster_2.csv", 6);
  ASSERT_EQ(run.size(), 16u);
  const std::string signature = Signed("zoe", run);
  ASSERT_EQ(Try(run, signature).exit, kOk);
  slapd_.Modify(fmt::format("dn: uid=u0,{}\nchangetype: delete\n", ImportBench::kBase));
  const RunResult again = bench_.Run();
  EXPECT_EQ(again.exit, kRefused) << again.out;
  EXPECT_FALSE(IsLocked("u1"));
  // A later run of another file doesn't go by it either.
  bench_.Deliver("roster_2.csv", ImportBench::People(7, 20));
  EXPECT_EQ(bench_.Run().exit, kRefused);
  const std::string other = bench_.HeldRun("roster_2.csv");
  EXPECT_EQ(Try(other, signature).exit, kError);
}

// A role asks for what a partner's file says: its writer would choose who has access.
class RoleRelease : public Release {
 protected:
  RoleRelease() : slapd_(ImportBench::DirectoryOptions()) {
    bench_.To(slapd_);
    bench_.host =
        "manage = { roots = [\"/srv/x\"], accounts = \"all\" }\n"
        "limits = { lose_people = 100, lose_percent = 100, change_percent = 100 }\n";
    bench_.operators +=
        "[server.edge]\nhost = \"here\"\nproduct = \"proftpd\"\n"
        "uids = { from = 30000, to = 39999, gid = 30000 }\n";
    bench_.tree += R"([folder.secrets]
host = "here"
path = "/srv/x/secrets"
[role.admins]
owner = "person:li"
members = [{ directory = "corp", where = { mail = "boss@acme.test" } }]
account = { servers = ["edge"], home = "/srv/x" }
rows = [{ folder = "secrets", rights = ["list", "read", "delete"] }]
)";
  }
  void Begin(const std::string& more = "") {
    bench_.more = "thresholds = { change_percent = 100 }\n" + more;
    bench_.Install();
    bench_.Deliver("roster_1.csv", ImportBench::People(0, 3));
    const RunResult first = bench_.Run();
    ASSERT_EQ(first.exit, kOk) << first.out << first.err;
  }
  // The file in which u1 has the mail that the role asks for.
  RunResult Boss(const std::string& name) {
    bench_.Deliver(name,
                   "ID,UID,MAIL\r\nA0,u0,u0@acme.test\r\nA1,u1,Boss@acme.test\r\n"
                   "A2,u2,two@acme.test\r\n");
    return bench_.Run();
  }
  bool HasAccess() {
    return bench_.Postern({"access", "what", "u1", "--live"}).out.find("/srv/x/secrets") !=
           std::string::npos;
  }

  Slapd slapd_;
};

TEST_F(RoleRelease, ARoleByAFilesFactsWaitsForASecondPerson) {
  Begin();
  for (int i = 0; i < 2; ++i) {
    const RunResult held = Boss("roster_2.csv");
    EXPECT_EQ(held.exit, kRefused) << held.err;
    EXPECT_THAT(held.out,
                AllOf(HasSubstr("E0894 acme.a1 would come into role \"admins\" by column MAIL: "
                                "acme.a1 is in boss@acme.test (mail)"),
                      HasSubstr("edge/u1"), HasSubstr("postern job release acme ")));
    EXPECT_FALSE(HasAccess());
  }
  EXPECT_THAT(bench_.At("rejects/roster_2.csv.summary.json"),
              AllOf(HasSubstr("\"state\": \"held\""), Not(HasSubstr("admins"))));
  // Nor does it come by an operator's apply, which knows nothing of a held file.
  EXPECT_EQ(bench_.Pending(), "");
  EXPECT_EQ(bench_.Postern({"apply", "--yes"}).exit, kOk);
  EXPECT_FALSE(HasAccess());
  EXPECT_THAT(slapd_.Search(ImportBench::kBase, "(uid=u2)"), HasSubstr("u2@acme.test"));

  const std::string run = bench_.HeldRun("roster_2.csv");
  EXPECT_EQ(Try(run, Signed("starter", run)).exit, kError);
  ASSERT_EQ(Try(run, Signed("zoe", run)).exit, kOk);
  const RunResult released = bench_.Run();
  ASSERT_EQ(released.exit, kOk) << released.out << released.err;
  EXPECT_TRUE(HasAccess());
  EXPECT_EQ(bench_.Pending(), "");

  // What a file takes away waits for nobody.
  bench_.Deliver("roster_3.csv", ImportBench::People(0, 3));
  const RunResult left = bench_.Run();
  EXPECT_EQ(left.exit, kOk) << left.out << left.err;
  EXPECT_FALSE(HasAccess());
  EXPECT_EQ(bench_.Pending(), "");
}

TEST_F(RoleRelease, IntoARoleThatIsAllowedAFileBringsPeopleItself) {
  Begin("roles = [\"admins\"]\n");
  const RunResult run = Boss("roster_2.csv");
  EXPECT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_TRUE(HasAccess());
  EXPECT_EQ(bench_.Pending(), "");
}

// What a role gives to people whom a file brought long ago is the tree's to say.
TEST_F(RoleRelease, ARoleThatComesLaterIsThePlansOfWhoDeclaresIt) {
  const std::string tree = bench_.tree;
  bench_.tree = tree.substr(0, tree.find("[folder.secrets]"));
  Begin();
  ASSERT_EQ(Boss("roster_2.csv").exit, kOk);
  bench_.tree = tree;
  bench_.WriteTree();
  EXPECT_THAT(bench_.Pending(), HasSubstr("u1"));
  bench_.Deliver("roster_3.csv", ImportBench::People(0, 4));
  const RunResult run = bench_.Run();
  EXPECT_EQ(run.exit, kRefused);
  EXPECT_THAT(run.out, HasSubstr("E0898 other changes than its file's wait")) << "not taken along";
  EXPECT_FALSE(HasAccess());
}

class IamRelease : public Release {
 protected:
  IamRelease() : server_({.users = 5, .groups = 1}) {
    bench_.To(server_);
    bench_.Install();
  }
  // The user as the server has it; null: there is none.
  json User(const std::string& name) {
    const json found =
        server_.Call("GET", "/Users?filter=userName%20eq%20%22" + name + "%22").Json();
    return found["Resources"].empty() ? json() : found["Resources"][0];
  }

  support::ScimServer server_;
};

TEST_F(IamRelease, MakesChangesAndLetsLeave) {
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 20));
  const RunResult first = bench_.Run();
  ASSERT_EQ(first.exit, kOk) << first.out << first.err;
  ASSERT_FALSE(User("u3").is_null());
  EXPECT_EQ(User("u3")["externalId"], "A3");
  EXPECT_EQ(bench_.Pending(), "");
  EXPECT_FALSE(User("u000001").is_null()) << "whom others made stay";
  std::string changed = ImportBench::People(1, 20);  // u0 has left
  const size_t mail = changed.find("u3@acme.test");
  changed.replace(mail, 2, "three");
  bench_.Deliver("roster_2.csv", changed);
  const RunResult second = bench_.Run();
  ASSERT_EQ(second.exit, kOk) << second.out << second.err;
  EXPECT_EQ(User("u3")["emails"][0]["value"], "three@acme.test");
  EXPECT_EQ(User("u0")["active"], false);
  EXPECT_EQ(User("u1").value("active", true), true);
  EXPECT_EQ(bench_.Pending(), "");
  EXPECT_EQ(bench_.Postern({"drift"}).exit, kOk);

  bench_.Deliver("roster_3.csv", ImportBench::People(8, 20));
  EXPECT_EQ(bench_.Run().exit, kRefused);
  EXPECT_EQ(User("u2").value("active", true), true);
  const std::string run = bench_.HeldRun("roster_3.csv");
  ASSERT_EQ(run.size(), 16u);
  EXPECT_EQ(Try(run, Signed("starter", run)).exit, kError);
  ASSERT_EQ(Try(run, Signed("zoe", run)).exit, kOk);
  const RunResult released = bench_.Run();
  ASSERT_EQ(released.exit, kOk) << released.out << released.err;
  EXPECT_EQ(User("u2")["active"], false);
  EXPECT_EQ(User("u7")["active"], false);
  EXPECT_EQ(bench_.Pending(), "");
}

}  // namespace
}  // namespace postern::cmd
