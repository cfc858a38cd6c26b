// core/plan/job_parts.h: what plan and views ask of a job's specification. Pure; any thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "schemas/job.pb.h"

namespace postern::plan {

inline const decl::JobSchedule& ScheduleOf(const job::JobSpec& spec) {
  return spec.has_export_() ? spec.export_().schedule() : spec.import().schedule();
}
// At its place: where an export writes, an import reads.
const std::string& FolderThere(const job::JobSpec& spec);

// How a job reaches its place: "sftp wong@files.acme.test:2222".
std::string AddressOf(const decl::Endpoint& endpoint);
// What must answer there: "host key SHA256:...", "authorities of /etc/ssl/acme.pem". Empty: nothing
// that the place itself names.
std::string TrustOf(const decl::Endpoint& endpoint);

// What differs between two sealed specifications, by the names that the fields have in TOML:
// "encrypt.age", "endpoint.acme-drop.address". Seals aside. Empty where either can't be read.
std::vector<object::FieldDifference> SpecDifferences(std::string_view before,
                                                     std::string_view after);

}  // namespace postern::plan
