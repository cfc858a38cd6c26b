// cmd/postern/progress.h: that something goes on, for whatever takes more than a second.
//
// On a terminal one line that is drawn over, several times a second, also when nothing moves (a
// server that doesn't answer); elsewhere one plain line a target when it is observed. Nothing with
// --quiet. Both wipe the line when they go.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cmd/postern/shell.h"
#include "cmd/postern/ticker.h"
#include "core/observe/observe.h"

namespace postern::cmd {

// Draws what `text` says now and for how long it has been going on. `text` is called from another
// thread. Nobody else writes to stderr meanwhile.
class StatusLine {
 public:
  StatusLine(Shell& shell, std::function<std::string()> text);
  StatusLine(Shell& shell, std::string text)
      : StatusLine(shell, [text = std::move(text)] { return text; }) {}
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  void Draw();

  Shell& shell_;
  const std::function<std::string()> text_;
  const Clock::time_point began_ = Clock::now();
  bool on_screen_ = false;        // the ticker's own while that lives
  std::optional<Ticker> ticker_;  // on a terminal
};

// Thread-safe: targets report from their own threads.
class ObserveProgress {
 public:
  // `targets`: all that will be observed.
  ObserveProgress(Shell& shell, const std::vector<std::string>& targets);

  void Report(const std::string& target, const observe::Seen& seen);

 private:
  using Clock = std::chrono::steady_clock;
  std::string Text();

  Shell& shell_;
  const Clock::time_point began_ = Clock::now();
  std::mutex mutex_;
  std::map<std::string, observe::Seen> targets_;  // guarded by mutex_
  StatusLine line_;                               // last: its thread asks for Text()
};

}  // namespace postern::cmd
