// What a run of an import says.
#include "core/view/import_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/diag/codes.h"

namespace postern::view {
namespace {

jobs::FileOutcome Held() {
  jobs::FileOutcome file;
  file.name = "roster_2.csv";
  file.sha256 = std::string(64, 'a');
  file.run = "0123456789abcdef";
  file.state = jobs::FileState::kHeld;
  file.code = diag::code::kImportHeld;
  file.reasons = {"6 of 20 people would be disabled (at most 1)"};
  file.warnings = {"row 3: letters of several scripts"};
  file.counts.rows = 14;
  file.counts.disable = 6;
  file.view = "the plan\n";
  return file;
}

TEST(ImportView, AHeldFileIsToldWithItsPlanAndTheWayOut) {
  EXPECT_EQ(RenderImport("acme", {}), "import acme: no file to take\n");
  EXPECT_EQ(RenderImport("acme", {Held()}),
            "roster_2.csv  held  run 0123456789abcdef  14 rows, 0 refused · 0 new, 0 changed, 6 "
            "disabled, 0 back\n"
            "  E0894 6 of 20 people would be disabled (at most 1)\n"
            "\nthe plan\n\nHeld: postern job release acme 0123456789abcdef --reason WHY\n");
}

TEST(ImportView, WhatNoReleaseOpensIsntOfferedForOne) {
  jobs::FileOutcome file = Held();
  file.ours = true;
  file.reasons = {"E0898 other changes than its file's wait (1): postern apply"};
  const std::string said = RenderImport("acme", {file});
  EXPECT_THAT(said, testing::EndsWith("\nthe plan\n\nHeld: no release opens that; the next run "
                                      "after it looks at the file anew\n"));
  EXPECT_THAT(said, testing::Not(testing::HasSubstr("job release")));
  std::ostringstream out;
  WriteImportJson("acme", {file, Held()}, {}, out);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["files"][0]["release_opens"], false);
  EXPECT_EQ(json["files"][1]["release_opens"], true);
}

TEST(ImportView, HowFastLeaversWereLockedIsTold) {
  jobs::FileOutcome file = Held();
  file.state = jobs::FileState::kApplied;
  file.reasons.clear();
  file.fetched_at = 1'800'000'000;
  file.locked_at = file.fetched_at + 83;
  EXPECT_THAT(RenderImport("acme", {file}),
              testing::HasSubstr("\n  locked 1 min 23 s after it was fetched\n"));
}

TEST(ImportView, ProgramsGetTheSame) {
  std::ostringstream out;
  WriteImportJson("acme", {Held()}, {"roster_3.csv waits for roster_3.csv.done"}, out);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["import"], "acme");
  ASSERT_EQ(json["files"].size(), 1U);
  const auto& file = json["files"][0];
  EXPECT_EQ(file["state"], "held");
  EXPECT_EQ(file["code"], "E0894");
  EXPECT_EQ(file["disabled"], 6);
  EXPECT_EQ(file["warnings"][0], "row 3: letters of several scripts");
  EXPECT_EQ(json["waiting"][0], "roster_3.csv waits for roster_3.csv.done");
}

TEST(ImportView, TheTextToSignComesToTheByte) {
  const jobs::HeldRun run{.job = "import.acme",
                          .run = "0123456789abcdef",
                          .file = "roster_2.csv",
                          .file_sha256 = std::string(64, 'a'),
                          .plan_digest = std::string(64, 'b'),
                          .started_by = "jobs@runner",
                          .behind = {"li@runner"}};
  std::ostringstream out;
  WriteReleaseJson(run, "the night shift ended", out);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["text"], ReleaseText(run, "the night shift ended"));
  EXPECT_EQ(json["reason"], "the night shift ended");
  EXPECT_EQ(json["started_by"], nlohmann::json({"jobs@runner", "li@runner"}));
}

}  // namespace
}  // namespace postern::view
