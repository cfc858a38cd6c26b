// tests/unit/jobs/import_bench.h: runs of an import over a place that is a folder and a world in
// memory. One thread.
#pragma once
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "core/jobs/files.h"
#include "core/jobs/import_run.h"
#include "tests/support/folder_place.h"
#include "tests/support/scratch.h"

namespace postern::jobs::test {

namespace fs = std::filesystem;

inline constexpr char kFolderVariable[] = "POSTERN_TEST_IMPORT_FOLDER";
inline constexpr base::Instant kNow = 1'767'225'600;

inline std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Sets what it is given for as long as it is there.
class Holding : public ledger::Lock {
 public:
  explicit Holding(bool* held) : held_(held) { *held_ = true; }
  ~Holding() override { *held_ = false; }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  bool* const held_;
};

// Keeps what is accepted and applied in files, as a ledger and a directory would.
class FileWorld : public ImportWorld {
 public:
  explicit FileWorld(std::string folder) : folder_(std::move(folder)) {}
  Result<std::unique_ptr<ledger::Lock>> Hold() override {
    if (!free) return Fail(ErrorCode::kConflict, "an apply goes on");
    return std::make_unique<Holding>(&is_held);
  }
  Result<std::optional<decl::AcceptedRoster>> Before() override {
    const std::string bytes = Slurp(folder_ + "/accepted");
    if (bytes.empty()) return std::optional<decl::AcceptedRoster>();
    decl::AcceptedRoster roster;
    EXPECT_TRUE(roster.ParseFromString(bytes));
    return std::optional(roster);
  }
  const config::Declarations& declarations() override { return all; }
  Result<OthersValues> Others() override { return others; }
  Result<Outlook> Plan(const decl::AcceptedRoster& candidate,
                       const std::vector<std::string>& marks) override {
    EXPECT_TRUE(is_held);
    marks_of_last = marks;
    Outlook outlook;
    outlook.digest = base::Hex(base::Sha256(candidate.SerializeAsString()));
    outlook.against = against;
    outlook.opens = opens;
    outlook.wrong = wrong;
    outlook.marks = {candidate.file(), "mark"};
    return outlook;
  }
  Result<void> Accept(const decl::AcceptedRoster& roster, const std::string&, const std::string&,
                      const std::string& note) override {
    EXPECT_TRUE(is_held);
    notes.push_back(note);
    std::ofstream(folder_ + "/accepts", std::ios::app) << roster.file() << "\n";
    return ReplaceFile(folder_ + "/accepted", roster.SerializeAsString());
  }
  Result<Applied> Apply(const std::vector<std::string>& marks) override {
    EXPECT_TRUE(is_held);
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    applied.push_back(marks);
    if (!applies) return Applied{false, {"u3 is refused by the directory"}, locked_at};
    return ReplaceFile(folder_ + "/applied", Slurp(folder_ + "/accepted")).map([this] {
      return Applied{true, {}, locked_at, 7};
    });
  }
  Result<void> RecordHeld(const HeldRun& run, const std::string& note) override {
    held.push_back(run.file + ": " + note);
    return {};
  }
  Result<void> RecordApplied(const HeldRun& run, const std::string& note,
                             std::optional<uint64_t> seconds) override {
    done.push_back(
        fmt::format("{} {} {}", run.file, note, seconds ? std::to_string(*seconds) : "-"));
    return {};
  }
  Result<Released> ReleasedBy(const HeldRun& run) override {
    if (released.empty()) return Released{};
    return run.plan_digest == released ? Released{"zoe", ""} : Released{"", "zoe"};
  }

  config::Declarations all;
  std::vector<std::string> against, opens, notes, held, done;
  base::Instant locked_at = 0;
  bool is_held = false;                           // the ledger, by the run
  bool free = true;                               // and by nobody else
  std::vector<std::vector<std::string>> applied;  // the marks of each time
  std::vector<std::string> marks_of_last;
  OthersValues others;
  std::string released;
  std::function<void()> meanwhile;  // once, while a file is applied
  bool wrong = false, applies = true;

 private:
  std::string folder_;
};

inline const char* FolderGiven() {
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
  // Of a run that begins now: it takes the job's lock.
  ImportInput Input() {
    lock_.reset();
    EXPECT_TRUE(MakeFolder(folder_ + "/state"));
    auto lock = JobLock::Take(folder_ + "/state/lock");
    EXPECT_TRUE(lock) << lock.error().message;
    lock_ = *std::move(lock);
    return {import_, from_, folder_ + "/state", "jobs@runner", now_, {"li@runner"}, *lock_, [this] {
              return now_ + clock_++;
            }};
  }

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
  decl::Endpoint from_;
  base::Instant now_ = kNow;
  base::Instant clock_ = 0;  // seconds after now_, one more each time that it is looked at
  std::unique_ptr<JobLock> lock_;
  std::vector<std::string> notes_;
  std::vector<FileOutcome> last_;
};

}  // namespace postern::jobs::test
