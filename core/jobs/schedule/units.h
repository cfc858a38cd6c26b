// core/jobs/schedule/units.h: what starts a job, as text: a timer and a service of systemd, or a
// line for /etc/cron.d.
//
// What starts a job only wakes it: the command asks for itself which slots are due (schedule.h), so
// that a wake-up too many does nothing, and the rule at changes of clocks is ours whoever wakes.
// Missed by the fields alone are slots for times in a gap; the timer names those of the next ten
// years one by one. The same job and moment give the same text. Pure. Sources: systemd.timer(5),
// systemd.time(7), systemd.service(5), systemd.syntax(7) of systemd 252; crontab(5) of Debian's
// cron, which has no time zones of its own.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/jobs/schedule/schedule.h"

namespace postern::jobs {

struct JobUnit {
  std::string job;                   // letters, digits, '-', '_', '.': part of file names
  std::string user;                  // the account that it runs as
  std::vector<std::string> command;  // an absolute path and its arguments
  base::Instant installed = 0;       // slots in gaps are named from here on
  std::chrono::seconds jitter{0};
};

// "postern-job-NAME.timer" and "postern-job-NAME.service".
std::string TimerName(const JobUnit& unit);
std::string ServiceName(const JobUnit& unit);

// The fields in systemd's form, with the zone; two when both day fields are restricted.
std::vector<std::string> OnCalendar(const Schedule& schedule);

// kInvalid: a name, user or command that can't be written.
Result<std::string> RenderTimer(const Schedule& schedule, const JobUnit& unit);
Result<std::string> RenderService(const JobUnit& unit);
// `machine_zone`: the zone of the cron daemon. When it isn't the schedule's, the line wakes the job
// at each quarter of an hour that can be a slot (offsets between zones are whole quarters).
Result<std::string> RenderCronLine(const Schedule& schedule, const JobUnit& unit,
                                   const std::string& machine_zone);

}  // namespace postern::jobs
