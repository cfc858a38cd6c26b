// What a runner's `alert` is told: that a run ended badly, and that the job is well again.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

using nlohmann::json;
using support::RunResult;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Alert : public testing::Test {
 protected:
  Alert() : place_("sftp"), slapd_(ImportBench::DirectoryOptions()), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    bench_.To(slapd_);
  }
  void Install(const std::string& program) {
    bench_.operators = fmt::format("alert = {}\n", program);
    bench_.Install();
  }
  // Each of its calls is one line.
  std::vector<json> Told() const {
    std::vector<json> out;
    std::ifstream lines(bench_.scratch.File("told"));
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    return out;
  }
  std::string Recorder() const {
    return fmt::format(R"(["sh", "-c", "cat >>{}"])", bench_.scratch.File("told"));
  }

  jobs::LivePlace place_;
  support::Slapd slapd_;
  ImportBench bench_;
};

TEST_F(Alert, ABadRunIsToldAndTheFirstGoodOneAfterIt) {
  Install(Recorder());
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 3));
  ASSERT_EQ(bench_.Run().exit, kOk);
  EXPECT_THAT(Told(), IsEmpty()) << "nothing was bad before";

  bench_.Deliver("roster_2.csv", "WRONG,HEADER\r\n");
  ASSERT_EQ(bench_.Run().exit, kRefused);
  ASSERT_THAT(Told(), SizeIs(1));
  const json bad = Told().back();
  EXPECT_EQ(bad.at("job"), "import.acme");
  EXPECT_EQ(bad.at("runner"), "here");
  EXPECT_EQ(bad.at("owner"), "partner:acme");
  EXPECT_EQ(bad.at("outcome"), "refused");
  EXPECT_EQ(bad.at("exit"), 3);
  EXPECT_EQ(bad.at("diagnostics").at(0).at("summary"), "roster_2.csv is refused");
  EXPECT_THAT(bad.at("diagnostics").at(0).at("notes").dump(),
              HasSubstr("column WRONG isn't declared"));

  bench_.Deliver("roster_3.csv", ImportBench::People(0, 3));
  ASSERT_EQ(bench_.Run().exit, kOk);
  ASSERT_THAT(Told(), SizeIs(2));
  EXPECT_EQ(Told().back().at("outcome"), "recovered");
  EXPECT_EQ(Told().back().at("last").at("outcome"), "applied");
  ASSERT_EQ(bench_.Run().exit, kOk);
  EXPECT_THAT(Told(), SizeIs(2)) << "well is told once";
}

TEST_F(Alert, WhatCannotTellIsAWarningAndChangesNoExitCode) {
  Install(R"(["sh", "-c", "echo 'no route to the pager' >&2; exit 7"])");
  bench_.Deliver("roster_1.csv", "WRONG,HEADER\r\n");
  const RunResult run = bench_.Run();
  EXPECT_EQ(run.exit, kRefused);
  EXPECT_THAT(run.err, HasSubstr("W0862"));
  EXPECT_THAT(run.err, HasSubstr("no route to the pager"));
  const std::string kept = bench_.JobFolder() + "/alert.json";
  EXPECT_THAT(run.err, HasSubstr(kept));
  EXPECT_TRUE(std::filesystem::exists(kept)) << "what would have been told";

  Install(R"(["no-such-program-here"])");
  bench_.Deliver("roster_2.csv", "WRONG,HEADER\r\n");
  EXPECT_THAT(bench_.Run().err, HasSubstr("no-such-program-here"));
}

// Neither a look that finds nothing, which says nothing about what was wrong, nor what alert leaves
// behind keeps a run.
TEST_F(Alert, OnlyAFileThatWasTakenIsWellAgain) {
  Install(fmt::format(R"(["sh", "-c", "cat >>{}; sleep 30 &"])", bench_.scratch.File("told")));
  bench_.Deliver("roster_1.csv", "WRONG,HEADER\r\n");
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_EQ(bench_.Run().exit, kRefused);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(25));
  ASSERT_EQ(bench_.Run().exit, kOk) << "the place is empty now";
  EXPECT_THAT(Told(), SizeIs(1));
  bench_.Deliver("roster_2.csv", ImportBench::People(0, 3));
  ASSERT_EQ(bench_.Run().exit, kOk);
  ASSERT_THAT(Told(), SizeIs(2));
  EXPECT_EQ(Told().back().at("outcome"), "recovered");
}

// Declarations that are wrong are told with their places.
TEST_F(Alert, ABrokenTreeIsTold) {
  Install(Recorder());
  bench_.scratch.Write("access/more.toml", "[person.jo\n");
  EXPECT_EQ(bench_.Run().exit, kError);
  ASSERT_THAT(Told(), SizeIs(1));
  EXPECT_THAT(Told().back().at("diagnostics").dump(), HasSubstr("more.toml:1"));
}

// A place that lets nobody in fails the run before there is any file to speak of.
TEST_F(Alert, ARunThatCouldNotBeginIsTold) {
  Install(Recorder());
  bench_.scratch.Write("drop", "no key", 0600);
  const RunResult run = bench_.Run();
  EXPECT_EQ(run.exit, kError);
  ASSERT_THAT(Told(), SizeIs(1));
  EXPECT_EQ(Told().back().at("outcome"), "failed");
  EXPECT_THAT(Told().back().at("diagnostics").at(0).at("code"), Not(IsEmpty()));
}

}  // namespace
}  // namespace postern::cmd
