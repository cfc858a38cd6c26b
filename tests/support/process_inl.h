// tests/support/process_inl.h: the templates of process.h. Include that one.
#pragma once
#include <thread>

namespace postern::support {

template <class Ready>
bool Eventually(milliseconds limit, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    if (ready()) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
}

}  // namespace postern::support
