// cmd/postern/ticker.h: calls a function again and again from a thread of its own, as long as it
// lives.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace postern::cmd {

class Ticker {
 public:
  Ticker(std::chrono::milliseconds every, std::function<void()> tick)
      : every_(every), tick_(std::move(tick)), thread_([this] { Loop(); }) {}
  // After this no call is under way.
  ~Ticker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  void Loop() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, every_, [this] { return ended_; })) {
      lock.unlock();
      tick_();
      lock.lock();
    }
  }

  const std::chrono::milliseconds every_;
  const std::function<void()> tick_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;  // guarded by mutex_
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace postern::cmd
