// core/plan/job_parts.h: what plan and views ask of a job's specification. Pure; any thread.
#pragma once
#include <string>

#include "schemas/job.pb.h"

namespace postern::plan {

inline const decl::JobSchedule& ScheduleOf(const job::JobSpec& spec) {
  return spec.has_export_() ? spec.export_().schedule() : spec.import().schedule();
}
// At its place: where an export writes, an import reads.
const std::string& FolderThere(const job::JobSpec& spec);

}  // namespace postern::plan
