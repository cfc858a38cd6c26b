// providers/sdk/turns.h: one call at a time reaches what a provider serves.
//
// gRPC calls from threads of its own; a target and a place are for one thread. Any thread.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace postern::sdk {

class Turns {
 public:
  // Waits for the call before, also for one that was cancelled and has not returned.
  class Turn {
   public:
    explicit Turn(Turns& turns) : turns_(turns) {
      std::unique_lock lock(turns.mutex_);
      turns.idle_.wait(lock, [&] { return !turns.busy_; });
      turns.busy_ = true;
      closed_ = turns.closed_;
    }
    ~Turn() {
      const std::lock_guard lock(turns_.mutex_);
      turns_.busy_ = false;
      turns_.idle_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool closed() const { return closed_; }

   private:
    Turns& turns_;
    bool closed_ = false;
  };

  // Every later turn is a closed one. False: a call still runs after `patience`; else `then` runs
  // before any other call.
  template <class Then>
  bool Close(std::chrono::milliseconds patience, Then then) {
    std::unique_lock lock(mutex_);
    closed_ = true;
    if (!idle_.wait_for(lock, patience, [this] { return !busy_; })) return false;
    then();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable idle_;
  bool busy_ = false, closed_ = false;  // guarded by mutex_
};

}  // namespace postern::sdk
