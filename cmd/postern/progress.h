// cmd/postern/progress.h: that something goes on, for whatever takes more than a second.
//
// On a terminal one line that is drawn over; elsewhere one plain line a target when it is done.
// Thread-safe: targets report from their own threads.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "cmd/postern/shell.h"

namespace postern::cmd {

class ObserveProgress {
 public:
  explicit ObserveProgress(Shell& shell) : shell_(shell), began_(Clock::now()) {}
  ~ObserveProgress() { Finish(); }

  void Report(const std::string& target, uint64_t objects, bool done);
  void Finish();  // wipes the line

 private:
  using Clock = std::chrono::steady_clock;
  struct State {
    uint64_t objects = 0;
    bool done = false;
  };
  void Draw();

  Shell& shell_;
  const Clock::time_point began_;
  Clock::time_point drawn_{};
  std::mutex mutex_;
  std::map<std::string, State> targets_;
  bool on_screen_ = false;
};

}  // namespace postern::cmd
