// core/base/time.h: instants. All of Postern's time is whole seconds UTC; text is RFC 3339.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::base {

using Instant = int64_t;  // seconds since 1970-01-01T00:00:00Z

inline constexpr Instant kForever = INT64_MAX;
inline constexpr Instant kAlways = INT64_MIN;

Instant Now();

// "2026-12-31T00:00:00Z"
std::string FormatInstant(Instant at);
// "2026-12-31" when the instant is a day's last or first second, else "2026-12-31 18:40Z".
std::string FormatHuman(Instant at);
// Accepts RFC 3339 with offset, and a plain date (its first second, or with `end` its last).
std::optional<Instant> ParseInstant(std::string_view text, bool end = false);

// "0.6 s", "3 days", "12 min"
std::string FormatDuration(std::chrono::milliseconds duration);

}  // namespace postern::base
