#include "core/jobs/schedule/schedule.h"

#include <algorithm>
#include <bit>

#include "core/base/hash.h"

namespace postern::jobs {
namespace {

// 29 February is at most 8 years away (1896 to 1904), with a day of the week 12 or 40; "or" joins
// the two day fields, so that 12 is enough.
constexpr int kSearchDays = 12 * 366;

bool Has(uint64_t bits, int value) {
  return (bits >> value & 1) != 0;
}

int WeekdayOf(absl::CivilDay day) {
  // Abseil counts from Monday, cron from Sunday.
  return (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
}

base::Instant SlotAt(const Zone& zone, absl::CivilSecond local) {
  const auto info = zone.At(local);
  switch (info.kind) {
    case Zone::TimeInfo::SKIPPED:
      return absl::ToUnixSeconds(info.trans);
    case Zone::TimeInfo::REPEATED:
    case Zone::TimeInfo::UNIQUE:
      break;
  }
  return absl::ToUnixSeconds(info.pre);
}

absl::CivilSecond LocalTime(const Zone& zone, base::Instant at) {
  return zone.At(absl::FromUnixSeconds(at)).cs;
}

bool HitsMinute(const Cron& cron, absl::CivilSecond local) {
  return local.second() == 0 && Has(cron.minutes, local.minute()) &&
         Has(cron.hours, local.hour()) && cron.Matches(absl::CivilDay(local));
}

}  // namespace

bool Cron::Matches(absl::CivilDay day) const {
  if (!Has(months, day.month())) return false;
  const bool by_day = Has(days, day.day()), by_weekday = Has(weekdays, WeekdayOf(day));
  const bool both = any_day.empty() && any_weekday.empty();
  return both ? by_day || by_weekday : by_day && by_weekday;
}

std::optional<base::Instant> NextSlot(const Schedule& schedule, base::Instant after) {
  const Cron& cron = schedule.cron;
  // A day before: a gap at midnight moves a slot of yesterday's into today.
  absl::CivilDay day = absl::CivilDay(LocalTime(schedule.zone, after)) - 1;
  for (int i = 0; i < kSearchDays; ++i, ++day) {
    if (!cron.Matches(day)) continue;
    for (int hour = 0; hour < 24; ++hour) {
      if (!Has(cron.hours, hour)) continue;
      for (uint64_t left = cron.minutes; left != 0; left &= left - 1) {
        const absl::CivilSecond local(day.year(), day.month(), day.day(), hour,
                                      std::countr_zero(left));
        const base::Instant slot = SlotAt(schedule.zone, local);
        if (slot > after) return slot;
      }
    }
  }
  return {};
}

std::vector<base::Instant> NextSlots(const Schedule& schedule, base::Instant after, size_t count) {
  std::vector<base::Instant> slots;
  while (slots.size() < count) {
    const auto next = NextSlot(schedule, slots.empty() ? after : slots.back());
    if (!next) break;
    slots.push_back(*next);
  }
  return slots;
}

std::vector<base::Instant> GapSlots(const Schedule& schedule, base::Instant from,
                                    base::Instant until) {
  std::vector<base::Instant> slots;
  absl::Time at = absl::FromUnixSeconds(from);
  Zone::CivilTransition change;
  while (schedule.zone.NextTransition(at, &change)) {
    // `from` is the local time that clocks leave, `to` the one that they show next.
    const auto info = schedule.zone.At(change.from);
    at = info.trans;
    const base::Instant slot = absl::ToUnixSeconds(at);
    if (slot > until) break;
    if (info.kind != Zone::TimeInfo::SKIPPED || slot <= from) continue;
    if (HitsMinute(schedule.cron, change.to)) continue;  // a slot by its fields already
    for (absl::CivilMinute minute(change.from); minute < absl::CivilMinute(change.to); ++minute) {
      if (!HitsMinute(schedule.cron, absl::CivilSecond(minute))) continue;
      slots.push_back(slot);
      break;
    }
  }
  return slots;
}

Due DueSlots(const Schedule& schedule, base::Instant last, base::Instant now, CatchUp catch_up,
             std::chrono::seconds grace, size_t limit) {
  Due due;
  std::vector<base::Instant> passed;
  for (auto slot = NextSlot(schedule, last); slot && *slot <= now;
       slot = NextSlot(schedule, *slot)) {
    if (passed.size() == limit) {
      due.more = true;
      break;
    }
    passed.push_back(*slot);
  }
  for (const base::Instant slot : passed) {
    const bool on_time = now - slot <= grace.count();
    const bool newest = slot == passed.back() && !due.more;
    const bool runs = catch_up == CatchUp::kAll || (catch_up == CatchUp::kLatest && newest) ||
                      (catch_up == CatchUp::kNone && on_time);
    (runs ? due.run : due.missed).push_back(slot);
  }
  return due;
}

std::chrono::seconds Jitter(std::string_view job, base::Instant slot, std::chrono::seconds most) {
  if (most.count() <= 0) return std::chrono::seconds(0);
  base::Hasher hasher;
  hasher.AddField(job);
  hasher.AddField(std::to_string(slot));
  const base::Digest digest = hasher.Finish();
  uint64_t number = 0;
  for (size_t i = 0; i < 8; ++i) number = number << 8 | digest[i];
  return std::chrono::seconds(number % (static_cast<uint64_t>(most.count()) + 1));
}

}  // namespace postern::jobs
