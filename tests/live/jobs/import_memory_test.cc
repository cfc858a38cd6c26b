// A person in a plan costs what it costs; a file costs nothing besides.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "cmd/postern/exit_code.h"
#include "tests/live/jobs/import_bench.h"

namespace postern::cmd {
namespace {

using support::RunResult;
using support::Slapd;
using testing::HasSubstr;

constexpr int kFew = 100, kMany = 20'000;
// As the schema says (ImportLimits.rows).
constexpr long kKibARow = 12;

class ImportMemory : public testing::Test {
 protected:
  ImportMemory() : place_("sftp"), slapd_(ImportBench::DirectoryOptions()), bench_(place_) {
    EXPECT_TRUE(place_.Start());
    bench_.To(slapd_);
    bench_.more = "thresholds = { create = 100000, change_percent = 100 }";
    bench_.Install();
  }
  // KiB of the run that takes it.
  long Take(const std::string& name, const std::string& people) {
    long kib = 0;
    bench_.Deliver(name, people);
    const RunResult run = bench_.RunMeasured(&kib);
    EXPECT_EQ(run.exit, kOk) << run.out << run.err;
    return kib;
  }

  jobs::LivePlace place_;
  const Slapd slapd_;
  ImportBench bench_;
};

// Under a sanitizer memory says nothing.
TEST_F(ImportMemory, ARowTakesWhatTheLimitOfRowsIsMadeFor) {
  jobs::LivePlace place("sftp");
  ASSERT_TRUE(place.Start());
  const Slapd slapd(ImportBench::DirectoryOptions());
  ImportBench small(place);
  small.To(slapd);
  small.more = bench_.more;
  small.Install();
  long few = 0;
  small.Deliver("roster_1.csv", ImportBench::People(0, kFew));
  ASSERT_EQ(small.RunMeasured(&few).exit, kOk);
  const long first = Take("roster_1.csv", ImportBench::People(0, kMany));
  // All are known now: declared, recorded and live.
  const long second =
      Take("roster_2.csv", ImportBench::People(0, kMany, "A99999,new,new@acme.test\r\n"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  for (const long kib : {first, second}) {
    EXPECT_LT((kib - few) / (kMany - kFew), kKibARow) << few << ", then " << kib << " KiB";
  }
#endif
  RecordProperty("kib", fmt::format("{} {} {}", few, first, second));
}

// Without a limit of its own an import takes fifty thousand rows; the way to more is named.
TEST_F(ImportMemory, MoreRowsThanFitAreRefusedWithTheNameOfTheLimit) {
  bench_.Deliver("roster_1.csv", ImportBench::People(0, 50'001));
  const RunResult run = bench_.Run();
  EXPECT_EQ(run.exit, kRefused) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("more than 50000 rows (limits.rows)"));
}

}  // namespace
}  // namespace postern::cmd
