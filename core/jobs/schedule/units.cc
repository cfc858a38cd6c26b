#include "core/jobs/schedule/units.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/diag/text.h"

namespace postern::jobs {
namespace {

constexpr int64_t kGapsAhead = int64_t{10} * 366 * 86400;

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

Result<void> Check(const JobUnit& unit) {
  if (!IsName(unit.job)) return Fail(ErrorCode::kInvalid, "a job can't be called " + unit.job);
  if (!IsName(unit.user))
    return Fail(ErrorCode::kInvalid, "an account can't be called " + unit.user);
  if (unit.command.empty() || unit.command.front().front() != '/') {
    return Fail(ErrorCode::kInvalid, unit.job + ": the command has no absolute path");
  }
  for (const std::string& word : unit.command) {
    if (word.empty() || diag::HasHidden(word)) {
      return Fail(ErrorCode::kInvalid, unit.job + ": a word of the command that can't be written");
    }
  }
  return {};
}

// "1,5,7" of the bits; empty text: all of low to high are set.
std::string Numbers(uint64_t bits, int low, int high) {
  std::vector<std::string> numbers;
  bool all = true;
  for (int i = low; i <= high; ++i) {
    const bool is_in = (bits >> i & 1) != 0;
    all &= is_in;
    if (is_in) numbers.push_back(fmt::format("{:02}", i));
  }
  return all ? "" : fmt::format("{}", fmt::join(numbers, ","));
}

std::string OrStar(const std::string& numbers) {
  return numbers.empty() ? "*" : numbers;
}

std::string Weekdays(uint32_t bits) {
  constexpr const char* kNames[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if ((bits >> i & 1) != 0) names.emplace_back(kNames[i]);
  }
  return names.size() == std::size(kNames) ? "" : fmt::format("{} ", fmt::join(names, ","));
}

// In numbers: cron takes no lists of names. A day field with a star keeps it, since only that tells
// cron that the other one restricts alone.
std::string CronFields(const Cron& cron) {
  const std::string days = cron.any_day.empty() ? Numbers(cron.days, 1, 31) : cron.any_day;
  const std::string weekdays =
      cron.any_weekday.empty() ? Numbers(cron.weekdays, 0, 6) : cron.any_weekday;
  return fmt::format("{} {} {} {} {}", OrStar(Numbers(cron.minutes, 0, 59)),
                     OrStar(Numbers(cron.hours, 0, 23)), days.empty() ? "1-31" : days,
                     OrStar(Numbers(cron.months, 1, 12)), weekdays.empty() ? "0-6" : weekdays);
}

// systemd.syntax(7) and the section "Command lines" of systemd.service(5).
std::string SystemdWord(std::string_view word) {
  std::string out = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '%' || c == '$') out += c;
    out += c;
  }
  return out + "\"";
}

// For /bin/sh in a crontab, where a % ends the line.
std::string CronWord(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c == '%') {
      out += "\\%";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace

std::string TimerName(const JobUnit& unit) {
  return "postern-job-" + unit.job + ".timer";
}

std::string ServiceName(const JobUnit& unit) {
  return "postern-job-" + unit.job + ".service";
}

std::vector<std::string> OnCalendar(const Schedule& schedule) {
  const Cron& cron = schedule.cron;
  const std::string time = fmt::format("{}:{}:00 {}", OrStar(Numbers(cron.hours, 0, 23)),
                                       OrStar(Numbers(cron.minutes, 0, 59)), schedule.zone_name);
  const std::string months = OrStar(Numbers(cron.months, 1, 12));
  const std::string days = OrStar(Numbers(cron.days, 1, 31));
  if (!cron.any_day.empty() || !cron.any_weekday.empty()) {
    return {fmt::format("{}*-{}-{} {}", Weekdays(cron.weekdays), months, days, time)};
  }
  return {fmt::format("*-{}-{} {}", months, days, time),
          fmt::format("{}*-{}-* {}", Weekdays(cron.weekdays), months, time)};
}

Result<std::string> RenderTimer(const Schedule& schedule, const JobUnit& unit) {
  if (auto right = Check(unit); !right) return tl::unexpected<Error>(right.error());
  std::string out = fmt::format(
      "# {} in {}. Written by Postern; changes by hand are drift.\n"
      "[Unit]\nDescription=Postern job {}\n\n[Timer]\nUnit={}\n",
      schedule.cron_text, schedule.zone_name, unit.job, ServiceName(unit));
  for (const std::string& line : OnCalendar(schedule)) out += "OnCalendar=" + line + "\n";
  const auto gaps = GapSlots(schedule, unit.installed, unit.installed + kGapsAhead);
  if (!gaps.empty()) out += "# Times that clocks skip run at the first instant after the gap.\n";
  for (const base::Instant slot : gaps) {
    out += FormatLocal("OnCalendar=%Y-%m-%d %H:%M:%S UTC\n", slot, absl::UTCTimeZone());
  }
  // Persistent: what passed while the machine was off wakes the job at once; it decides (catch-up).
  out += "Persistent=true\nAccuracySec=1s\n";
  if (unit.jitter.count() > 0) {
    out += fmt::format("RandomizedDelaySec={}s\nFixedRandomDelay=true\n", unit.jitter.count());
  }
  return out + "\n[Install]\nWantedBy=timers.target\n";
}

Result<std::string> RenderService(const JobUnit& unit) {
  if (auto right = Check(unit); !right) return tl::unexpected<Error>(right.error());
  std::vector<std::string> words;
  for (const std::string& word : unit.command) words.push_back(SystemdWord(word));
  return fmt::format(
      "# Written by Postern; changes by hand are drift.\n"
      "[Unit]\nDescription=Postern job {}\nWants=network-online.target\n"
      "After=network-online.target\n\n"
      "[Service]\nType=oneshot\nUser={}\nExecStart={}\nUMask=0077\nNoNewPrivileges=yes\n"
      "PrivateTmp=yes\nProtectSystem=full\nProtectKernelTunables=yes\nProtectControlGroups=yes\n"
      "RestrictSUIDSGID=yes\n",
      unit.job, unit.user, fmt::join(words, " "));
}

Result<std::string> RenderCronLine(const Schedule& schedule, const JobUnit& unit,
                                   const std::string& machine_zone) {
  if (auto right = Check(unit); !right) return tl::unexpected<Error>(right.error());
  std::vector<std::string> words;
  for (const std::string& word : unit.command) words.push_back(CronWord(word));
  std::string when = CronFields(schedule.cron);
  if (machine_zone != schedule.zone_name) {
    uint64_t minutes = 0;
    for (int i = 0; i < 60; ++i) {
      if ((schedule.cron.minutes >> i & 1) == 0) continue;
      for (int quarter = 0; quarter < 60; quarter += 15) {
        minutes |= uint64_t{1} << ((i + quarter) % 60);
      }
    }
    when = OrStar(Numbers(minutes, 0, 59)) + " * * * *";
  }
  return fmt::format(
      "# Postern job {}: {} in {}. Written by Postern; changes by hand are drift.\n{} {} {}\n",
      unit.job, schedule.cron_text, schedule.zone_name, when, unit.user, fmt::join(words, " "));
}

}  // namespace postern::jobs
