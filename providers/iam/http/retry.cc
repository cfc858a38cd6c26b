#include "providers/iam/http/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace postern::iam {
namespace {

using std::chrono::milliseconds;

bool MayRepeat(const Attempt& attempt) {
  if (attempt.status == 0) return !attempt.write || !attempt.sent;
  switch (attempt.status) {
    case 429:
      return true;
    case 503:
      return !attempt.write || attempt.retry_after.has_value();
    case 500:
    case 502:
    case 504:
      return !attempt.write;
    default:
      return false;
  }
}

}  // namespace

std::optional<milliseconds> NextDelay(const Attempt& attempt, int made, const RetryLimits& limits,
                                      uint64_t random) {
  if (made >= limits.attempts || !MayRepeat(attempt)) return std::nullopt;
  if (attempt.retry_after) {
    const milliseconds asked = *attempt.retry_after;
    if (asked > limits.longest_wait) return std::nullopt;
    // Not before it asked, and not all at that moment.
    return asked + milliseconds(random % 250);
  }
  milliseconds step = limits.first_delay;
  for (int i = 1; i < made && step < limits.longest_delay; ++i) step *= 2;
  step = std::min(step, limits.longest_delay);
  const auto half = static_cast<uint64_t>(step.count() / 2);
  return milliseconds(static_cast<int64_t>(half + random % (half + 1)));
}

std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view value, int64_t now) {
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  if (value.empty()) return std::nullopt;
  int64_t seconds = 0;
  const auto end = value.data() + value.size();
  const auto number = std::from_chars(value.data(), end, seconds);
  if (number.ec == std::errc() && number.ptr == end) {
    return seconds < 0 ? std::nullopt : std::optional(std::chrono::seconds(seconds));
  }
  const time_t at = ::curl_getdate(std::string(value).c_str(), nullptr);
  if (at == -1) return std::nullopt;
  return std::chrono::seconds(std::max<int64_t>(0, at - now));
}

}  // namespace postern::iam
