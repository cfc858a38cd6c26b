// providers/iam/http/retry.h: whether a request is sent again, and when. Pure.
//
// A read may always be sent again. A write is sent again only when the server said that it did
// nothing (429, or 503 with Retry-After: RFC 6585 section 4, RFC 9110 section 15.6.4), or when no
// byte of it left: everything else is for a read to decide.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::iam {

struct RetryLimits {
  int attempts = 5;  // the first included
  std::chrono::milliseconds first_delay{200};
  std::chrono::milliseconds longest_delay{20'000};
  std::chrono::milliseconds longest_wait{60'000};  // what Retry-After may ask for
};

// What became of one attempt.
struct Attempt {
  bool write = false;
  int status = 0;     // 0: no answer
  bool sent = false;  // without an answer: some of the request may have reached the server
  std::optional<std::chrono::seconds> retry_after;
};

// How long to wait before attempt `made` + 1; nothing: it stays at this answer. `random`: any
// number, spreads the waits over the upper half of each step, so that clients that failed together
// don't come back together.
std::optional<std::chrono::milliseconds> NextDelay(const Attempt& attempt, int made,
                                                   const RetryLimits& limits, uint64_t random);

// The value of Retry-After: seconds, or an HTTP date against `now`; RFC 9110 section 10.2.3.
// Nothing for anything else. A moment in the past is no wait.
std::optional<std::chrono::seconds> ParseRetryAfter(std::string_view value, int64_t now);

}  // namespace postern::iam
