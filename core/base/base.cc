#include <cstdio>
#include <cstdlib>

#include "core/base/check.h"
#include "core/base/result.h"

namespace postern::base {

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "postern: internal error at %s:%d: %s (%s)\n", file, line, why, condition);
  std::abort();
}

std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return "internal";
    case ErrorCode::kInvalid:
      return "invalid";
    case ErrorCode::kNotFound:
      return "not found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kDenied:
      return "denied";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kIncomplete:
      return "incomplete";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kAuthentication:
      return "authentication";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kUntrusted:
      return "untrusted";
    case ErrorCode::kNotInstalled:
      return "not installed";
  }
  return "unknown";
}

}  // namespace postern::base
