// core/jobs/thresholds.h: how much one file may do before a second person must look.
//
// On by default: who leaves thresholds out has those of the schema. Of a share and a number the
// smaller holds, and a share allows at least one. Pure; any thread. Source: IAM facts §6.2.
#pragma once
#include <string>
#include <vector>

#include "core/jobs/match.h"

namespace postern::jobs {

// One line for each that is exceeded: "30 people would be disabled; 5 may be". Empty: none is.
std::vector<std::string> Exceeded(const decl::Import& import, const RosterCounts& counts);

}  // namespace postern::jobs
