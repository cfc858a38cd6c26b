// core/plan/import_access.h: what access people get by what an import's file says of them.
//
// Roles give access by attributes, and a file from outside gives attributes: whoever writes it
// could choose his own rights. So whom a file brings into a role, and whatever else it opens beside
// its people's own entries, waits for a second person, but for the roles that the import is
// allowed. A role counts before its time and where it gives nothing yet, because no later plan
// would ask. Losses wait for nobody. Pure; any thread. Cost: linear in members of roles and
// changes. Source: IAM facts §6.2 (authority).
#pragma once
#include <string>
#include <unordered_set>
#include <vector>

#include "core/compile/desired.h"
#include "core/config/declarations.h"
#include "core/plan/plan.h"
#include "schemas/job_declarations.pb.h"

namespace postern::plan {

// The plan of the same moment without the file, as far as it matters here: it may go then.
struct WithoutFile {
  std::unordered_set<std::string> in_roles, undecided;  // role and identity
  std::vector<std::string> marks;                       // sorted (core/plan/import_scope.h)
};
WithoutFile NoteWithout(const Plan& plan, const compile::Desired& desired);

// What the file opens, a line each with role, person and column; the first twenty. Empty: nothing,
// or nothing that the import isn't allowed. `with`: the plan with the file's roster, made of
// `desired` and `declarations`.
std::vector<std::string> OpenedByFile(const decl::Import& import, const WithoutFile& without,
                                      const Plan& with, const compile::Desired& desired,
                                      const config::Declarations& declarations);

}  // namespace postern::plan
