// Every folder of tests/golden/plans/cases: real commands against expected.txt.
// UPDATE_GOLDEN=1 rewrites the texts and skips.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/golden/plans/normalise.h"
#include "tests/golden/plans/runner.h"
#include "tests/golden/stage.h"

namespace postern::golden {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> PlanCases() {
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(Root() / "plans/cases")) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

class PlanGolden : public testing::TestWithParam<fs::path> {};

TEST_P(PlanGolden, SaysWhatItShould) {
  const fs::path expected = GetParam() / "expected.txt";
  const std::string got = Runner(GetParam()).Go();
  if (std::getenv("UPDATE_GOLDEN")) {  // NOLINT(concurrency-mt-unsafe)
    WriteText(expected, got);
    GTEST_SKIP() << "rewrote " << expected << "; read the diff before you commit it";
  }
  EXPECT_EQ(got, ReadText(expected)) << "run again with UPDATE_GOLDEN=1 if this is intended";
}

INSTANTIATE_TEST_SUITE_P(Cases, PlanGolden, testing::ValuesIn(PlanCases()), [](const auto& info) {
  std::string name = info.param.filename().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Normalise, LeavesWhatACaseIsAbout) {
  const std::string said = "until 2090-12-31, 3 of 5 people, exit 4, REQ-8841, 30 days";
  EXPECT_EQ(Normalise(said, "/nowhere"), said);
  EXPECT_EQ(Normalise("Plan 7f3a quiet-heron in 1.5 s at /x/y", "/x"),
            "Plan xxxx some-bird in 0.0 s at <work>/y");
}

TEST(MembersOf, RefusesWhatIsNoJson) {
  EXPECT_EQ(MembersOf("{\"a\": [{\"b\": 1}]}"), "a\na[]\na[].b\n");
  EXPECT_EQ(MembersOf("{\"a\": }"), "");
  EXPECT_EQ(MembersOf("{} {}"), "");
}

}  // namespace
}  // namespace postern::golden
