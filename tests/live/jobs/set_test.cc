// A distribution by the program itself: the files of a folder and their list, to real servers.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/jobs/place.h"
#include "tests/live/jobs/job.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;
using live::Job;
using nlohmann::json;
using support::RunResult;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kLarge = 3'000'000;

// An export of the files of a folder, with a trigger at its end.
class SetJob : public Job {
 public:
  explicit SetJob(LivePlace& place) : Job(place) {
    scratch_.Write("catalog/a.pdf", "first");
    scratch_.Write("catalog/deep/c d.pdf", base::RandomBytes(kLarge));
    scratch_.Write("catalog/empty.pdf", "");
    scratch_.Write("catalog/notes.txt", "not meant");
    fs::create_directories(place.folder() + "/deep");
    support::OpenTree(place.folder());
    decl::Export& declared = Export();
    declared.set_what("distribution");
    declared.mutable_files()->set_folder(scratch_.File("catalog"));
    declared.mutable_files()->set_pattern("*.pdf");
    declared.mutable_files()->set_below(true);
    declared.mutable_schedule()->set_cron("30 2 * * *");
    decl::Deliver& deliver = *declared.mutable_deliver();
    deliver.set_name("list_{seq:04}.csv");
    deliver.set_trigger(".done");
    for (const char* item : {"file", "checksum", "manifest", "trigger"}) {
      deliver.mutable_order()->add_values(item);
    }
    Install();
  }
};

std::string HashOf(const std::string& path) {
  const auto hash = HashFile(path);
  EXPECT_TRUE(hash) << hash.error().message;
  return hash ? *hash : "";
}

// Every file under its path, and list and manifest that name each with its hash.
void ExpectArrived(const SetJob& job, const std::string& at) {
  const std::string from = job.scratch_.File("catalog");
  std::string list = "path,size,sha256\r\n";
  const json manifest = json::parse(support::ReadFile(at + "/list_0001.csv.manifest.json"));
  ASSERT_EQ(manifest["files"].size(), 3u) << manifest.dump(1);
  size_t n = 0;
  for (const char* path : {"a.pdf", "deep/c d.pdf", "empty.pdf"}) {
    const std::string hash = HashOf(from + "/" + path);
    EXPECT_EQ(HashOf(at + "/" + path), hash) << path;
    list += fmt::format("{},{},{}\r\n", path, fs::file_size(from + "/" + path), hash);
    EXPECT_EQ(manifest["files"][n]["file"], path);
    EXPECT_EQ(manifest["files"][n++]["sha256"], hash);
  }
  EXPECT_EQ(support::ReadFile(at + "/list_0001.csv"), list);
  EXPECT_TRUE(fs::exists(at + "/list_0001.csv.done"));
  EXPECT_FALSE(fs::exists(at + "/notes.txt"));
  for (const auto& entry : fs::recursive_directory_iterator(at)) {
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
  }
}

TEST(Distribution, BringsEveryFileAndTheirList) {
  for (const char* protocol : {"sftp", "ftp"}) {
    SCOPED_TRACE(protocol);
    LivePlace place(protocol);
    ASSERT_TRUE(place.Start());
    SetJob job(place);
    const RunResult run = job.Run();
    ASSERT_EQ(run.exit, 0) << run.out << run.err << place.Logs();
    EXPECT_EQ(json::parse(run.out)["slots"][0]["file_rows"], 3);
    ExpectArrived(job, place.folder());
    const RunResult proof = job.Postern({"verify", "1", "--json"});
    EXPECT_EQ(proof.exit, 0) << proof.out << proof.err;
    EXPECT_TRUE(json::parse(proof.out)["holds"]);
  }
}

// Killed at each point of the run and of the delivery, also within the set, the same files go out,
// although the folder has changed since.
TEST(Distribution, KilledAnywhereItBringsTheFilesThatItHashed) {
  for (const char* point :
       {"job-census", "job-begun", "job-prepared", "deliver.item:2", "deliver.sent:2",
        "deliver.verified:2", "deliver.renamed:3", "deliver.item:4", "job-delivered"}) {
    SCOPED_TRACE(point);
    LivePlace place("sftp");
    ASSERT_TRUE(place.Start());
    SetJob job(place);
    const RunResult killed = job.Run({{"POSTERN_KILL_POINT", point}});
    ASSERT_EQ(killed.signal, SIGKILL) << killed.out << killed.err;
    const bool prepared = std::string_view(point).starts_with("deliver") ||
                          std::string_view(point).starts_with("job-prep") ||
                          std::string_view(point).starts_with("job-deli");
    const std::string first = support::ReadFile(job.scratch_.File("catalog/a.pdf"));
    if (prepared) job.scratch_.Write("catalog/a.pdf", "another, after the hash was taken");
    EXPECT_EQ(fs::exists(place.folder() + "/list_0001.csv.done"),
              std::string_view(point) == "job-delivered");
    // What was prepared goes out in a waking in which nothing else is due.
    const RunResult again =
        prepared ? job.Postern({"run", "--as-of", "2026-03-02T03:00:00Z"}) : job.Run();
    EXPECT_EQ(again.exit, 0) << again.out << again.err;
    if (prepared) job.scratch_.Write("catalog/a.pdf", first);
    ExpectArrived(job, place.folder());
  }
}

TEST(Distribution, SaysWhatCannotGo) {
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SetJob job(place);
  job.scratch_.Write("catalog/list_0001.csv.pdf", "no clash");
  job.Export().mutable_files()->clear_pattern();
  job.scratch_.Write("catalog/list_0001.csv", "clash");
  job.Install();
  const RunResult clash = job.Run();
  EXPECT_EQ(clash.exit, 3) << clash.out << clash.err;
  EXPECT_THAT(clash.err, HasSubstr("E0882"));
  EXPECT_THAT(job.Arrived(), ElementsAre("deep"));
  fs::remove(job.scratch_.File("catalog/list_0001.csv"));
  fs::remove(place.folder() + "/deep");
  const RunResult homeless = job.Run();
  EXPECT_EQ(homeless.exit, 1) << homeless.out << homeless.err;
  EXPECT_THAT(homeless.err, HasSubstr("is there a folder " + place.folder() + "/deep?"));
  EXPECT_FALSE(fs::exists(place.folder() + "/list_0001.csv"));
  fs::create_directory(place.folder() + "/deep");
  const RunResult mended = job.Run();
  EXPECT_EQ(mended.exit, 0) << mended.out << mended.err;
  EXPECT_TRUE(fs::exists(place.folder() + "/list_0001.csv.done"));
}

// What its runner's `alert` is told: slots passed over, a refusal, and the first good run after it.
TEST(Distribution, TellsWhoeverIsToKnow) {
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SetJob job(place);
  const std::string told = job.scratch_.File("told");
  for (const std::string& word : {std::string("sh"), std::string("-c"), "cat >>" + told}) {
    job.spec.mutable_runner()->mutable_alert()->add_values(word);
  }
  job.Export().mutable_schedule()->set_catch_up("none");
  job.Install();
  ASSERT_EQ(job.Run().exit, 0);
  EXPECT_FALSE(fs::exists(told)) << "nothing was bad";
  EXPECT_EQ(job.Postern({"run", "--as-of", "2026-03-05T12:00:00Z"}).exit, 0);
  job.scratch_.Write("catalog/a\nb.pdf", "no name for a place");
  EXPECT_EQ(job.Postern({"run", "--slot", "2026-03-06T02:30:00Z"}).exit, 3);
  fs::remove(job.scratch_.File("catalog/a\nb.pdf"));
  for (int day = 7; day < 9; ++day) {
    EXPECT_EQ(job.Postern({"run", "--slot", fmt::format("2026-03-0{}T02:30:00Z", day)}).exit, 0);
  }
  std::vector<std::string> lines;
  std::ifstream in(told);
  for (std::string line; std::getline(in, line);) {
    const json one = json::parse(line);
    const json& all = one.at("diagnostics");
    lines.push_back(fmt::format("{} {} {}", one.at("outcome").get<std::string>(), all.size(),
                                all.empty() ? "" : all.at(0).at("code").get<std::string>()));
  }
  EXPECT_THAT(lines, ElementsAre("missed 1 E0881", testing::StartsWith("refused"), "recovered 0 "));
  EXPECT_THAT(lines.at(1), HasSubstr("E0882"));
}

TEST(Distribution, IsEncryptedFileByFile) {
  LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  SetJob job(place);
  const std::string key = job.scratch_.File("key");
  const RunResult made = support::RunCommand({"age-keygen", "-o", key});
  ASSERT_EQ(made.exit, 0) << made.err;
  const RunResult shown = support::RunCommand({"age-keygen", "-y", key});
  job.Export().mutable_encrypt()->mutable_age()->add_values(
      shown.out.substr(0, shown.out.find('\n')));
  job.Install();
  const RunResult run = job.Run();
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  const std::string at = place.folder() + "/a.pdf.age";
  EXPECT_THAT(support::ReadFile(at), testing::Not(HasSubstr("first")));
  EXPECT_EQ(support::RunCommand({"age", "-d", "-i", key, at}).out, "first");
  EXPECT_FALSE(fs::exists(place.folder() + "/a.pdf"));
  for (const auto& entry : fs::recursive_directory_iterator(job.scratch_.File("jobs"))) {
    EXPECT_NE(entry.path().filename(), "a.pdf") << "in the clear: " << entry.path();
  }
}

}  // namespace
}  // namespace postern::jobs
