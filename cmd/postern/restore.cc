// postern snapshot, postern restore: all that is live into a file, and back.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cmd/postern/command.h"
#include "cmd/postern/files.h"
#include "cmd/postern/plan_run.h"
#include "cmd/postern/revision.h"
#include "core/diag/codes.h"
#include "core/view/style.h"

namespace postern::cmd {
namespace {

struct SnapshotArguments {
  std::string out;
};

int Say(Shell& shell, const std::string& path, const jobs::SnapshotTotals& totals) {
  if (shell.json()) {
    const nlohmann::ordered_json json{{"file", path},
                                      {"objects", totals.objects},
                                      {"bytes", totals.bytes},
                                      {"sha256", base::Hex(totals.sha256)}};
    shell.out() << json.dump(2) << "\n" << std::flush;
  } else {
    shell.Say(fmt::format("{}: {}, {} bytes\nSHA-256 {}\n", path,
                          view::Count(totals.objects, "object"), view::Thousands(totals.bytes),
                          base::Hex(totals.sha256)));
  }
  return kOk;
}

int TakeSnapshot(Shell& shell, const SnapshotArguments& arguments) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  if (auto opened = world.OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  world.Connect();
  if (auto read = world.Observe(); !read) return shell.Fail(LedgerCode(read.error()), read.error());
  const jobs::SnapshotHead head{.taken = world.now,
                                .ledger_id = world.ledger->id(),
                                .revision = RevisionOf(world.loaded.tree_path),
                                .generation = world.ledger->generation()};
  std::string bytes;
  const jobs::Sink sink = [&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  };
  const auto totals = jobs::WriteSnapshot(head, world.observed, sink, &world.diagnostics);
  if (!totals) {
    world.PrintErrors();
    return world.observed_all() ? kError : kIncomplete;
  }
  world.Print();
  if (auto written = WriteFile(arguments.out, bytes); !written) {
    return shell.Fail(diag::code::kFileUnreadable, written.error(), arguments.out);
  }
  return Say(shell, arguments.out, *totals);
}

struct RestoreArguments {
  PlanArguments plan;
  ApplyArguments apply;
  std::string snapshot;
  std::vector<std::string> targets;
  bool only_plan = false, detail = false;
};

int RestoreFrom(Shell& shell, RestoreArguments& given) {
  given.plan.snapshot = given.apply.snapshot = given.snapshot;
  given.plan.targets = given.apply.targets = given.targets;
  given.plan.detail = given.apply.detail = given.detail;
  if (given.only_plan || !given.plan.out.empty()) return RunPlan(shell, given.plan);
  return RunApply(shell, given.apply);
}

}  // namespace

Run DefineSnapshot(Arguments& arguments) {
  auto given = std::make_shared<SnapshotArguments>();
  arguments = {
      {.name = "--out,-o",
       .value = "FILE",
       .help = "where it goes",
       .text = &given->out,
       .required = true},
  };
  return [given](Shell& shell) { return TakeSnapshot(shell, *given); };
}

Run DefineRestore(Arguments& arguments) {
  auto given = std::make_shared<RestoreArguments>();
  arguments = {
      {.name = "SNAPSHOT",
       .help = "a file of postern snapshot",
       .text = &given->snapshot,
       .required = true},
      {.name = "--plan", .help = "show the plan, change nothing", .flag = &given->only_plan},
      {.name = "--out,-o",
       .value = "FILE",
       .help = "save the plan for apply, change nothing",
       .text = &given->plan.out},
      {.name = "--yes,-y", .help = "don't ask", .flag = &given->apply.yes},
      {.name = "--detail", .help = "every object with what differs", .flag = &given->detail},
      {.name = "--target",
       .value = "NAME",
       .help = "restore this host, server, directory or iam only (may be repeated)",
       .many = &given->targets},
  };
  return [given](Shell& shell) { return RestoreFrom(shell, *given); };
}

}  // namespace postern::cmd
