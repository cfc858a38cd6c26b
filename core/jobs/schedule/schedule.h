// core/jobs/schedule/schedule.h: when a job runs.
//
// Five fields of cron in a named time zone. The rule where clocks change: a time that doesn't exist
// runs at the first instant after the gap; one that comes twice runs the first time only; runs that
// meet in one instant are one. A slot is the UTC instant that this gives, and names a run for ever.
// Pure; any thread. Sources: crontab(5) of Debian's cron (fields, names, and that two restricted
// day fields are joined by "or"); the zones are the system's (core/jobs/zone.h).
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/diag/diagnostic.h"
#include "core/jobs/zone.h"

namespace postern::jobs {

// Bit n: the value n is in. Days of the week: 0 is Sunday.
struct Cron {
  uint64_t minutes = 0;
  uint32_t hours = 0, days = 0, months = 0, weekdays = 0;
  // The field as written where it begins with *: then it doesn't restrict. "*/2" still leaves days
  // out.
  std::string any_day, any_weekday;

  bool Matches(absl::CivilDay day) const;
};

struct Schedule {
  std::string cron_text, zone_name;
  Cron cron;
  Zone zone;
};

// Nothing, with diagnostics about `subject` ("export.erp"), when the text or the zone can't be.
std::optional<Schedule> ParseSchedule(const std::string& cron, const std::string& zone,
                                      const std::string& subject, diag::Diagnostics* diagnostics);

// The first slot after `after`; nothing when no day of the next 12 years has one (30 February).
std::optional<base::Instant> NextSlot(const Schedule& schedule, base::Instant after);
std::vector<base::Instant> NextSlots(const Schedule& schedule, base::Instant after, size_t count);

// Slots that the plain fields of cron don't hit, since they stand for times inside a gap: for those
// who run by the fields alone (a timer of systemd passes over them). Ascending, in (from, until].
std::vector<base::Instant> GapSlots(const Schedule& schedule, base::Instant from,
                                    base::Instant until);

// What becomes of slots that passed while nothing ran. Deltas want all in order, full files the
// latest.
enum class CatchUp : uint8_t { kAll, kLatest, kNone };

struct Due {
  std::vector<base::Instant> run;     // in order
  std::vector<base::Instant> missed;  // passed over: an event each
  bool more = false;                  // there are more than `limit`; ask again after these
};

// Of the slots in (last, now]: one that is at most `grace` old is on time and runs; of older ones
// the mode decides. `last`: the newest slot that ran or was told as missed.
Due DueSlots(const Schedule& schedule, base::Instant last, base::Instant now, CatchUp catch_up,
             std::chrono::seconds grace, size_t limit = 1000);

// 0 to `most`, the same for the same job and slot: spreads jobs that share a slot.
std::chrono::seconds Jitter(std::string_view job, base::Instant slot, std::chrono::seconds most);

}  // namespace postern::jobs
