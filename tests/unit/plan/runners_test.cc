// A runner that moves or goes leaves nothing behind that runs on unseen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/jobs.h"

namespace postern::plan {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// export.people is installed by runner nightly, on host edge.
struct Runners : testing::Test {
  Runners() {
    auto& runner = Declared();
    runner.set_name("nightly");
    runner.set_host("edge");
    bench.Record(Made(), kRunner);
  }
  decl::Runner& Declared() {
    bench.declarations.runners.resize(1);
    return bench.declarations.runners[0].message;
  }
  object::Object Made() {
    job::JobSpec spec = JobSample{}.Spec();
    *spec.mutable_runner() = Declared();
    auto job = object::DecodeAs<kinds::Job>(JobSample{}.Made().body);
    job.set_spec(jobs::Seal(spec).bytes);
    return object::Encode(job);
  }
  Bench bench;
};

TEST_F(Runners, OneThatStaysIsFree) {
  bench.Want(Made(), kRunner).Live(Made(), kRunner);
  EXPECT_THAT(bench.Make().refusals, IsEmpty());
}

TEST_F(Runners, OneThatMovesWithJobsIsRefused) {
  struct Case {
    const char* said;
    void (*change)(decl::Runner*);
  };
  for (const Case& c :
       {Case{"(host edge -> other)", [](decl::Runner* runner) { runner->set_host("other"); }},
        Case{"(state /var/lib/postern -> /srv/postern)",
             [](decl::Runner* runner) { runner->set_state("/srv/postern"); }},
        Case{"(units of its starter -> /srv/units)",
             [](decl::Runner* runner) { runner->set_units("/srv/units"); }}}) {
    const decl::Runner before = Declared();
    c.change(&Declared());
    bench.wanted.clear();
    const Plan plan = bench.Want(Made(), kRunner).Make();
    ASSERT_THAT(plan.refusals, SizeIs(1)) << c.said;
    EXPECT_THAT(plan.refusals[0].text, HasSubstr(c.said));
    EXPECT_THAT(plan.refusals[0].text, HasSubstr("export.people is installed on host edge"));
    EXPECT_EQ(Said(plan), "create job declaration changed") << "nobody's hands did it";
    EXPECT_THAT(plan.drift, IsEmpty());
    Declared() = before;
  }
}

// Both starters' files are looked for where the runner is.
TEST_F(Runners, AnotherStarterIsNoMove) {
  Declared().set_starter("cron");
  bench.Want(Made(), kRunner);
  EXPECT_THAT(bench.Make().refusals, IsEmpty());
}

TEST_F(Runners, OneThatIsTakenOutWithJobsIsRefused) {
  bench.declarations.runners.clear();
  const Plan plan = bench.Make();
  ASSERT_THAT(plan.refusals, SizeIs(1));
  EXPECT_THAT(plan.refusals[0].text, HasSubstr("runner nightly isn't declared any more, but "
                                               "export.people is installed on host edge"));
  EXPECT_FALSE(plan.observed_all()) << "drift judges nothing where nobody looks";
  ASSERT_FALSE(plan.targets.empty());
  EXPECT_EQ(plan.targets.back().name, kRunner);
  EXPECT_THAT(plan.targets.back().error, HasSubstr("export.people is installed on host edge"));
}

// The machine is gone for good: no job is declared there, so nothing is installed twice.
TEST_F(Runners, OneThatMovesWithoutJobsForgetsThem) {
  Declared().set_host("other");
  const Plan plan = bench.Make();
  EXPECT_THAT(plan.refusals, IsEmpty());
  EXPECT_EQ(Said(plan), "forget job declaration removed");
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_THAT(plan.looks[0].what, HasSubstr("export.people is installed on host edge"));
}

TEST_F(Runners, WhatIsNotPlannedIsNotJudged) {
  Declared().set_host("other");
  bench.only_targets.insert(kHost);
  EXPECT_THAT(bench.Want(Made(), kRunner).Make().refusals, IsEmpty());
}

}  // namespace
}  // namespace postern::plan
