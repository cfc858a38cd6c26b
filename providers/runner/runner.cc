#include "providers/runner/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/object/fields.h"
#include "providers/filetransfer/transport/open.h"
#include "providers/runner/machine.h"
#include "providers/runner/probe.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"

namespace postern::runner {
namespace {

using object::Answer;
using object::Kind;
using object::Operation;
using object::Outcome;
using object::ReadAnswer;
using object::ScopeStatus;
using object::Status;

bool Wants(std::span<const Kind> kinds, Kind kind) {
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

std::string JobIn(std::string_view key) {
  return std::string(object::SplitKey(key).front());
}

object::Object ObjectOf(const std::string& job, const Run& run) {
  kinds::JobRun object;
  object.set_job(job);
  object.set_run(run.id());
  object.set_since(run.since);
  return object::Encode(object);
}

Status StatusOf(const Error& error) {
  if (error.retryable()) return Status::kUnknown;  // the batch may have run
  return error.code == ErrorCode::kConflict ? Status::kPreconditionFailed : Status::kDenied;
}

class RunnerTarget final : public object::Target {
 public:
  explicit RunnerTarget(Machine machine) : machine_(std::move(machine)) {}

  Result<object::Probe> ProbeTarget() override { return ProbeMachine(machine_); }

  Result<std::vector<ScopeStatus>> Enumerate(std::span<const Kind> kinds,
                                             object::ObjectSink& sink) override {
    auto reading = machine_.Read({});
    if (!reading) return tl::unexpected(reading.error());
    const auto status = [&](Kind kind) {
      ScopeStatus scope;
      scope.kind = kind;
      scope.complete = scope.sentinel_seen = reading->complete;
      scope.reason = reading->why;
      return scope;
    };
    ScopeStatus jobs = status(Kind::kJob), runs = status(Kind::kJobRun);
    for (const auto& [name, state] : reading->jobs) {
      if (Wants(kinds, Kind::kJob) && state.installed()) {
        ++jobs.count;
        if (!sink.Add(machine_.ObjectOf(name, state).view())) return Gone();
      }
      for (const Run& run : state.runs) {
        if (!Wants(kinds, Kind::kJobRun)) break;
        ++runs.count;
        if (!sink.Add(ObjectOf(name, run).view())) return Gone();
      }
    }
    std::vector<ScopeStatus> out;
    if (Wants(kinds, Kind::kJob)) out.push_back(std::move(jobs));
    if (Wants(kinds, Kind::kJobRun)) out.push_back(std::move(runs));
    return out;
  }

  Result<std::vector<ReadAnswer>> Read(std::span<const object::ObjectKey> keys) override {
    std::set<std::string> names;
    for (const object::ObjectKey& key : keys) names.insert(JobIn(key.key));
    auto reading = machine_.Read(names);
    if (!reading) return tl::unexpected(reading.error());
    std::vector<ReadAnswer> out;
    out.reserve(keys.size());
    for (const object::ObjectKey& key : keys) out.push_back(AnswerOf(key, *reading));
    return out;
  }

  Result<void> Apply(std::span<const object::OperationGroup> groups, const object::Secrets&,
                     object::OutcomeSink& sink) override {
    for (const object::OperationGroup& group : groups) {
      for (const Operation& operation : group.operations) sink.Add(ApplyOne(operation));
    }
    return {};
  }

 private:
  static tl::unexpected<Error> Gone() {
    return Fail(ErrorCode::kCancelled, "nobody takes the answer any more");
  }

  ReadAnswer AnswerOf(const object::ObjectKey& key, const Reading& reading) const {
    ReadAnswer answer;
    answer.object.kind = key.kind;
    answer.object.key = key.key;
    answer.answer = Answer::kAbsent;
    const auto at = reading.jobs.find(JobIn(key.key));
    if (!reading.complete) {
      answer.answer = Answer::kUnreadable;
      answer.reason = reading.why;
    } else if (key.kind == Kind::kJob) {
      if (at == reading.jobs.end() || !at->second.installed()) return answer;
      answer.answer = Answer::kValue;
      answer.object = machine_.ObjectOf(at->first, at->second);
    } else if (key.kind == Kind::kJobRun) {
      if (at == reading.jobs.end()) return answer;
      for (const Run& run : at->second.runs) {
        if (run.id() != object::SplitKey(key.key)[1]) continue;
        answer.answer = Answer::kValue;
        answer.object = ObjectOf(at->first, run);
      }
    } else {
      answer.answer = Answer::kUnreadable;
      answer.reason = "a runner has jobs and their runs only";
    }
    return answer;
  }

  static bool IsAsExpected(const Operation& operation, const ReadAnswer& live) {
    if (operation.before.empty()) return live.answer == Answer::kAbsent;
    return live.answer == Answer::kValue &&
           object::Satisfies(operation.kind, operation.before, live.object.body);
  }

  static bool IsDone(const Operation& operation, const ReadAnswer& live) {
    if (operation.after.empty()) return live.answer == Answer::kAbsent;
    return live.answer == Answer::kValue &&
           object::Satisfies(operation.kind, operation.after, live.object.body);
  }

  Outcome ApplyOne(const Operation& operation) {
    const std::string name = JobIn(operation.key);
    Outcome outcome;
    outcome.id = operation.id;
    auto reading = machine_.Read({name});
    if (!reading) return Answered(operation, Status::kTransient, reading.error().message);
    outcome.live = AnswerOf({operation.kind, operation.key}, *reading);
    if (outcome.live.answer == Answer::kUnreadable) {
      return Answered(operation, Status::kDenied, outcome.live.reason);
    }
    if (IsDone(operation, outcome.live)) {
      outcome.status = Status::kAlreadySo;
      return outcome;
    }
    if (!IsAsExpected(operation, outcome.live)) {
      outcome.status = Status::kPreconditionFailed;
      outcome.message = "it isn't as it was when this was planned";
      return outcome;
    }
    const Result<void> done = Carry(operation, name, *reading);
    if (!done) return Answered(operation, StatusOf(done.error()), done.error().message);
    return Answered(operation, Status::kApplied, "");
  }

  Result<void> Carry(const Operation& operation, const std::string& name, const Reading& reading) {
    const JobState& state = reading.jobs.at(name);
    if (operation.kind == Kind::kJobRun) {
      if (!operation.after.empty()) return Fail(ErrorCode::kInvalid, "a run is started by its job");
      std::vector<Run> runs = state.runs;
      std::erase_if(runs,
                    [&](const Run& run) { return run.id() != object::SplitKey(operation.key)[1]; });
      return machine_.EndRuns(runs);
    }
    if (operation.after.empty()) return machine_.Remove(name, state, reading.systemd_runs);
    return machine_.Write(name, state, operation.after, reading.systemd_runs);
  }

  // With what is live afterwards, read anew.
  Outcome Answered(const Operation& operation, Status status, std::string message) {
    Outcome outcome;
    outcome.id = operation.id;
    outcome.status = status;
    outcome.message = std::move(message);
    const object::ObjectKey key{operation.kind, operation.key};
    auto answers = Read(std::span(&key, 1));
    if (answers) {
      outcome.live = std::move(answers->front());
    } else {
      outcome.live.object.kind = key.kind;
      outcome.live.object.key = key.key;
      outcome.live.reason = answers.error().message;
      if (status == Status::kApplied) outcome.status = Status::kUnknown;
    }
    return outcome;
  }

  Machine machine_;
};

}  // namespace

Result<std::unique_ptr<object::Target>> MakeTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& /*secrets*/) {
  if (!config.has_runner() || !config.has_host()) {
    return Fail(ErrorCode::kInvalid, "this provider serves runners only");
  }
  if (config.runner().user().empty()) return Fail(ErrorCode::kInvalid, "user is missing");
  auto transport = filetransfer::OpenTransport(config.host());
  if (!transport) return tl::unexpected(transport.error());
  return std::make_unique<RunnerTarget>(Machine(*std::move(transport), config.runner()));
}

}  // namespace postern::runner
