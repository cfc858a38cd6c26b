// providers/runner/probe.h: what a machine lacks for jobs to run there, for `providers doctor`.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/object/target.h"
#include "providers/runner/machine.h"

namespace postern::runner {

// Cost: two round trips beyond a reading.
Result<object::Probe> ProbeMachine(Machine& machine);

// Of what `systemctl show` says of our units, a line "UNIT PROPERTY=VALUE" each: the files outside
// of our folder that make them what they are. "UNIT: FILE".
std::vector<std::string> FromElsewhere(std::string_view shown, std::string_view units);

}  // namespace postern::runner
