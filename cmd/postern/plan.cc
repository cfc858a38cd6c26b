// postern plan: who would gain or lose what, where.
#include <unistd.h>

#include "cmd/postern/command.h"
#include "cmd/postern/files.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/view/plan_json.h"
#include "core/view/plan_text.h"

namespace postern::cmd {
namespace {

int Print(Shell& shell, World& world, const PlanArguments& arguments) {
  const view::PlanOptions options{.detail = arguments.detail, .plan_file = arguments.out};
  if (shell.json()) {
    view::WritePlanJson(world.plan, &world.diagnostics, &world.loaded.sources, shell.out());
  } else if (arguments.markdown) {
    shell.Say(view::RenderPlanMarkdown(world.plan, options));
  } else {
    shell.Say(view::RenderPlan(world.plan, options, shell.style()));
  }
  return FirstOf({world.plan.refusals.empty() ? kOk : kRefused,
                  world.observed_all() ? kOk : kIncomplete,
                  arguments.detailed_exitcode && !world.plan.empty() ? kPending : kOk});
}

}  // namespace

int RunPlan(Shell& shell, const PlanArguments& arguments) {
  if (shell.json() && arguments.markdown) return shell.Usage(kTwoForms, "say one of them");
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  if (const int code = SetMoment(shell, arguments.as_of, &world); code != kOk) return code;
  if (const int code = SetTargets(shell, arguments.targets, &world); code != kOk) return code;
  if (const int code = SetSnapshot(shell, arguments.snapshot, &world); code != kOk) return code;
  if (auto opened = world.OpenLedger(World::LedgerUse::kPlan); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  world.Connect();
  if (const int code = ObserveAndPlan(shell, &world); code != kOk) return code;
  world.Print();
  if (!arguments.out.empty()) {
    if (auto saved = WriteFile(arguments.out, plan::Save(world.plan)); !saved) {
      return shell.Fail(diag::code::kFileUnreadable, saved.error(), arguments.out);
    }
  }
  KeepLastPlan(world);
  return Print(shell, world, arguments);
}

Run DefinePlan(Arguments& arguments) {
  auto given = std::make_shared<PlanArguments>();
  arguments = {
      {.name = "--out,-o", .value = "FILE", .help = "save the plan for apply", .text = &given->out},
      {.name = "--detail", .help = "every object with what differs", .flag = &given->detail},
      {.name = "--markdown", .help = "for a merge request", .flag = &given->markdown},
      {.name = "--detailed-exitcode",
       .help = "exit code 2 when there are changes",
       .flag = &given->detailed_exitcode},
      {.name = "--as-of",
       .value = "TIME",
       .help = "plan for another moment, such as 2027-01-01 or 2027-01-01T18:00:00Z",
       .text = &given->as_of},
      {.name = "--target",
       .value = "NAME",
       .help = "change this host, server, directory or iam only (may be repeated)",
       .many = &given->targets},
  };
  return [given](Shell& shell) { return RunPlan(shell, *given); };
}

}  // namespace postern::cmd
