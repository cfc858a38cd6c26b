// core/base/check.h: broken invariants. Prints where and why, then aborts. Never reachable from
// input.
#pragma once

namespace postern::base {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);
}  // namespace postern::base

#define POSTERN_CHECK(condition, why)                                    \
  do {                                                                   \
    if (!(condition)) {                                                  \
      ::postern::base::CheckFailed(__FILE__, __LINE__, #condition, why); \
    }                                                                    \
  } while (false)
