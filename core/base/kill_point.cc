#include "core/base/kill_point.h"

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>

namespace postern::base {
namespace {

struct Armed {
  std::string name;
  long count = 0;  // passes left; 0: inert

  Armed() {
    const char* setting = std::getenv("POSTERN_KILL_POINT");  // NOLINT(concurrency-mt-unsafe)
    if (setting == nullptr || *setting == '\0') return;
    name = setting;
    count = 1;
    if (const size_t colon = name.rfind(':'); colon != std::string::npos) {
      count = std::strtol(name.c_str() + colon + 1, nullptr, 10);
      name.resize(colon);
    }
  }
};

}  // namespace

void KillPoint(std::string_view name) {
  static Armed armed;
  static std::mutex mutex;
  if (armed.count == 0 || name != armed.name) return;
  const std::lock_guard lock(mutex);
  if (armed.count > 0 && --armed.count == 0) std::raise(SIGKILL);
}

}  // namespace postern::base
