#include "cmd/postern/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/check.h"

namespace postern::cmd {
namespace {

constexpr char kSignal = 's', kEnd = 'e';
std::atomic<int> wake_descriptor = -1;

// Async-signal-safe: a write to a pipe and nothing else.
void Handle(int) {
  const int saved = errno;
  const ssize_t ignored = write(wake_descriptor.load(), &kSignal, 1);
  (void)ignored;
  errno = saved;
}

void Install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(std::function<void()> first, std::function<void()> again)
    : first_(std::move(first)), again_(std::move(again)) {
  POSTERN_CHECK(pipe2(wake_, O_CLOEXEC) == 0, "no pipe for signals");
  wake_descriptor = wake_[1];
  watcher_ = std::thread([this] { Watch(); });
  Install(&Handle);
}

Interrupt::~Interrupt() {
  Install(SIG_DFL);
  const ssize_t ignored = write(wake_[1], &kEnd, 1);
  (void)ignored;
  watcher_.join();
  close(wake_[0]);
  close(wake_[1]);
}

void Interrupt::Watch() {
  for (int seen = 0;;) {
    char what = 0;
    const ssize_t count = read(wake_[0], &what, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || what == kEnd) return;
    if (++seen == 1) {
      stop_ = true;
      first_();
    } else if (seen == 2) {
      again_();
    }
  }
}

}  // namespace postern::cmd
