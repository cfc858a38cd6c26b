// postern show: a saved plan again, without asking any target.
#include <filesystem>

#include "cmd/postern/command.h"
#include "cmd/postern/files.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/view/plan_json.h"
#include "core/view/plan_text.h"

namespace postern::cmd {
namespace {

struct ShowArguments {
  std::string file;
  bool detail = false, markdown = false;
};

int Show(Shell& shell, const ShowArguments& arguments) {
  if (shell.json() && arguments.markdown) return shell.Usage(kTwoForms, "say one of them");
  std::string path = arguments.file;
  if (path.empty()) {
    World world(shell);
    if (!world.Load()) return world.PrintErrors();
    path = world.last_plan_path();
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      return shell.Fail({.code = diag::code::kFileUnreadable,
                         .summary = "no plan with changes was made here last",
                         .notes = {"postern plan", "or name a file: postern show change.postern"}});
    }
  }
  const auto bytes = ReadFile(path);
  if (!bytes) return shell.Fail(PlanFileCode(bytes.error()), bytes.error(), path);
  const auto plan = plan::Load(*bytes);
  if (!plan) return shell.Fail(PlanFileCode(plan.error()), plan.error(), path);
  const view::PlanOptions options{.detail = arguments.detail, .plan_file = arguments.file};
  if (shell.json()) {
    view::WritePlanJson(*plan, nullptr, nullptr, shell.out());
  } else if (arguments.markdown) {
    shell.Say(view::RenderPlanMarkdown(*plan, options));
  } else {
    shell.Say(view::RenderPlan(*plan, options, shell.style()));
  }
  return kOk;
}

}  // namespace

Run DefineShow(Arguments& arguments) {
  auto given = std::make_shared<ShowArguments>();
  arguments = {
      {.name = "PLANFILE", .help = "default: the last plan made here", .text = &given->file},
      {.name = "--detail", .help = "every object with what differs", .flag = &given->detail},
      {.name = "--markdown", .help = "for a merge request", .flag = &given->markdown},
  };
  return [given](Shell& shell) { return Show(shell, *given); };
}

}  // namespace postern::cmd
