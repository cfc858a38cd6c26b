// core/view/plan_text.h: a plan as people read it, on a terminal or in a merge request.
//
// People before objects, the verdict first, the next command last. Pure; the same plan and style
// give the same text. The first screen has at most kScreenLines lines for any plan; laying it out
// costs time linear in the plan's delta and changes, not in the live world.
#pragma once
#include <string>

#include "core/plan/plan.h"
#include "core/view/style.h"

namespace postern::view {

struct PlanOptions {
  bool detail = false;    // every object with its field differences
  std::string plan_file;  // where it was saved; empty: nowhere
  bool applying = false;  // shown by apply: the next thing isn't a command but the question
};

std::string RenderPlan(const plan::Plan& plan, const PlanOptions& options, const Style& style);

// For a merge request's comment: at most 60,000 characters (a comment ends at 65,535), the details
// folded away.
std::string RenderPlanMarkdown(const plan::Plan& plan, const PlanOptions& options);

// "23 changes: 9 grants, 4 ssh keys" and "9 to revoke, 1 structure, 6 to open".
std::string CountChanges(const plan::Plan& plan);
// The verdict on one line: for `ledger list`, the markdown's heading and the question of apply.
std::string SummaryLine(const plan::Plan& plan);

}  // namespace postern::view
