// core/plan/import_scope.h: what the plan of an import's file may hold.
//
// An import carries out what its file says and nothing else: only its own people change, nothing
// that waits for another reason is taken along, and nothing is left undecided. Pure; any thread.
// Cost: linear in the changes, a binary search each. Source: IAM facts §6.2 (authority).
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"
#include "core/plan/plan.h"
#include "schemas/job_declarations.pb.h"

namespace postern::plan {

// Why `with`, the plan with the file's roster, mustn't be carried out; none: it may be. `without`:
// the plan of the same moment with what the import accepted last, whose changes had these `marks`:
// what is left of it, such as a row that the directory rejects, is no reason. `recorded`: as in
// Inputs.
std::vector<std::string> AgainstImport(
    const decl::Import& import, const std::vector<std::string>& marks, const Plan& without,
    const Plan& with, const std::map<std::string, std::vector<ledger::Recorded>>& recorded);

// What one of the plan's changes does, 32 hex digits: a change that waits has the same in the next
// plan. Of all of them, sorted.
std::string MarkOf(const Plan& plan, const Change& change);
std::vector<std::string> MarksOf(const Plan& plan);

// How many changes of `plan`, made anew after the import's file was accepted, aren't what is left
// of it: neither in `marks`, those of the plan that was looked at, nor of a person whom the import
// declares.
size_t OthersThan(const decl::Import& import, const std::vector<std::string>& marks,
                  const Plan& plan);

}  // namespace postern::plan
