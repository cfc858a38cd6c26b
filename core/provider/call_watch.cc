#include "core/provider/call_watch.h"

#include <grpcpp/client_context.h>

namespace postern::provider {

CallWatch::Call::Call(CallWatch& watch, const char* what, std::chrono::milliseconds limit)
    : watch_(watch),
      owned_(std::make_unique<grpc::ClientContext>()),
      what_(what),
      limit_(limit),
      context(*owned_) {
  if (limit.count() > 0) context.set_deadline(std::chrono::system_clock::now() + limit);
  const std::lock_guard lock(watch_.mutex_);
  watch_.running_ = &context;
  if (watch_.cancelled_) context.TryCancel();
}

CallWatch::Call::~Call() {
  watch_.quiet_since_ = 0;
  const std::lock_guard lock(watch_.mutex_);
  watch_.running_ = nullptr;
}

void CallWatch::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

void CallWatch::Tick() {
  const int64_t since = quiet_since_;
  if (since == 0 || Now() - since < silence_.count()) return;
  const std::lock_guard lock(mutex_);
  silent_ = true;
  if (running_ != nullptr) running_->TryCancel();
}

bool CallWatch::cancelled() const {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

bool CallWatch::silent() const {
  const std::lock_guard lock(mutex_);
  return silent_;
}

int64_t CallWatch::Now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace postern::provider
