// core/jobs/zone.h: named time zones and local time, by Abseil over the system's tzdata.
//
// Abseil (CCTZ) reads the zoneinfo files that the C library and systemd read, and the rule in their
// last line, so that it answers beyond 2037; and it tells what a local time is (once, twice,
// never). The C library does neither without setting TZ for the whole process, ICU carries data of
// its own that ages apart from the system's, and the C++ library of this compiler has no zones yet.
// Pure but for the first load of a zone; any thread.
#pragma once
#include <absl/time/time.h>

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace postern::jobs {

using Zone = absl::TimeZone;

// "Europe/Berlin", "UTC". Never a path: nothing outside of the system's zones is opened.
std::optional<Zone> FindZone(const std::string& name);

// `format` in strftime's letters.
std::string FormatLocal(const std::string& format, base::Instant at, const Zone& zone);
// The instant that FormatLocal writes exactly like this; of two, the first.
std::optional<base::Instant> ParseLocal(const std::string& format, std::string_view text,
                                        const Zone& zone);

}  // namespace postern::jobs
