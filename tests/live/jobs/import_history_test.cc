// What an import leaves behind: its history and evidence, and that it runs once at a time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>

#include "cmd/postern/exit_code.h"
#include "core/jobs/history.h"
#include "core/jobs/job_lock.h"
#include "core/jobs/spec.h"
#include "providers/runner/machine_scripts.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using support::RunResult;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr char kWhy[] = "their night shift's contract ended";

class ImportHistory : public testing::Test {
 protected:
  ImportHistory() : place_("sftp"), slapd_(ImportBench::DirectoryOptions()), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    bench_.To(slapd_);
    UseZoe("zoe");
    bench_.Install();
  }
  // [releaser.zoe] has this key.
  void UseZoe(const std::string& key) {
    bench_.operators = fmt::format("[releaser.zoe]\nfor = \"person:zoe\"\nkeys = [\"{}\"]\n",
                                   MakeKey(bench_.scratch.File(key)));
  }
  void Take(const std::string& name, int first, int end, int exit) {
    bench_.Deliver(name, ImportBench::People(first, end));
    const RunResult run = bench_.Run();
    EXPECT_EQ(run.exit, exit) << run.out << run.err;
  }
  RunResult Job(std::vector<std::string> words) const {
    words.insert(words.begin(), "job");
    words.insert(words.end(), {"--spec", bench_.JobFolder() + "/spec.json"});
    return bench_.Postern(words);
  }
  RunResult History() const { return Job({"history", "import.acme"}); }
  RunResult Verify(const std::string& run) const { return Job({"verify", "import.acme", run}); }
  // The newest run of a file, as programs see it.
  json RunOf(const std::string& file) const {
    const RunResult told = Job({"history", "import.acme", "--json"});
    EXPECT_EQ(told.exit, kOk) << told.out;
    const json all = json::parse(told.out);
    for (const json& run : all.at("history")) {
      if (run.value("file", "") == file) return run;
    }
    ADD_FAILURE() << file << " isn't in " << told.out;
    return {};
  }
  void Release(const std::string& run) {
    const std::vector<std::string> words = {"job", "release", "acme", run, "--reason", kWhy};
    const RunResult text = bench_.Postern(words);
    ASSERT_EQ(text.exit, kOk) << text.err;
    const std::string file = bench_.scratch.Write("text", text.out);
    ASSERT_EQ(support::RunCommand({"ssh-keygen", "-Y", "sign", "-n", "postern-release", "-f",
                                   bench_.scratch.File("zoe"), file})
                  .exit,
              0);
    std::vector<std::string> signed_words = words;
    signed_words.insert(signed_words.end(), {"--signature", file + ".sig"});
    const RunResult released = bench_.Postern(signed_words);
    ASSERT_EQ(released.exit, kOk) << released.err;
  }
  // The folder in quarantine of the file.
  fs::path FolderOf(const std::string& file) const {
    for (const auto& entry : fs::directory_iterator(bench_.JobFolder() + "/in")) {
      const std::string state = support::ReadFile(entry.path().string() + "/state.json");
      if (state.find("\"" + file + "\"") != std::string::npos) return entry.path();
    }
    ADD_FAILURE() << file << " isn't kept";
    return {};
  }

  jobs::LivePlace place_;
  support::Slapd slapd_;
  ImportBench bench_;
};

TEST_F(ImportHistory, OfAppliedHeldAndReleasedFiles) {
  EXPECT_THAT(History().out, HasSubstr("import.acme has not run yet."));
  Take("roster_1.csv", 0, 20, kOk);
  const json first = RunOf("roster_1.csv");
  EXPECT_EQ(first.at("outcome"), "applied");
  EXPECT_EQ(first.at("received_rows"), 20);
  EXPECT_EQ(first.at("new"), 20);
  EXPECT_GT(first.at("bytes"), 0);
  EXPECT_EQ(first.at("decisions").at(0).at("what"), "accepted");
  EXPECT_EQ(first.at("decisions").at(1).at("what"), "applied");
  EXPECT_FALSE(first.contains("locked_seconds")) << "nobody left";
  const std::string one = first.at("run");
  const RunResult evidence = Verify(one.substr(0, 8));
  EXPECT_EQ(evidence.exit, kOk) << evidence.out << evidence.err;
  EXPECT_THAT(evidence.out, AllOf(HasSubstr("holds    file roster_1.csv"),
                                  HasSubstr("holds    2 events of the ledger")));

  Take("roster_2.csv", 6, 20, kRefused);
  const std::string run = bench_.HeldRun("roster_2.csv");
  const RunResult held = History();
  EXPECT_THAT(held.out, ContainsRegex("Z  " + run + "  held "));
  EXPECT_THAT(held.out, HasSubstr("6 of 20 people would be disabled"));
  EXPECT_EQ(RunOf("roster_2.csv").at("held_rows"), 14);
  EXPECT_EQ(Verify(run).exit, kOk);
  const auto last = jobs::ReadLast(bench_.JobFolder() + "/last.json");
  ASSERT_TRUE(last);
  EXPECT_EQ(jobs::ShownOutcome(*last), "held " + run) << "which job status shows";
  const RunResult wrong = bench_.Postern({"job", "release", "acme", "0000", "--reason", kWhy});
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("E0896"), HasSubstr("postern job history import.acme")));

  Release(run);
  EXPECT_THAT(History().out, AllOf(HasSubstr(std::string("by zoe: ") + kWhy + "; signature holds"),
                                   ContainsRegex("Z  " + run + "  held ")));
  ASSERT_EQ(bench_.Run().exit, kOk);
  const json done = RunOf("roster_2.csv");
  EXPECT_EQ(done.at("outcome"), "applied");
  ASSERT_EQ(done.at("decisions").size(), 4u);
  EXPECT_EQ(done["decisions"][0]["what"], "held");
  EXPECT_EQ(done["decisions"][1]["who"], "zoe");
  EXPECT_EQ(done["decisions"][1]["reason"], kWhy);
  EXPECT_EQ(done["decisions"][1]["signature_holds"], true);
  EXPECT_EQ(done["decisions"][2]["note"], "released by zoe");
  EXPECT_EQ(done["decisions"][3]["what"], "applied");
  EXPECT_EQ(done["decisions"][3]["locked_seconds"], done["locked_seconds"]);
  EXPECT_THAT(bench_.At("rejects/roster_2.csv.summary.json"), HasSubstr("\"locked_seconds\": "));
  EXPECT_THAT(History().out, ContainsRegex("locked [0-9]+ (s|min).* after the fetch"));
  const RunResult whole = Verify(run);
  EXPECT_EQ(whole.exit, kOk) << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("signature of zoe over plan"));
  EXPECT_EQ(bench_.Postern({"ledger", "verify"}).exit, kOk);
}

TEST_F(ImportHistory, WhatWasChangedIsFound) {
  Take("roster_1.csv", 0, 20, kOk);
  const std::string run = RunOf("roster_1.csv").at("run");
  ASSERT_EQ(Verify(run).exit, kOk);
  const std::string file = (FolderOf("roster_1.csv") / "file").string();
  const std::string bytes = support::ReadFile(file);
  std::string flipped = bytes;
  flipped[40] = static_cast<char>(flipped[40] ^ 1);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << flipped;
  const RunResult found = Verify(run);
  EXPECT_EQ(found.exit, kError);
  EXPECT_THAT(found.out, HasSubstr("wrong    SHA-256 of roster_1.csv"));
  EXPECT_THAT(found.err, HasSubstr("E0879"));
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  EXPECT_EQ(Verify(run).exit, kOk);

  // A state that was made to fit other bytes doesn't fit the ledger.
  const std::string state = (FolderOf("roster_1.csv") / "state.json").string();
  const std::string before = support::ReadFile(state);
  std::string other = before;
  const size_t at = other.find("\"sha256\": \"") + 11;
  other[at] = other[at] == 'a' ? 'b' : 'a';
  std::ofstream(state, std::ios::trunc) << other;
  EXPECT_THAT(Verify(run).out, HasSubstr("wrong    the ledger has accepted"));
  std::ofstream(state, std::ios::trunc) << before;

  // Retention, or somebody: told, and no fault.
  fs::remove(file);
  const RunResult gone = Verify(run);
  EXPECT_EQ(gone.exit, kOk);
  EXPECT_THAT(gone.out, HasSubstr("not kept"));
  fs::remove_all(FolderOf("roster_1.csv"));
  EXPECT_THAT(History().out, ContainsRegex(run + "  not kept"));
  EXPECT_THAT(Verify(run).out, HasSubstr("the ledger alone knows the run"));
  const RunResult none = Verify("ffff0000");
  EXPECT_EQ(none.exit, kError);
  EXPECT_THAT(none.err, AllOf(HasSubstr("E0880"), HasSubstr("postern job history import.acme")));
}

// Keys change; who signed by one that was taken out since is told apart from a forgery.
TEST_F(ImportHistory, AReleasersKeyThatIsGoneIsTold) {
  Take("roster_1.csv", 0, 20, kOk);
  Take("roster_2.csv", 6, 20, kRefused);
  const std::string run = bench_.HeldRun("roster_2.csv");
  Release(run);
  ASSERT_EQ(bench_.Run().exit, kOk);
  UseZoe("zoe-later");
  bench_.Install();
  const RunResult found = Verify(run);
  EXPECT_EQ(found.exit, kOk) << found.err;
  EXPECT_THAT(found.out, HasSubstr("by a key that no releaser has now"));
  EXPECT_THAT(History().out, HasSubstr("signature by a key that no releaser has now"));
}

// Exports tell of slots that gave no file; so does an import of runs that came to none.
TEST_F(ImportHistory, OfRunsThatCameToNoFile) {
  bench_.scratch.Write("drop", "no key", 0600);
  ASSERT_EQ(bench_.Run().exit, kError);
  EXPECT_THAT(History().out, ContainsRegex("failed[ \n]+E[0-9]+"));
}

// Its lock is what an export's is: the runner's list shows the run, a second one is told whose it
// is, and one that is stopped meanwhile leaves all of it to the next.
TEST_F(ImportHistory, OneRunAtATimeWhichIsSeenAndStopped) {
  Take("roster_1.csv", 0, 20, kOk);
  const std::string noted = support::ReadFile(bench_.JobFolder() + "/last.json");
  bench_.Deliver("roster_2.csv", ImportBench::People(0, 21));
  // A secret that doesn't come holds the run before it is at its place.
  const std::string secret = bench_.scratch.File("drop"), key = support::ReadFile(secret);
  fs::remove(secret);
  ASSERT_EQ(mkfifo(secret.c_str(), 0600), 0);
  auto running = std::async(std::launch::async, [&] { return bench_.Run(); });
  const passwd* user = getpwuid(geteuid());  // NOLINT(concurrency-mt-unsafe): the other only waits
  const auto list = [&] {
    return support::RunCommand({"sh", "-c", std::string(runner::kListScript), "sh",
                                bench_.scratch.File("state/jobs"), "/none", user->pw_name, "/none"})
        .out;
  };
  const std::ofstream gate(secret);  // opens when the run reads there
  const std::string seen = list();
  ASSERT_THAT(seen, HasSubstr("run import.acme "));
  const RunResult second = bench_.Run();
  EXPECT_EQ(second.exit, kError);
  EXPECT_THAT(second.err, AllOf(HasSubstr("E0877"), HasSubstr("is running this job")));
  EXPECT_EQ(support::ReadFile(bench_.JobFolder() + "/last.json"), noted)
      << "what the first one does isn't the second one's to tell";
  const RunResult apply = bench_.Postern({"apply", "--yes"});
  EXPECT_EQ(apply.exit, kOk) << "who takes access away waits for no place: " << apply.err;
  const size_t at = seen.find("run import.acme ") + 16;
  ASSERT_EQ(kill(std::stoi(seen.substr(at)), SIGTERM), 0);  // as the runner ends a run
  running.wait();
  EXPECT_THAT(list(), Not(HasSubstr("run import.acme ")));
  fs::remove(secret);
  bench_.scratch.Write("drop", key, 0600);
  ASSERT_EQ(bench_.Run().exit, kOk);
  EXPECT_EQ(RunOf("roster_2.csv").at("new"), 1);
}

}  // namespace
}  // namespace postern::cmd
