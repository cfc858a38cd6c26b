#include "core/base/time.h"

#include <fmt/format.h>

#include <charconv>

namespace postern::base {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

constexpr int64_t kDay = 86400;

bool Number(std::string_view text, size_t at, size_t length, int* out) {
  if (text.size() < at + length) return false;
  const char* first = text.data() + at;
  for (size_t i = 0; i < length; ++i) {
    if (first[i] < '0' || first[i] > '9') return false;
  }
  return std::from_chars(first, first + length, *out).ec == std::errc();
}

struct Civil {
  year_month_day date;
  int64_t second_of_day;
};

Civil Split(Instant at) {
  int64_t day = at / kDay;
  int64_t rest = at % kDay;
  if (rest < 0) {
    rest += kDay;
    --day;
  }
  return {year_month_day(sys_days(days(day))), rest};
}

std::string FormatDate(const year_month_day& date) {
  return fmt::format("{:04}-{:02}-{:02}", int(date.year()), unsigned(date.month()),
                     unsigned(date.day()));
}

// Seconds that the zone is ahead of UTC, or nothing when `zone` is no RFC 3339 offset.
std::optional<int64_t> ParseOffset(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  int hours = 0, minutes = 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return {};
  if (!Number(zone, 1, 2, &hours) || !Number(zone, 4, 2, &minutes)) return {};
  if (hours > 23 || minutes > 59) return {};
  return (zone[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

Instant Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string FormatInstant(Instant at) {
  const Civil civil = Split(at);
  return fmt::format("{}T{:02}:{:02}:{:02}Z", FormatDate(civil.date), civil.second_of_day / 3600,
                     civil.second_of_day / 60 % 60, civil.second_of_day % 60);
}

std::string FormatHuman(Instant at) {
  const Civil civil = Split(at);
  if (civil.second_of_day == kDay - 1 || civil.second_of_day == 0) return FormatDate(civil.date);
  return fmt::format("{} {:02}:{:02}Z", FormatDate(civil.date), civil.second_of_day / 3600,
                     civil.second_of_day / 60 % 60);
}

std::optional<Instant> ParseInstant(std::string_view text, bool end) {
  int year = 0, month = 0, day = 0;
  if (!Number(text, 0, 4, &year) || !Number(text, 5, 2, &month) || !Number(text, 8, 2, &day)) {
    return {};
  }
  if (text[4] != '-' || text[7] != '-') return {};
  const year_month_day date{std::chrono::year(year), std::chrono::month(month),
                            std::chrono::day(day)};
  if (!date.ok()) return {};
  const Instant midnight = sys_seconds(sys_days(date)).time_since_epoch().count();
  if (text.size() == 10) return end ? midnight + kDay - 1 : midnight;
  int hour = 0, minute = 0, second = 0;
  if (text.size() < 20 || (text[10] != 'T' && text[10] != ' ' && text[10] != 't')) return {};
  if (!Number(text, 11, 2, &hour) || !Number(text, 14, 2, &minute) || !Number(text, 17, 2, &second))
    return {};
  if (text[13] != ':' || text[16] != ':' || hour > 23 || minute > 59 || second > 60) return {};
  size_t zone = 19;
  if (text[zone] == '.') {
    ++zone;
    while (zone < text.size() && text[zone] >= '0' && text[zone] <= '9') ++zone;
  }
  const auto offset = ParseOffset(text.substr(zone));
  if (!offset) return {};
  return midnight + hour * 3600 + minute * 60 + second - *offset;
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000.0);
  const auto minutes = ms / 60'000;
  if (minutes < 120) return fmt::format("{} min", minutes);
  if (minutes < 48 * 60) return fmt::format("{} hours", minutes / 60);
  return fmt::format("{} days", minutes / (24 * 60));
}

}  // namespace postern::base
