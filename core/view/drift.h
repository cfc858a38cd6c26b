// core/view/drift.h: what has changed behind our back, for people and machines. Pure.
#pragma once
#include <ostream>
#include <string>

#include "core/plan/plan.h"
#include "core/view/style.h"

namespace postern::view {

std::string_view EffectName(plan::Drift::Effect effect);  // more, less, equal, unknown
std::string_view TypeName(plan::Drift::Type type);        // changed, missing, foreign, ...

// False: that nothing differs can't be said, as nothing was applied yet or not all was read.
bool Judged(const plan::Plan& plan);
// One line a target, then one a finding, access that grew first. At most kScreenLines lines unless
// `detail`. `exit_code` stands in the last line when it isn't 0.
std::string RenderDrift(const plan::Plan& plan, bool detail, int exit_code, const Style& style);
void WriteDriftJson(const plan::Plan& plan, std::ostream& out);

}  // namespace postern::view
