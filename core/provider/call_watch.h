// core/provider/call_watch.h: the one call that a client of a provider has under way, and the watch
// for a provider that says nothing.
//
// Calls come from one thread, one at a time; Cancel and Tick from any.
#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

namespace grpc {
class ClientContext;
}  // namespace grpc

namespace postern::provider {

class CallWatch {
 public:
  explicit CallWatch(std::chrono::milliseconds silence) : silence_(silence) {}

  // One RPC: it can be cancelled from any thread while this object lives.
  class Call {
   public:
    // With `limit` the call ends then, whatever comes.
    Call(CallWatch& watch, const char* what,
         std::chrono::milliseconds limit = std::chrono::milliseconds(0));
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // Runs `wait`, which blocks on the provider, under the watch for silence. Time that the core
    // itself takes between two messages doesn't count.
    template <class Wait>
    auto Watch(Wait wait) {
      watch_.quiet_since_ = Now();
      auto answer = wait();
      watch_.quiet_since_ = 0;
      return answer;
    }
    const char* what() const { return what_; }
    std::chrono::milliseconds limit() const { return limit_; }

   private:
    CallWatch& watch_;
    const std::unique_ptr<grpc::ClientContext> owned_;
    const char* what_;
    std::chrono::milliseconds limit_;

   public:
    grpc::ClientContext& context;  // while this lives
  };

  // Ends the call under way and every later one.
  void Cancel();
  // To be called about every second: ends a call during which nothing came for too long.
  void Tick();
  bool cancelled() const;
  bool silent() const;

 private:
  static int64_t Now();  // milliseconds of a clock that isn't set

  const std::chrono::milliseconds silence_;
  std::atomic<int64_t> quiet_since_ = 0;  // 0: we aren't waiting for the provider
  mutable std::mutex mutex_;
  grpc::ClientContext* running_ = nullptr;  // guarded by mutex_, as what follows
  bool cancelled_ = false, silent_ = false;
};

}  // namespace postern::provider
