// tests/unit/apply/apply_bench.h: a target in this process that does as it is told or fails, and a
// real ledger in a scratch folder. One thread a target, as in an apply.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/apply/apply.h"
#include "tests/unit/plan/bench.h"

namespace postern::apply {

namespace fs = std::filesystem;
using namespace testing_objects;  // NOLINT
using access::Right;
using object::Kind;
using object::Status;
using plan::Bench;
using plan::kCorp;
using plan::kHost;
using plan::kNow;

inline const access::Rights kList = Right::kList;

// What a target does instead of what it is asked, the next `times` times, for one key.
struct Fault {
  Status status = Status::kApplied;
  bool writes = true;        // whether the object is changed
  bool claims_after = true;  // whether the answer shows it as wanted
  int times = 1000;
  std::string message = {};
};

struct FakeWorld {
  std::map<std::pair<Kind, std::string>, object::Object> objects;
  std::map<std::string, Fault> faults;          // by key
  bool unreadable = false;                      // point reads say nothing
  std::vector<std::vector<std::string>> calls;  // containers of each call
  std::vector<std::string> done;                // keys in the order of writing
  int ids = 0;
};

class FakeTarget final : public object::Target {
 public:
  explicit FakeTarget(FakeWorld* world) : world_(world) {}
  Result<object::Probe> ProbeTarget() override { return object::Probe{}; }
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const Kind>,
                                                     object::ObjectSink&) override {
    return std::vector<object::ScopeStatus>{};
  }
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override {
    std::vector<object::ReadAnswer> answers;
    for (const auto& key : keys) answers.push_back(Look(key.kind, key.key));
    if (world_->unreadable) {
      for (auto& answer : answers) answer.answer = object::Answer::kUnreadable;
    }
    return answers;
  }
  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets&,
                     object::OutcomeSink& sink) override {
    world_->calls.emplace_back();
    for (const object::OperationGroup& group : groups) {
      world_->calls.back().push_back(group.container);
      for (const object::Operation& operation : group.operations) sink.Add(Carry(operation));
    }
    return {};
  }

 private:
  object::ReadAnswer Look(Kind kind, const std::string& key) const {
    object::ReadAnswer answer;
    const auto at = world_->objects.find({kind, key});
    answer.answer = at == world_->objects.end() ? object::Answer::kAbsent : object::Answer::kValue;
    if (at != world_->objects.end()) answer.object = at->second;
    answer.object.kind = kind;
    answer.object.key = key;
    return answer;
  }
  void Write(const object::Operation& operation) {
    const std::pair key(operation.kind, operation.key);
    world_->done.push_back(operation.key);
    if (operation.after.empty()) {
      world_->objects.erase(key);
      return;
    }
    object::Object object = world_->objects[key];
    if (object.id.empty()) object.id = "id" + std::to_string(++world_->ids);
    object.kind = operation.kind;
    object.key = operation.new_key.empty() ? operation.key : operation.new_key;
    object.body = object::Overlay(operation.kind, object.body, operation.after);
    world_->objects.erase(key);
    world_->objects[{object.kind, object.key}] = object;
  }
  object::Outcome Carry(const object::Operation& operation) {
    object::Outcome outcome;
    outcome.id = operation.id;
    outcome.status = Status::kApplied;
    const auto fault = world_->faults.find(operation.key);
    const bool faulty = fault != world_->faults.end() && fault->second.times-- > 0;
    const auto live = world_->objects.find({operation.kind, operation.key});
    const bool expected =
        operation.before.empty()
            ? live == world_->objects.end()
            : live != world_->objects.end() &&
                  object::Satisfies(operation.kind, operation.before, live->second.body);
    if (faulty) {
      outcome.status = fault->second.status;
      outcome.message = fault->second.message;
      if (fault->second.writes) Write(operation);
    } else if (operation.kind == Kind::kSession) {
      outcome.status = Status::kAlreadySo;
    } else if (!expected) {
      outcome.status = Status::kPreconditionFailed;
    } else {
      Write(operation);
    }
    outcome.live =
        Look(operation.kind, operation.new_key.empty() ? operation.key : operation.new_key);
    return outcome;
  }

  FakeWorld* world_;
};

class ApplyTest : public testing::Test {
 protected:
  ApplyTest() {
    std::string name = (fs::temp_directory_path() / "postern-apply-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto opened = ledger::Ledger::Open(folder_ / "ledger.db", ledger::Ledger::Mode::kReadWrite);
    EXPECT_TRUE(opened);
    ledger_ = *std::move(opened);
    for (const char* name : {kCorp, kHost}) {
      targets_.emplace_back();
      targets_.back().name = name;
      targets_.back().target = std::make_unique<FakeTarget>(&worlds_[name]);
    }
  }
  ~ApplyTest() override {
    ledger_.reset();
    fs::remove_all(folder_);
  }

  FakeWorld& world(const char* name = kHost) { return worlds_[name]; }
  void Live(object::Object object, const char* target = kHost) {
    if (object.id.empty()) object.id = "live-" + object.key;
    worlds_[target].objects[{object.kind, object.key}] = object;
  }
  plan::Plan MakePlan() {
    for (const char* name : {kCorp, kHost}) {
      bench_.live[name].clear();
      for (const auto& [key, object] : worlds_[name].objects) bench_.live[name].push_back(object);
      bench_.recorded[name] = *ledger_->RecordedOf(name);
    }
    bench_.open_intents = *ledger_->OpenIntents();
    return bench_.Make();
  }
  Report Carry(const plan::Plan& plan, const Options& options = {}) {
    const observe::SecretStore secrets(&bench_.declarations);
    auto report = Apply(plan, *ledger_, targets_, secrets, options, {});
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : Report{};
  }
  // First what is live is made ours, so that the tests speak of what they are about.
  void Adopt() { EXPECT_TRUE(Carry(MakePlan()).complete()); }
  ledger::Recorded Recorded(const char* target, Kind kind, const std::string& key) {
    const auto rows = ledger_->RecordedOf(target);
    for (const auto& row : *rows) {
      if (row.kind == kind && row.key == key) return row;
    }
    return {};
  }

  fs::path folder_;
  std::map<std::string, FakeWorld> worlds_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::vector<observe::OpenTarget> targets_;
  Bench bench_;
};

}  // namespace postern::apply
