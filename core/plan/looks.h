// core/plan/looks.h: what a reader of the plan must see that the change of access doesn't tell.
#pragma once
#include "core/plan/plan.h"

namespace postern::plan {

// A renamed entry keeps its identity: what it "loses" under the old name and "gains" under the new
// one is taken out of the delta.
void CancelRenames(Plan* plan);

// "group:", "role:", "access_role:": before the name of such a set where an IAM system relates to
// it; empty for every other kind.
std::string IamSetType(object::Kind kind);

// Memberships, as (target, key), that only go because their member or their set is renamed: they
// come back under the new name in the same plan.
std::set<std::pair<uint32_t, std::string>> RenamedMemberships(const Plan& plan, bool of_users);

// Adds looks for strangers (declared nowhere, whether or not they are removed), for what other
// hands re-created or renamed, for access that can't be computed or is wider than granted, and for
// what is locked or deleted without a line in the delta.
void AddLooks(Plan* plan, const compile::Desired& desired, const diag::Sources& sources);

}  // namespace postern::plan
