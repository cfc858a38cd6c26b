// A whole run of an import over a place that is a folder and a world in memory; held files and
// their release with real ssh-keygen keys; a run that is killed at each of its points.
#include "core/jobs/import_run.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/base/hash.h"
#include "core/jobs/files.h"
#include "tests/support/folder_place.h"
#include "tests/support/scratch.h"

namespace postern::jobs::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kFolderVariable[] = "POSTERN_TEST_IMPORT_FOLDER";
constexpr base::Instant kNow = 1'767'225'600;

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Keeps what is accepted and applied in files, as a ledger and a directory would.
class FileWorld : public ImportWorld {
 public:
  explicit FileWorld(std::string folder) : folder_(std::move(folder)) {}
  Result<std::optional<decl::AcceptedRoster>> Before() override {
    const std::string bytes = Slurp(folder_ + "/accepted");
    if (bytes.empty()) return std::optional<decl::AcceptedRoster>();
    decl::AcceptedRoster roster;
    EXPECT_TRUE(roster.ParseFromString(bytes));
    return std::optional(roster);
  }
  const config::Declarations& declarations() override { return all; }
  Result<Outlook> Plan(const decl::AcceptedRoster& candidate) override {
    Outlook outlook;
    outlook.digest = base::Hex(base::Sha256(candidate.SerializeAsString()));
    outlook.against = against;
    outlook.wrong = wrong;
    return outlook;
  }
  Result<void> Accept(const decl::AcceptedRoster& roster, const std::string&, const std::string&,
                      const std::string& note) override {
    notes.push_back(note);
    std::ofstream(folder_ + "/accepts", std::ios::app) << roster.file() << "\n";
    return ReplaceFile(folder_ + "/accepted", roster.SerializeAsString());
  }
  Result<bool> Apply() override {
    if (!applies) return false;
    return ReplaceFile(folder_ + "/applied", Slurp(folder_ + "/accepted")).map([] { return true; });
  }
  Result<void> RecordHeld(const HeldRun& run, const std::string& note) override {
    held.push_back(run.file + ": " + note);
    return {};
  }
  Result<std::string> ReleasedBy(const HeldRun& run) override {
    return run.plan_digest == released ? "zoe" : "";
  }

  config::Declarations all;
  std::vector<std::string> against, notes, held;
  std::string released;
  bool wrong = false, applies = true;

 private:
  std::string folder_;
};

const char* FolderGiven() {
  return std::getenv(kFolderVariable);  // NOLINT(concurrency-mt-unsafe): one thread
}

class ImportRun : public testing::Test {
 protected:
  ImportRun()
      : folder_(FolderGiven() != nullptr ? FolderGiven() : scratch_.path()),
        place_(folder_ + "/place"),
        world_(folder_) {
    for (const char* folder : {"/place/hr", "/place/rejects", "/place/done"}) {
      fs::create_directories(folder_ + folder);
    }
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(name: "acme" owner: "partner:acme" what: "roster" to: "directory:corp"
           base: "ou=acme,dc=x" format { type: "csv" }
           may { values: "create" values: "update" values: "disable" }
           match { values: "employee_number" }
           columns { values { name: "ID" to: "employee_number" required: true }
                     values { name: "UID" to: "uid" required: true } }
           fetch { from: "drop" folder: "/hr" pattern: "roster_*.csv" ready: "trigger"
                   rejects: "/rejects" done: "/done" })",
        &import_));
  }

  // People A0.. of `count`, from `first` on, and the trigger.
  void Deliver(const std::string& name, int count, int first = 0, const std::string& more = "") {
    std::string text = "ID,UID\r\n";
    for (int i = first; i < count; ++i) {
      text += "A" + std::to_string(i) + ",u" + std::to_string(i) + "\r\n";
    }
    Put(name, text + more);
    Put(name + ".done", "");
  }
  void Put(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/place/hr/" + name, std::ios::binary) << text;
  }
  bool At(const std::string& path) const { return fs::exists(folder_ + "/place" + path); }
  ImportInput Input() const { return {import_, folder_ + "/state", "li@runner", now_, {}}; }

  // "roster_1.csv applied" each.
  std::vector<std::string> Run() {
    notes_.clear();
    auto outcomes = RunImport(Input(), place_, world_, &notes_);
    EXPECT_TRUE(outcomes) << outcomes.error().message;
    std::vector<std::string> out;
    last_.clear();
    if (!outcomes) return out;
    for (const FileOutcome& one : *outcomes) {
      std::string line = one.name + " " + std::string(ToString(one.state));
      for (const std::string& reason : one.reasons) line += ": " + reason;
      out.push_back(std::move(line));
      last_.push_back(one);
    }
    return out;
  }
  size_t People() {
    const auto roster = world_.Before();
    return *roster ? static_cast<size_t>((*roster)->people_size()) : 0;
  }

  support::Scratch scratch_;
  const std::string folder_;
  support::FolderPlace place_;
  FileWorld world_;
  decl::Import import_;
  base::Instant now_ = kNow;
  std::vector<std::string> notes_;
  std::vector<FileOutcome> last_;
};

TEST_F(ImportRun, TakesAFileOnce) {
  Deliver("roster_1.csv", 10);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(People(), 10u);
  EXPECT_TRUE(At("/done/roster_1.csv"));
  EXPECT_TRUE(At("/done/roster_1.csv.done"));
  EXPECT_FALSE(At("/hr/roster_1.csv"));
  EXPECT_FALSE(At("/rejects/roster_1.csv.rejects.csv"));
  const std::string summary = Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json");
  EXPECT_THAT(summary, HasSubstr("\"state\": \"applied\""));
  EXPECT_THAT(summary, HasSubstr("\"created\": 10"));
  EXPECT_THAT(Run(), IsEmpty());
  Deliver("roster_1.csv", 10);  // sent again
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv old"));
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
}

TEST_F(ImportRun, AnOlderFileDoesNothing) {
  Deliver("roster_2.csv", 10);
  Run();
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv old: roster_2.csv was taken already")));
  EXPECT_EQ(People(), 10u);
}

TEST_F(ImportRun, WaitsForTheTrigger) {
  Deliver("roster_1.csv", 3);
  fs::remove(folder_ + "/place/hr/roster_1.csv.done");
  EXPECT_THAT(Run(), IsEmpty());
  EXPECT_THAT(notes_, ElementsAre("roster_1.csv waits for roster_1.csv.done"));
}

TEST_F(ImportRun, StableNeedsTheSameSizeForLong) {
  import_.mutable_fetch()->set_ready("stable");
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\n");
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 9 * 60;
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\nA2,u2\r\n");  // still growing
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 9 * 60;
  EXPECT_THAT(Run(), IsEmpty());
  now_ += 60;
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

TEST_F(ImportRun, ChecksumMustFit) {
  Deliver("roster_1.csv", 3);
  Put("roster_1.csv.sha256", std::string(64, 'a') + "  roster_1.csv\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: its SHA-256 isn't the one in "
                                 "roster_1.csv.sha256"));
  EXPECT_TRUE(At("/hr/roster_1.csv"));
  const std::string right = base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/roster_1.csv")));
  Put("roster_1.csv.sha256", right + "  roster_1.csv\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  import_.mutable_fetch()->set_sha256(true);
  Deliver("roster_2.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv refused: there is no .sha256 beside it"));
}

TEST_F(ImportRun, ManifestMustFit) {
  import_.mutable_fetch()->set_ready("manifest");
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), IsEmpty());
  Put("roster_1.csv.manifest.json", "{\"sha256\": \"00\"}");
  EXPECT_THAT(Run(),
              ElementsAre("roster_1.csv refused: its SHA-256 isn't the one in its manifest"));
  const std::string right = base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/roster_1.csv")));
  Put("roster_1.csv.manifest.json", "{\"sha256\": \"" + right + "\"}");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

TEST_F(ImportRun, ASignatureThatMustBeThere) {
  import_.mutable_fetch()->set_signed_by("00AA");
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: there is no signature")));
  Put("roster_1.csv.sig", "sig");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: signatures can't be looked at here")));
}

TEST_F(ImportRun, TooLargeIsRefusedAndNotKept) {
  import_.mutable_limits()->set_megabytes(1);
  Deliver("roster_1.csv", 3, 0, std::string(1 << 20, 'x'));
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: it is larger than 1048576 bytes"));
  EXPECT_TRUE(fs::is_empty(folder_ + "/state/in"));
}

TEST_F(ImportRun, BrokenFilesAreRefusedWithTheReason) {
  Put("roster_1.csv", "ID,LOGIN\r\nA1,u1\r\n");
  Put("roster_1.csv.done", "");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv refused: ")));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json"),
              HasSubstr("column LOGIN isn't declared"));
  EXPECT_EQ(People(), 0u);
  EXPECT_TRUE(At("/done/roster_1.csv"));
}

TEST_F(ImportRun, RejectsGoBackToTheSender) {
  import_.mutable_thresholds()->set_reject_percent(50);
  Deliver("roster_1.csv", 3, 0, "A7,root\r\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(Slurp(folder_ + "/place/rejects/roster_1.csv.rejects.csv"),
            "line,column,code,key,text\r\n5,UID,E0886,A7,the login root is a system's own\r\n");
  EXPECT_EQ(People(), 3u);
  import_.set_all_or_nothing(true);
  Deliver("roster_2.csv", 4, 0, "A8,root\r\n");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: 1 rows are refused, and it is all")));
  EXPECT_EQ(People(), 3u);
}

TEST_F(ImportRun, HeldUntilReleasedAndLaterFilesWait) {
  Deliver("roster_1.csv", 40);
  Run();
  Deliver("roster_2.csv", 30);  // ten are missing; two may be
  Deliver("roster_3.csv", 40);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv held: 10 of 40 people would be disabled; 2 may be"));
  EXPECT_THAT(world_.held, ElementsAre(HasSubstr("roster_2.csv: 10 of 40")));
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv held")));
  EXPECT_EQ(world_.held.size(), 1u) << "told once";
  EXPECT_TRUE(At("/hr/roster_2.csv"));
  const auto found = FindHeld(folder_ + "/state", "acme", last_[0].run.substr(0, 6));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->started_by, "li@runner");
  EXPECT_EQ((*found)->plan_digest, last_[0].plan_digest);
  EXPECT_FALSE(*FindHeld(folder_ + "/state", "acme", "ffff00000000"));
  world_.released = "another plan";
  now_ += 40 * 86400;  // ends are counted from when the file came
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv held")));
  world_.released = last_[0].plan_digest;
  const auto after = Run();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0], "roster_2.csv applied");
  EXPECT_THAT(world_.notes, testing::Contains("released by zoe"));
}

TEST_F(ImportRun, AReleaseDoesntOpenWhatIsntTheImports) {
  world_.against = {"3 changes don't come from its file"};
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv held: 3 changes don't come from its file"));
  world_.released = last_[0].plan_digest;
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv held")));
  world_.against.clear();
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

TEST_F(ImportRun, AnOverlapRefusesTheFile) {
  world_.against = {"mail is declared twice"};
  world_.wrong = true;
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: mail is declared twice"));
  EXPECT_EQ(People(), 0u);
}

TEST_F(ImportRun, WhatWasAcceptedIsAppliedLater) {
  world_.applies = false;
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv accepted"));
  EXPECT_TRUE(At("/hr/roster_1.csv"));
  world_.applies = true;
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
}

TEST_F(ImportRun, ANameFromThePlaceIsNoPath) {
  Sightings seen;
  std::vector<std::string> waiting;
  decl::Fetch fetch = import_.fetch();
  fetch.set_pattern("*");
  fetch.set_ready("checksum");
  const std::vector<PlaceFile> listing = {{"../../etc/x", 1, 0, false},
                                          {"../../etc/x.sha256", 1, 0, false},
                                          {"..", 1, 0, false},
                                          {"a\x1b[2Jb", 1, 0, false},
                                          {"folder", 0, 0, true}};
  EXPECT_THAT(ReadyFiles(fetch, listing, kNow, &seen, &waiting), IsEmpty());
}

// The killed run is this program started anew (a kill point is armed once a process), in the same
// folder.
class ImportKill : public ImportRun, public testing::WithParamInterface<const char*> {};

TEST_P(ImportKill, EndsTheSame) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (FolderGiven() == nullptr) Deliver("roster_1.csv", 5);
  setenv(kFolderVariable, folder_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  setenv("POSTERN_KILL_POINT", GetParam(), 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EXIT((void)RunImport(Input(), place_, world_, &notes_), testing::KilledBySignal(SIGKILL),
              "");
  unsetenv(kFolderVariable);       // NOLINT(concurrency-mt-unsafe)
  unsetenv("POSTERN_KILL_POINT");  // NOLINT(concurrency-mt-unsafe)
  Run();
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
  EXPECT_EQ(Slurp(folder_ + "/applied"), Slurp(folder_ + "/accepted"));
  EXPECT_TRUE(At("/done/roster_1.csv"));
  EXPECT_FALSE(At("/hr/roster_1.csv"));
  EXPECT_TRUE(At("/rejects/roster_1.csv.summary.json"));
}

INSTANTIATE_TEST_SUITE_P(Points, ImportKill,
                         testing::Values("import.downloaded", "import.quarantined",
                                         "import.accepted", "import.applied", "import.reported",
                                         "import.archived"),
                         [](const auto& info) {
                           return std::string(info.param).substr(std::string("import.").size());
                         });

// ---- releases, with keys and signatures of ssh-keygen

class Release : public testing::Test {
 protected:
  Release() {
    for (const char* name : {"zoe", "li", "eve"})
      Shell("ssh-keygen -q -t ed25519 -N '' -f " + Path(name));
    for (const char* name : {"zoe", "li"}) {
      decl::Releaser releaser;
      releaser.set_name(name);
      releaser.set_for_(std::string("person:") + name);
      std::string key = Slurp(Path(name) + ".pub");
      key.pop_back();
      releaser.mutable_keys()->add_values(key);
      all_.releasers.push_back({releaser, {}, {}});
    }
  }
  std::string Path(const std::string& name) const { return scratch_.path() + "/" + name; }
  void Shell(const std::string& command) const {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const int code = std::system((command + " >/dev/null 2>&1").c_str());
    ASSERT_EQ(code, 0) << command;
  }
  std::string Sign(const std::string& who, const std::string& text,
                   const std::string& space = kReleaseNamespace) {
    std::ofstream(Path("text"), std::ios::binary) << text;
    fs::remove(Path("text.sig"));
    Shell("ssh-keygen -Y sign -f " + Path(who) + " -n " + space + " " + Path("text"));
    return Slurp(Path("text.sig"));
  }
  ReleaseVerdict Verify(const std::string& signature) {
    auto verdict = VerifyRelease(held_, signature, all_, scratch_.path());
    EXPECT_TRUE(verdict) << verdict.error().message;
    return verdict ? *verdict : ReleaseVerdict{};
  }

  support::Scratch scratch_;
  config::Declarations all_;
  HeldRun held_{"import.acme", "0123", "roster_2.csv", "ab", "7f3a", "li@runner"};
};

TEST_F(Release, ASecondPersonsSignatureCounts) {
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_))).releaser, "zoe");
}

TEST_F(Release, NeverOfWhoStartedTheRun) {
  const ReleaseVerdict own = Verify(Sign("li", ReleaseText(held_)));
  EXPECT_EQ(own.releaser, "");
  EXPECT_THAT(own.why, HasSubstr("person:li started this run"));
  // Also under another login of the same person.
  held_.started_by = "zw@runner";
  decl::Account account;
  account.set_name("zoe-work");
  account.set_login("zw");
  account.set_for_("person:zoe");
  all_.accounts.push_back({account, {}, {}});
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_))).releaser, "");
}

TEST_F(Release, OnlyOverExactlyThisPlan) {
  const std::string good = Sign("zoe", ReleaseText(held_));
  for (std::string HeldRun::*field :
       {&HeldRun::job, &HeldRun::run, &HeldRun::file_sha256, &HeldRun::plan_digest}) {
    const HeldRun before = held_;
    held_.*field += "0";
    EXPECT_EQ(Verify(good).releaser, "");
    held_ = before;
  }
  EXPECT_EQ(Verify(good).releaser, "zoe");
}

TEST_F(Release, NoOtherKeyNamespaceOrText) {
  EXPECT_EQ(Verify(Sign("eve", ReleaseText(held_))).releaser, "");
  EXPECT_EQ(Verify(Sign("zoe", ReleaseText(held_), "file")).releaser, "");
  EXPECT_EQ(Verify("nonsense").releaser, "");
  EXPECT_EQ(Verify("").releaser, "");
  std::string flipped = Sign("zoe", ReleaseText(held_));
  flipped[flipped.size() / 2] = flipped[flipped.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Verify(flipped).releaser, "");
}

}  // namespace
}  // namespace postern::jobs::test
