// Outside its time, or switched off, a job sends nothing, whoever wakes it.
#include <gmock/gmock.h>

#include "tests/unit/jobs/export_bench.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ExportClosed, NothingGoesOutsideItsTime) {
  Job job;
  job.Daily("all");
  job.spec.set_not_before(kStart + kDay);
  job.spec.set_not_after(kStart + 2 * kDay);
  struct Case {
    base::Instant now;
    const char* outcome;
    const char* why;
  };
  for (const Case& one :
       {Case{kStart + kDay - 1, "refused", "begins at 2026-03-02T00:00:00Z"},
        Case{kStart + kDay + 10000, "delivered", ""}, Case{kStart + 2 * kDay, "", ""},
        Case{kStart + 2 * kDay + 1, "refused", "over since 2026-03-03T00:00:00Z"},
        Case{kStart + 3 * kDay, "refused", "over since"}}) {
    job.now = one.now;
    const auto outcomes = job.Outcomes();
    EXPECT_EQ(outcomes.empty() ? "" : outcomes.back(), one.outcome) << one.now;
    EXPECT_THAT(job.Complaint(), HasSubstr(one.why));
    if (*one.why != '\0') {
      EXPECT_THAT(job.Complaint(), HasSubstr("E0883"));
      EXPECT_EQ(ReadEvents(job.folder)->back().outcome, "refused");
      EXPECT_EQ(ReadLast(job.folder + "/last.json")->outcome(), "refused");
    }
  }
  EXPECT_THAT(job.Outcomes({.slot = kStart + 2 * kDay}), ElementsAre("refused")) << "by hand";
}

// A file that waits goes neither; where the time goes on, it is there still.
TEST(ExportClosed, AFileThatWaitsStays) {
  Job job;
  job.Daily("all");
  job.now = kStart + 10000;
  job.calls_left = 0;
  EXPECT_THAT(job.Outcomes(), ElementsAre("failed"));
  job.calls_left = -1;
  job.spec.set_not_after(kStart + 20000);
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_THAT(job.Arrived(), IsEmpty());
  job.spec.set_not_after(kStart + 30 * kDay);
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered", "delivered"));
}

TEST(ExportClosed, NothingGoesAsAnAccountThatIsSwitchedOff) {
  Job job;
  job.spec.mutable_service_account()->set_name("feed");
  job.spec.mutable_service_account()->set_enabled(false);
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_EQ(job.Complaint(), "E0883 service:feed, which it runs as, is switched off");
  job.spec.mutable_service_account()->set_enabled(true);
  job.spec.mutable_export_()->set_enabled(false);
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_EQ(job.Complaint(), "E0883 it is switched off");
}

}  // namespace
}  // namespace postern::jobs::test
