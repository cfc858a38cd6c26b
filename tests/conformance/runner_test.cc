// The runner's provider on this machine, in scratch folders, in this process.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "providers/runner/runner.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/support/scratch.h"

namespace postern::conformance {
namespace {

namespace fs = std::filesystem;

class RunnerWorld : public World {
 public:
  RunnerWorld() {
    config_.set_name("runner:here");
    config_.mutable_host()->set_address("local:");
    decl::Runner& runner = *config_.mutable_runner();
    runner.set_name("here");
    runner.set_user(getpwuid(getuid())->pw_name);  // NOLINT(concurrency-mt-unsafe)
    runner.set_state(scratch_.Folder("state"));
    runner.set_units(scratch_.Folder("units"));
  }

  std::string WhyOff(Feature feature, Kind /*kind*/) const override {
    switch (feature) {
      case Feature::kValues:
      case Feature::kDelete:
        return "";
      case Feature::kStableIds:
      case Feature::kRename:
        return "a job is its name";
      case Feature::kClear:
        return "all fields of a job are set";
      case Feature::kUnreadable:
      case Feature::kCutShort:
        return "root reads every file";
      case Feature::kLostAnswer:
      case Feature::kDeath:
        return "one script writes, and no fault stands between it and the answer";
      case Feature::kWho:
        return "files don't say who wrote them";
    }
    return "";
  }

  Result<std::unique_ptr<object::Target>> Connect() override {
    return runner::MakeTarget(config_, {});
  }

  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    return SampleOf(Names(), kind, n, version);
  }
  int many() const override { return 20; }

  void HandPut(const Message& object) override {
    const auto& job = static_cast<const kinds::Job&>(object);
    fs::create_directories(Folder(job.name()));
    const auto write = [](const std::string& path, const std::string& text) {
      std::ofstream(path, std::ios::trunc) << text;
    };
    if (job.has_spec()) write(Folder(job.name()) + "/spec.json", job.spec());
    if (job.has_timer()) write(Unit(job.name(), ".timer"), job.timer());
    if (job.has_service()) write(Unit(job.name(), ".service"), job.service());
    if (!job.has_enabled()) return;
    const std::string link =
        scratch_.File("units/timers.target.wants/postern-job-") + job.name() + ".timer";
    fs::create_directories(scratch_.File("units/timers.target.wants"));
    fs::remove(link);
    if (job.enabled()) fs::create_symlink(Unit(job.name(), ".timer"), link);
  }

  void HandDelete(Kind /*kind*/, const std::string& key) override {
    fs::remove_all(Folder(key));
    fs::remove(Unit(key, ".timer"));
    fs::remove(Unit(key, ".service"));
    fs::remove(scratch_.File("units/timers.target.wants/postern-job-") + key + ".timer");
  }

  uint32_t MakeUnreadable(Kind, const std::string&) override { return 0; }
  void CutShort(Kind, int) override {}
  void LoseAnswers(int) override {}
  void DieAfter(int) override {}
  void Mend() override {}

 private:
  std::string Folder(const std::string& job) const { return scratch_.File("state/jobs/") + job; }
  std::string Unit(const std::string& job, const char* ending) const {
    return scratch_.File("units/postern-job-") + job + ending;
  }

  support::Scratch scratch_;
  provider::v1::TargetConfig config_;
};

INSTANTIATE_TEST_SUITE_P(Runner, Conformance,
                         testing::ValuesIn(Params("runner", {Kind::kJob},
                                                  [] { return std::make_unique<RunnerWorld>(); })),
                         ParamName);

}  // namespace
}  // namespace postern::conformance
