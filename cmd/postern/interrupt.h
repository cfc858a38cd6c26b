// cmd/postern/interrupt.h: Ctrl-C during an apply. Once: hand out no more; twice: cancel the calls
// that are under way. The ledger is right either way.
//
// One at a time a process. SIGTERM counts like Ctrl-C.
#pragma once
#include <atomic>
#include <functional>
#include <thread>

namespace postern::cmd {

class Interrupt {
 public:
  // `again` is called once, from a thread of its own, at the second signal; `first` at the first.
  Interrupt(std::function<void()> first, std::function<void()> again);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& stop() const { return stop_; }

 private:
  void Watch();

  std::atomic<bool> stop_ = false;
  std::function<void()> first_, again_;
  int wake_[2] = {-1, -1};  // written to by the handler, and by the destructor
  std::thread watcher_;
};

}  // namespace postern::cmd
