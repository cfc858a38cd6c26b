#include "providers/iam/http/clock.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <chrono>
#include <string>

namespace postern::iam {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::optional<int64_t> SkewMs(std::string_view date, int64_t sent, int64_t received) {
  if (date.empty()) return std::nullopt;
  const time_t at = ::curl_getdate(std::string(date).c_str(), nullptr);
  if (at == -1) return std::nullopt;
  // It was made within this second, and between our two moments.
  const int64_t first = static_cast<int64_t>(at) * 1000, last = first + 999;
  if (first > received) return first - received;
  return last < sent ? last - sent : 0;
}

object::Check ClockCheck(std::optional<int64_t> skew_ms) {
  constexpr int64_t kMost = 30'000;
  object::Check check{.name = "clock", .ok = true};
  if (!skew_ms) {
    check.found = "the server tells no time (no Date in its answers)";
    return check;
  }
  const int64_t away = *skew_ms < 0 ? -*skew_ms : *skew_ms;
  if (away < 1000) {
    check.found = "within a second of ours";
    return check;
  }
  check.found =
      fmt::format("{} s {} ours", (away + 500) / 1000, *skew_ms > 0 ? "ahead of" : "behind");
  check.ok = away <= kMost;
  if (!check.ok) {
    check.where = "the server, or here";
    check.lines_to_add = {"timedatectl set-ntp true  # where the clock is wrong"};
  }
  return check;
}

}  // namespace postern::iam
