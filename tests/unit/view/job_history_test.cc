// What jobs have done, as people and programs read it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "core/view/import_history.h"
#include "core/view/job_runs.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr base::Instant kNoon = 1'800'014'400;
constexpr Style kWide{false, true, 160};

TEST(JobHistory, DurationsAreToldInTheirOwnUnits) {
  EXPECT_EQ(Took(0), "0 s");
  EXPECT_EQ(Took(59), "59 s");
  EXPECT_EQ(Took(60), "1 min");
  EXPECT_EQ(Took(200), "3 min 20 s");
  EXPECT_EQ(Took(2 * 3600 + 5 * 60 + 7), "2 h 5 min");
  EXPECT_EQ(Took(86400), "1 day");
  EXPECT_EQ(Took(6 * 86400 + 3600), "6 days 1 h");
}

TEST(JobHistory, ARunOfAnExportHasItsBytesAndItsTime) {
  jobs::RunRow run;
  run.id = "ab";
  run.sequence = 41;
  run.slot = run.started = kNoon;
  run.ended = kNoon + 200;
  run.mode = "full";
  run.outcome = "delivered";
  run.rows = 1200;
  run.bytes = 45'678;
  run.file = "people.csv";
  EXPECT_EQ(RenderHistory({"export.people", {run}, {{kNoon - 60, kNoon - 60, "missed", 0, ""}}}, 9,
                          kWide),
            "when               run  slot               mode  outcome    rows   bytes   took       "
            " file\n"
            "2027-01-15 12:03Z  41   2027-01-15 12:00Z  full  delivered  1,200  45,678  3 min 20 s "
            " people.csv\n"
            "2027-01-15 11:59Z       2027-01-15 11:59Z        missed\n");
}

jobs::Decision Decided(base::Instant at, const char* what, const char* who, const char* note) {
  jobs::Decision decision{at, {}, {}};
  decision.event = {.job = "import.acme", .run = "0123456789abcdef", .what = what, .who = who};
  decision.event.note = note;
  return decision;
}

ImportHistory Released() {
  jobs::ImportRunRow run;
  run.file.name = "roster_2.csv";
  run.file.run = "0123456789abcdef";
  run.file.state = jobs::FileState::kDone;
  run.file.counts = {.rows = 14, .refused = 1};
  run.file.counts.disable = 6;
  run.file.bytes = 1234;
  run.file.started_by = "jobs@n";
  run.file.behind = {"li@n"};
  run.file.taken_at = run.file.fetched_at = kNoon;
  run.file.locked_at = kNoon + 70;
  run.file.ended = kNoon + 72;
  run.decisions = {Decided(kNoon, "held", "jobs@n for li@n", "6 of 20 people"),
                   Decided(kNoon + 60, "released", "zoe", "zoe@n"),
                   Decided(kNoon + 65, "accepted", "jobs@n", "released by zoe"),
                   Decided(kNoon + 70, "applied", "jobs@n", "apply 7")};
  run.decisions[1].event.reason = "the night shift ended";
  run.decisions[1].signature = jobs::ReleaseVerdict{"zoe", ""};
  run.decisions[3].event.locked_seconds = 70;
  return {"import.acme", {run}, {{kNoon + 900, kNoon + 900, "failed", 0, "E0501 no route"}}};
}

TEST(JobHistory, AnImportsFileIsToldWithWhoDecidedOnIt) {
  EXPECT_EQ(RenderImportHistory(Released(), 9, kWide),
            R"(when               run               state     rows  refused  bytes  took        file
2027-01-15 12:15Z                    failed                                      E0501 no route
2027-01-15 12:01Z  0123456789abcdef  applied   15    1        1,234  1 min 12 s  roster_2.csv
2027-01-15 12:00Z                    held                                        by jobs@n for li@n: 6 of 20 people
2027-01-15 12:01Z                    released                                    by zoe: the night shift ended; signature holds
2027-01-15 12:01Z                    accepted                                    by jobs@n: released by zoe
2027-01-15 12:01Z                    applied                                     by jobs@n: apply 7; locked 1 min 10 s after the fetch
)");
  EXPECT_EQ(RenderImportHistory({"import.acme", {}, {}}, 9, kWide),
            "import.acme has not run yet.\n");
}

TEST(JobHistory, ASignatureThatDoesntHoldIsTold) {
  ImportHistory history = Released();
  history.runs[0].decisions[1].signature = jobs::ReleaseVerdict{"", "of no releaser's key", false};
  const std::string text = RenderImportHistory(history, 9, kWide);
  EXPECT_THAT(text, HasSubstr("SIGNATURE DOESN'T HOLD: of no releaser's key"));
  EXPECT_THAT(text, Not(HasSubstr("signature holds")));
  history.runs[0].decisions[1].signature = jobs::ReleaseVerdict{"eve", ""};
  EXPECT_THAT(RenderImportHistory(history, 9, kWide), HasSubstr("it is that of eve"));
  history.runs[0].decisions[1].signature = jobs::ReleaseVerdict{"", "of no releaser's key", true};
  EXPECT_THAT(RenderImportHistory(history, 9, kWide),
              HasSubstr("signature by a key that no releaser has now"));
}

TEST(JobHistory, ProgramsGetTheSameOfAnImport) {
  std::ostringstream out;
  WriteImportHistoryJson(Released(), out);
  const json all = json::parse(out.str());
  EXPECT_EQ(all["history"][0]["outcome"], "failed");
  const json& run = all["history"][1];
  EXPECT_EQ(run["run"], "0123456789abcdef");
  EXPECT_EQ(run["outcome"], "applied");
  EXPECT_EQ(run["received_rows"], 15);
  EXPECT_EQ(run["refused_rows"], 1);
  EXPECT_EQ(run["held_rows"], 0);
  EXPECT_EQ(run["bytes"], 1234);
  EXPECT_EQ(run["locked_seconds"], 70);
  EXPECT_EQ(run["behind"], json({"li@n"}));
  ASSERT_EQ(run["decisions"].size(), 4u);
  EXPECT_EQ(run["decisions"][1]["who"], "zoe");
  EXPECT_EQ(run["decisions"][1]["reason"], "the night shift ended");
  EXPECT_EQ(run["decisions"][1]["signature_holds"], true);
  EXPECT_EQ(run["decisions"][3]["locked_seconds"], 70);
}

}  // namespace
}  // namespace postern::view
