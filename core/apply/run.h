// core/apply/run.h: one apply in progress. Internal to core/apply.
//
// One thread a target carries out that target's part of a wave; they meet at the end of each wave.
// The ledger is one connection behind one mutex: each batch is one commit.
#pragma once
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/apply/apply.h"

namespace postern::apply {

class Run {
 public:
  Run(const plan::Plan& plan, ledger::Ledger& ledger, std::vector<observe::OpenTarget>& targets,
      const observe::SecretStore& secrets, const Options& options, const Events& events);
  Result<Report> Go();

 private:
  // apply.cc
  Result<void> Begin();
  Result<void> RecordOnly();
  Result<void> KeepSecret(const std::string& target, ledger::Recorded* record);
  void RunPhase(plan::Phase phase);
  void RunWave(const std::vector<size_t>& steps);
  void Advance(ptrdiff_t steps);
  void Barrier();
  bool Ready(size_t step);
  void Finish();
  bool Stopped() const;
  void LeaveOut(size_t step);  // not handed out any more
  void SetState(size_t step, StepState state, std::string message = {});
  // batch.cc
  void RunTarget(uint32_t target, const std::vector<size_t>& steps);
  class Collector;
  void RunBatch(object::Target& client, std::span<const size_t> steps);
  Result<object::Secrets> SecretsFor(std::span<const size_t> steps, uint32_t target) const;
  std::map<uint64_t, object::Outcome> Call(object::Target& client, std::span<const size_t> steps,
                                           const object::Secrets& secrets, Error* died,
                                           ptrdiff_t* counted);
  void DecideUnknown(object::Target& client, std::map<uint64_t, object::Outcome>* outcomes);
  void Judge(size_t step, const object::Outcome& outcome, std::vector<ledger::Outcome>* log);
  // sessions.cc
  Result<void> ReadLeft();
  void AnnounceEnds(plan::Phase phase, std::vector<ledger::Intent>* intents) const;
  std::vector<ledger::Intent> EndsStillDue(std::span<const size_t> steps) const;
  Result<void> CloseLeft(std::span<const size_t> steps);
  // record.cc
  ledger::Intent IntentOf(size_t step) const;
  bool SecretWritten(size_t step) const;
  void LogOf(size_t step, const object::Outcome& outcome, bool done,
             std::vector<ledger::Outcome>* log) const;
  std::vector<ledger::Census> CensusNow() const;
  ledger::Recorded RecordFor(const plan::Change& change, const object::Object& live) const;

  const plan::Plan& plan_;
  ledger::Ledger& ledger_;
  std::vector<observe::OpenTarget>& targets_;
  const observe::SecretStore& secrets_;
  const Options& options_;
  const Events& events_;
  Report report_;
  uint64_t apply_ = 0;
  std::map<uint32_t, std::vector<size_t>> steps_of_;  // change -> its steps, in order
  std::map<uint32_t, std::string> blocked_;           // component -> why
  std::mutex mutex_;  // guards report_, ledger_, what follows and the events' callbacks
  bool ends_announced_ = false;
  std::vector<ledger::OpenIntent> left_;  // ends of sessions that earlier applies announced
  PhaseProgress now_;
  std::string ledger_error_;
};

}  // namespace postern::apply
