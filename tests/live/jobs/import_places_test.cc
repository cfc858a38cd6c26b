// Imports from senders' places that are real servers: sshd, ProFTPD in the clear and by TLS.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;
using support::RunResult;
using support::Slapd;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

void Command(const std::vector<std::string>& words) {
  const RunResult run = support::RunCommand(words);
  ASSERT_EQ(run.exit, 0) << run.err;
}

// A sender's place on a real server, and the directory that its people come to.
struct Sender {
  explicit Sender(const std::string& protocol)
      : place(protocol), slapd(ImportBench::DirectoryOptions()), bench(place) {
    EXPECT_TRUE(place.Start());
    bench.To(slapd);
  }
  std::string Uid(const std::string& uid) {
    return slapd.Search(ImportBench::kBase, "(uid=" + uid + ")", {"uid"});
  }
  bool Has(const std::string& uid) { return Uid(uid).find("uid: " + uid) != std::string::npos; }

  jobs::LivePlace place;
  Slapd slapd;
  ImportBench bench;
};

struct ImportFrom : testing::TestWithParam<const char*>, Sender {
  ImportFrom() : Sender(GetParam()) {}
};

// Two files of three are taken; each tells its sender what became of it, and is put away.
TEST_P(ImportFrom, ARealServerAndBack) {
  bench.more = "thresholds = { reject_percent = 30 }";
  bench.Install();
  bench.Deliver("roster_1.csv", ImportBench::People(0, 10,
                                                    "A90,root,root@acme.test\r\n"
                                                    "A91,u91,u91@other.test\r\n"));
  const RunResult first = bench.Run();
  ASSERT_EQ(first.exit, kOk) << first.out << first.err << place.Logs();
  EXPECT_THAT(slapd.Search(ImportBench::kBase, "(uid=u9)", {"mail"}),
              HasSubstr("mail: u9@acme.test"));
  EXPECT_THAT(bench.At("rejects/roster_1.csv.summary.json"),
              AllOf(HasSubstr("\"state\": \"applied\""), HasSubstr("\"received\": 12"),
                    HasSubstr("\"refused\": 2"), HasSubstr("\"created\": 10")));
  EXPECT_EQ(bench.At("rejects/roster_1.csv.rejects.csv"),
            "line,column,code,key,text\r\n"
            "12,UID,E0886,A90,the login root is a system's own\r\n"
            "13,MAIL,E0887,A91,u91@other.test isn't in acme.test\r\n");
  EXPECT_TRUE(bench.IsAt("done/roster_1.csv") && bench.IsAt("done/roster_1.csv.done"));
  EXPECT_FALSE(bench.IsAt("roster_1.csv") || bench.IsAt("roster_1.csv.done"));
  bench.Deliver("roster_2.csv", "ID,LOGIN\r\nA1,u1\r\n");
  const RunResult broken = bench.Run();
  EXPECT_EQ(broken.exit, kRefused) << broken.out << broken.err;
  EXPECT_THAT(bench.At("rejects/roster_2.csv.summary.json"),
              AllOf(HasSubstr("\"refused\""), HasSubstr("column LOGIN isn't declared")));
  EXPECT_FALSE(fs::exists(place.folder() + "/rejects/roster_2.csv.rejects.csv"));
  for (const auto& entry : fs::directory_iterator(place.folder() + "/rejects")) {
    EXPECT_NE(entry.path().extension(), ".part") << entry;
  }
  // The answer about a file that is sent again under its name takes the place of the first.
  fs::remove(place.folder() + "/done/roster_1.csv");
  bench.Deliver("roster_3.csv", ImportBench::People(0, 10));
  const RunResult third = bench.Run();
  EXPECT_EQ(third.exit, kOk) << third.out << third.err << place.Logs();
  EXPECT_EQ(bench.Pending(), "");
}

INSTANTIATE_TEST_SUITE_P(Places, ImportFrom, testing::Values("sftp", "ftp", "ftps"),
                         [](const auto& info) { return std::string(info.param); });

struct ImportBySftp : testing::Test, Sender {
  ImportBySftp() : Sender("sftp") {}
};
using ImportKilled = ImportBySftp;
using ImportEnded = ImportBySftp;

// Killed at each of its points; the next run ends what was begun, once.
TEST_F(ImportKilled, AnywhereItEndsTheSame) {
  bench.Install();
  int files = 0;
  for (const char* point : {"import.downloaded", "import.quarantined", "import.accepted",
                            "import.applied", "import.reported", "import.archived"}) {
    SCOPED_TRACE(point);
    const std::string name = fmt::format("roster_{}.csv", ++files);
    bench.Deliver(name, ImportBench::People(0, 5 + files));
    const RunResult killed = bench.Run({"env", fmt::format("POSTERN_KILL_POINT={}", point)});
    ASSERT_EQ(killed.signal, SIGKILL) << killed.out << killed.err;
    const RunResult again = bench.Run();
    EXPECT_EQ(again.exit, kOk) << again.out << again.err;
    EXPECT_TRUE(Has(fmt::format("u{}", 4 + files)));
    EXPECT_TRUE(bench.IsAt("done/" + name) && bench.IsAt("done/" + name + ".done"));
    EXPECT_FALSE(bench.IsAt(name));
    EXPECT_THAT(bench.At("rejects/" + name + ".summary.json"), HasSubstr("\"applied\""));
    EXPECT_EQ(bench.Pending(), "");
  }
  EXPECT_EQ(bench.Postern({"ledger", "verify"}).exit, kOk);
}

// What is left of an accepted file doesn't take along what an operator has only planned.
TEST_F(ImportKilled, WhatElseWaitsWaits) {
  bench.Install();
  bench.Deliver("roster_1.csv", ImportBench::People(0, 5));
  ASSERT_EQ(bench.Run({"env", "POSTERN_KILL_POINT=import.accepted"}).signal, SIGKILL);
  bench.tree = "[user.eve]\ndirectory = \"corp\"\nfor = \"person:li\"\n";
  bench.WriteTree();
  const RunResult waits = bench.Run();
  EXPECT_EQ(waits.exit, kPartly) << waits.out << waits.err;
  EXPECT_THAT(waits.out, AllOf(HasSubstr("accepted"), HasSubstr("E0898 other changes than its")));
  EXPECT_FALSE(Has("eve") || Has("u0"));
  bench.tree.clear();
  bench.WriteTree();
  const RunResult ends = bench.Run();
  EXPECT_EQ(ends.exit, kOk) << ends.out << ends.err;
  EXPECT_TRUE(Has("u0") && !Has("eve"));
}

// The sender has put another file in its place meanwhile, and it isn't held by the first one's
// rest.
TEST_F(ImportKilled, WhatIsLeftOfAFileHoldsNoLaterOne) {
  bench.Install();
  bench.Deliver("roster_1.csv", ImportBench::People(0, 5));
  ASSERT_EQ(bench.Run({"env", "POSTERN_KILL_POINT=import.accepted"}).signal, SIGKILL);
  fs::remove(place.folder() + "/roster_1.csv");
  bench.Deliver("roster_2.csv", ImportBench::People(0, 6));
  const RunResult run = bench.Run();
  EXPECT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_TRUE(Has("u0") && Has("u5"));
  EXPECT_EQ(bench.Pending(), "");
}

TEST_F(ImportEnded, TakesNothing) {
  bench.Install();
  bench.more = "expires = 2020-01-01";
  bench.WriteTree();
  bench.Deliver("roster_1.csv", ImportBench::People(0, 3));
  const RunResult run = bench.Run();
  EXPECT_EQ(run.exit, kOk) << run.err;
  EXPECT_THAT(run.out, HasSubstr("import acme ended on 2020-01-01"));
  EXPECT_TRUE(bench.IsAt("roster_1.csv"));
}

// A sender's key and the receiver's, each in a home of its own.
class Sealed : public ImportBySftp {
 protected:
  Sealed() {
    home_ = bench.scratch.Folder("state/gpg", 0700);
    theirs_ = bench.scratch.Folder("theirs", 0700);
    sender_ = Make(theirs_, "hr@acme.test");
    receiver_ = Make(home_, "rosters@here.test");
    Share(theirs_, home_, sender_);
    Share(home_, theirs_, receiver_);
  }
  ~Sealed() override {
    for (const std::string& home : {home_, theirs_}) {
      support::RunCommand({"gpgconf", "--homedir", home, "--kill", "all"});
    }
  }

  static RunResult Gpg(const std::string& home, std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--trust-model",
                  "always", "--pinentry-mode", "loopback", "--passphrase", ""});
    RunResult run = support::RunCommand(words);
    EXPECT_EQ(run.exit, 0) << run.err;
    return run;
  }
  // The new key's fingerprint.
  static std::string Make(const std::string& home, const std::string& who) {
    constexpr std::string_view kMade = "KEY_CREATED B ";
    const std::string said = Gpg(home, {"--status-fd", "1", "--quick-generate-key", who,
                                        "future-default", "default", "never"})
                                 .out;
    const size_t at = said.find(kMade);
    EXPECT_NE(at, std::string::npos) << said;
    return at == std::string::npos ? "" : said.substr(at + kMade.size(), 40);
  }
  void Share(const std::string& from, const std::string& to, const std::string& key) const {
    const std::string file =
        bench.scratch.Write("key", Gpg(from, {"--armor", "--export", key}).out);
    Gpg(to, {"--import", file});
  }
  // What gpg makes of the text, with `how`.
  std::string Made(const std::string& text, std::vector<std::string> how) const {
    const std::string in = bench.scratch.Write("in", text), out = bench.scratch.File("out");
    how.insert(how.begin(), {"--local-user", sender_, "--output", out});
    how.push_back(in);
    Gpg(theirs_, how);
    return support::ReadFile(out);
  }
  // Whether anything in the job's folder has this text in the clear.
  bool Kept(const std::string& text) const {
    for (const auto& entry : fs::recursive_directory_iterator(bench.JobFolder())) {
      if (entry.is_regular_file() &&
          support::ReadFile(entry.path()).find(text) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  std::string home_, theirs_, sender_, receiver_;
};

TEST_F(Sealed, ADetachedSignatureMustBeItsSenders) {
  bench.endpoint = fmt::format("signed_by = \"{}\"\ngpg_home = \"{}\"\n", sender_, home_);
  bench.pattern = "roster_?.csv";
  bench.Install();
  const std::string text = ImportBench::People(0, 3);
  bench.Deliver("roster_1.csv", text);
  const RunResult without = bench.Run();
  EXPECT_EQ(without.exit, kRefused);
  EXPECT_THAT(without.out, HasSubstr("E0868 there is no signature"));
  bench.Deliver("roster_1.csv.sig", Made(text + "A9,u9,u9@acme.test\r\n", {"--detach-sign"}));
  const RunResult wrong = bench.Run();
  EXPECT_EQ(wrong.exit, kRefused);
  EXPECT_THAT(wrong.out, HasSubstr("E0868 roster_1.csv has a signature that doesn't hold"));
  EXPECT_THAT(Uid("u0"), Not(HasSubstr("uid: u0")));
  bench.Deliver("roster_1.csv.sig", Made(text, {"--detach-sign"}));
  const RunResult right = bench.Run();
  EXPECT_EQ(right.exit, kOk) << right.out << right.err;
  EXPECT_THAT(Uid("u0"), HasSubstr("uid: u0"));
  EXPECT_TRUE(bench.IsAt("done/roster_1.csv.sig"));
}

TEST_F(Sealed, AnotherKeyOfTheHomeDoesntCount) {
  bench.endpoint = fmt::format("signed_by = \"{}\"\ngpg_home = \"{}\"\n", receiver_, home_);
  bench.pattern = "roster_?.csv";
  bench.Install();
  const std::string text = ImportBench::People(0, 3);
  bench.Deliver("roster_1.csv.asc", Made(text, {"--armor", "--detach-sign"}));
  bench.Deliver("roster_1.csv", text);
  const RunResult run = bench.Run();
  EXPECT_EQ(run.exit, kRefused);
  EXPECT_THAT(run.out, HasSubstr("is signed by " + sender_));
}

TEST_F(Sealed, AMessageOfOpenPgpIsOpenedAndItsSignatureInsideCounts) {
  bench.endpoint = fmt::format("signed_by = \"{}\"\ngpg_home = \"{}\"\n", sender_, home_);
  bench.pattern = "roster_?.csv.gpg";
  bench.Install();
  bench.Deliver("roster_1.csv.gpg",
                Made(ImportBench::People(0, 3), {"--recipient", receiver_, "--encrypt"}));
  const RunResult unsigned_ = bench.Run();
  EXPECT_EQ(unsigned_.exit, kRefused);
  EXPECT_THAT(unsigned_.out, HasSubstr("E0868 roster_1.csv.gpg isn't signed"));
  bench.Deliver("roster_1.csv.gpg",
                Made(ImportBench::People(0, 3), {"--recipient", receiver_, "--encrypt", "--sign"}));
  const RunResult run = bench.Run();
  ASSERT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_THAT(Uid("u2"), HasSubstr("uid: u2"));
  EXPECT_FALSE(Kept("u2@acme.test")) << "in the clear on the runner";
  // A little that becomes a lot: 64 MiB in about 64 KiB.
  bench.more = "limits = { megabytes = 1 }";
  bench.Install();
  const std::string bomb(size_t{64} << 20, 'x');
  bench.Deliver("roster_2.csv.gpg", Made(ImportBench::People(0, 3, bomb),
                                         {"--recipient", receiver_, "--encrypt", "--sign"}));
  ASSERT_LT(fs::file_size(place.folder() + "/roster_2.csv.gpg"), 1u << 20);
  const RunResult bombed = bench.Run();
  EXPECT_EQ(bombed.exit, kRefused) << bombed.out << bombed.err;
  EXPECT_THAT(bombed.out, HasSubstr("E0895"));
}

TEST_F(Sealed, AgeIsOpenedByTheJobsIdentity) {
  bench.pattern = "roster_?.csv.age";
  bench.Install();
  const std::string identity = bench.JobFolder() + "/age.key";
  const std::string in = bench.scratch.Write("in", ImportBench::People(0, 3));
  const std::string elsewhere = bench.scratch.File("identity"), out = bench.scratch.File("out");
  Command({"age-keygen", "-o", elsewhere});
  const std::string key = support::ReadFile(elsewhere);
  Command({"age", "--recipient", key.substr(key.find("age1"), 62), "--output", out, in});
  bench.Deliver("roster_1.csv.age", support::ReadFile(out));
  const RunResult without = bench.Run();
  EXPECT_EQ(without.exit, kError) << without.out;
  EXPECT_THAT(without.err, HasSubstr("age.key"));
  fs::copy_file(elsewhere, identity);
  const RunResult run = bench.Run();
  ASSERT_EQ(run.exit, kOk) << run.out << run.err;
  EXPECT_THAT(Uid("u2"), HasSubstr("uid: u2"));
  EXPECT_FALSE(Kept("u2@acme.test")) << "in the clear on the runner";
  std::string cut = support::ReadFile(out);
  cut.resize(cut.size() - 5);
  bench.Deliver("roster_2.csv.age", cut);
  EXPECT_EQ(bench.Run().exit, kRefused);

  // The operator's file may say where the identity is.
  fs::remove(identity);
  fs::remove(place.folder() + "/roster_2.csv.age");
  bench.endpoint = fmt::format("age_identity = \"{}\"\n", elsewhere);
  bench.Install();
  bench.Deliver("roster_3.csv.age", support::ReadFile(out));
  const RunResult named = bench.Run();
  EXPECT_EQ(named.exit, kOk) << named.out << named.err;
}

}  // namespace
}  // namespace postern::cmd
