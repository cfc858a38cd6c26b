// providers/iam/http/clock.h: how far a server's clock is from ours, by the Date of an answer
// (RFC 9110 section 6.6.1). Whole seconds, so that less than one isn't seen.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/object/target.h"

namespace postern::iam {

// Milliseconds since 1970, as core/base/time.h has seconds.
int64_t NowMs();

// `date` of an answer to a request that was sent at `sent` and answered by `received`; positive:
// the server's clock is ahead. 0 where ours may be the same. Nothing: it tells no time.
std::optional<int64_t> SkewMs(std::string_view date, int64_t sent, int64_t received);

// For `postern providers doctor`. A server that tells no time is no trouble; one whose clock is
// more than half a minute away is: times of facts and ends of tokens are compared with ours.
object::Check ClockCheck(std::optional<int64_t> skew_ms);

}  // namespace postern::iam
