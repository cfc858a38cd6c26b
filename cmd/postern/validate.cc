// postern validate: every mistake in the declarations, without any target.
#include <fmt/format.h>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/config/visit.h"
#include "core/diag/render.h"

namespace postern::cmd {
namespace {

size_t CountOf(const config::Declarations& all) {
  size_t count = 0;
  config::ForEachTable(all, [&](const auto& table) { count += table.size(); });
  return count;
}

int Validate(Shell& shell) {
  World world(shell);
  // What can't be loaded isn't compiled: the second errors would only be echoes of the first.
  if (world.Load()) {
    if (auto opened = world.OpenLedger(World::LedgerUse::kRead); !opened) {
      return shell.Fail(LedgerCode(opened.error()), opened.error());
    }
    auto compiled = world.Compile();
    if (!compiled) return shell.Fail(LedgerCode(compiled.error()), compiled.error());
  }
  world.diagnostics.Sort();
  const int code = world.diagnostics.has_errors() ? kError : kOk;
  if (shell.json()) {
    shell.out() << diag::RenderJson(world.diagnostics, world.loaded.sources) << std::flush;
    return code;
  }
  shell.Print(world.diagnostics, world.loaded.sources);
  const std::string read =
      fmt::format("{} in {}: ", view::Count(CountOf(world.loaded.declarations), "declaration"),
                  view::Count(world.loaded.files, "file"));
  shell.Say(read + diag::Summary(world.diagnostics) + ".\n");
  return code;
}

}  // namespace

Run DefineValidate(Arguments&) {
  return [](Shell& shell) { return Validate(shell); };
}

}  // namespace postern::cmd
