// providers/runner/unit_files.h: whose a file in a folder of units or of cron is, by its name.
// Pure.
#pragma once
#include <string>
#include <string_view>

namespace postern::runner {

// "export.people" or the like: a name that may stand in a path.
bool IsJobName(std::string_view name);

// The name of its timer and its service, without their endings.
std::string UnitOf(std::string_view job);
// The name of a job's file for cron: Debian's passes over names with a dot.
std::string CronFileOf(std::string_view job);
// The job behind it; empty: not a file of ours.
std::string JobOfCronFile(std::string_view file);
// The job behind a timer, a service or a file for cron; empty: not a file of ours.
std::string JobOfFile(std::string_view file);

// Whether systemd reads the drop-ins of the folder "NAME.service.d" for that unit: its own, and
// those of a beginning of its name that ends in a dash (systemd.unit(5)).
bool DropInsFor(std::string_view folder, std::string_view unit);

}  // namespace postern::runner
