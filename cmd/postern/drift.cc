// postern drift: what has changed behind our back.
#include "core/view/drift.h"

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"

namespace postern::cmd {
namespace {

int Drift(Shell& shell, bool detail) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  if (auto opened = world.OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  world.Connect();
  if (const int code = ObserveAndPlan(shell, &world); code != kOk) return code;
  world.Print(0);
  const bool judged =
      world.plan.drift.empty() ? view::Judged(world.plan) : world.plan.observed_all();
  const int code = FirstOf({world.plan.drift.empty() ? kOk : kPending, judged ? kOk : kIncomplete});
  if (shell.json()) {
    view::WriteDriftJson(world.plan, shell.out());
  } else {
    shell.Say(view::RenderDrift(world.plan, detail, code, shell.style()));
  }
  return code;
}

}  // namespace

Run DefineDrift(Arguments& arguments) {
  auto detail = std::make_shared<bool>(false);
  arguments = {{.name = "--detail", .help = "all of it, whatever the size", .flag = detail.get()}};
  return [detail](Shell& shell) { return Drift(shell, *detail); };
}

}  // namespace postern::cmd
