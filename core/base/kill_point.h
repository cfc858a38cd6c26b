// core/base/kill_point.h: named places where a fault test ends the process as SIGKILL would.
//
// Inert unless POSTERN_KILL_POINT="NAME" or "NAME:N" is in the environment: then the Nth pass
// through NAME (default the first) sends SIGKILL to the own process. Cost when inert: one load and
// a branch.
#pragma once
#include <string_view>

namespace postern::base {
void KillPoint(std::string_view name);
}  // namespace postern::base
