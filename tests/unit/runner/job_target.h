// tests/unit/runner/job_target.h: a runner as a target, for tests: one job as a plan compiles it,
// written and read back. Here and over SSH.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/jobs/schedule/units.h"
#include "core/object/target.h"
#include "schemas/kinds.pb.h"
#include "tests/support/process.h"

namespace postern::runner {

inline constexpr char kJobName[] = "export.people";

// The job with a timer and service for `user` at the times of `cron`.
inline kinds::Job PlannedJob(const std::string& user, const std::string& cron = "30 2 * * 1-5") {
  jobs::JobUnit unit;
  unit.job = kJobName;
  unit.user = user;
  unit.command = {"/bin/true", "job", "run", unit.job};
  unit.installed = 1'790'000'000;
  diag::Diagnostics said;
  const auto times = jobs::ParseSchedule(cron, "Europe/Berlin", unit.job, &said);
  kinds::Job job;
  job.set_name(unit.job);
  job.set_spec("{\n \"version\": 1\n}\n");
  job.set_timer(*jobs::RenderTimer(*times, unit));
  job.set_service(*jobs::RenderService(unit));
  job.set_enabled(true);
  return job;
}

// Field 22 of /proc/PID/stat.
inline std::string StartOf(pid_t pid) {
  const std::string stat = support::ReadFile(fmt::format("/proc/{}/stat", pid));
  std::istringstream rest(stat.substr(stat.rfind(')') + 2));
  std::string word;
  for (int i = 0; i < 20; ++i) rest >> word;
  return word;
}

// What a target says and does. `target` is set before the first call.
class JobTarget {
 public:
  std::unique_ptr<object::Target> target;

  object::Outcome Apply(object::Kind kind, const std::string& key, const std::string& before,
                        const std::string& after) {
    struct Outcomes : object::OutcomeSink {
      void Add(object::Outcome outcome) override { all.push_back(std::move(outcome)); }
      std::vector<object::Outcome> all;
    } outcomes;
    object::Operation operation;
    operation.id = 7;
    operation.kind = kind;
    operation.key = key;
    operation.before = before;
    operation.after = after;
    const object::OperationGroup group{"here", {operation}};
    EXPECT_TRUE(target->Apply(std::span(&group, 1), {}, outcomes));
    EXPECT_EQ(outcomes.all.size(), 1u);
    EXPECT_EQ(outcomes.all.at(0).id, 7u);
    return outcomes.all.at(0);
  }
  object::Outcome Put(const std::string& before, const kinds::Job& job) {
    return Apply(object::Kind::kJob, kJobName, before, object::EncodeBody(job));
  }

  // All that is there, each scope in full.
  std::vector<object::Object> Seen() {
    struct Objects : object::ObjectSink {
      bool Add(const object::ObjectView& object) override {
        object::Object copy;
        copy.kind = object.kind;
        copy.key = object.key;
        copy.body = object.body;
        copy.unreadable = object.unreadable;
        all.push_back(std::move(copy));
        return true;
      }
      std::vector<object::Object> all;
    } objects;
    const auto scopes = target->Enumerate({}, objects);
    EXPECT_TRUE(scopes) << scopes.error().message;
    for (size_t i = 0; scopes && i < scopes->size(); ++i) EXPECT_TRUE(scopes->at(i).complete);
    return std::move(objects.all);
  }
  std::vector<object::Object> Seen(object::Kind kind) {
    std::vector<object::Object> all = Seen();
    std::erase_if(all, [&](const object::Object& object) { return object.kind != kind; });
    return all;
  }
};

}  // namespace postern::runner
