// postern ledger list | show | verify.
#include <fmt/format.h>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/view/events.h"
#include "core/view/lists.h"
#include "core/view/plan_json.h"
#include "core/view/plan_text.h"

namespace postern::cmd {
namespace {

constexpr size_t kNewest = 50;

// The ledger needs only the operator's file: mistakes in the reviewed tree don't stand in the way.
int Open(Shell& shell, World* world) {
  world->Load();
  if (auto opened = world->OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  return kOk;
}

int List(Shell& shell) {
  World world(shell);
  if (const int code = Open(shell, &world); code != kOk) return code;
  const auto applies = world.ledger->Applies(kNewest);
  if (!applies) return shell.Fail(LedgerCode(applies.error()), applies.error());
  if (shell.json()) {
    view::WriteAppliesJson(*applies, shell.out());
  } else {
    shell.Say(view::RenderApplies(*applies, shell.style()));
  }
  return kOk;
}

struct ShowArguments {
  std::string apply;
  bool detail = false;
};

int ShowPlan(Shell& shell, World& world, const ledger::ApplyRow& row, bool detail) {
  const auto bytes = world.ledger->PlanOf(row.apply);
  if (!bytes) return shell.Fail(LedgerCode(bytes.error()), bytes.error());
  if (bytes->empty()) return kOk;
  const auto plan = plan::Load(*bytes);
  if (!plan) return shell.Fail(PlanFileCode(plan.error()), plan.error());
  const view::PlanOptions options{.detail = detail, .applying = true};
  shell.Say("\n" + view::RenderPlan(*plan, options, shell.style()));
  return kOk;
}

int Show(Shell& shell, const ShowArguments& arguments) {
  World world(shell);
  if (const int code = Open(shell, &world); code != kOk) return code;
  std::optional<ledger::ApplyRow> row;
  if (arguments.apply.empty()) {
    const auto newest = world.ledger->Applies(1);
    if (!newest) return shell.Fail(LedgerCode(newest.error()), newest.error());
    if (!newest->empty()) row = newest->front();
  } else {
    auto found = world.ledger->FindApply(arguments.apply);
    if (!found) return shell.Fail(LedgerCode(found.error()), found.error());
    row = *found;
  }
  if (!row) {
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = "there is no such apply in the ledger",
                       .subject = world.ledger_path(),
                       .notes = {"postern ledger list"}});
  }
  // An event that can't be read is a damaged ledger, which `ledger verify` explains.
  std::vector<view::ReadEvent> events;
  std::optional<Error> broken;
  const auto read = world.ledger->Events(0, [&](const ledger::Event& event) {
    if (event.at < row->started) return true;
    auto parsed = ledger::ParseEvent(event.type, event.payload);
    if (!parsed) {
      broken = parsed.error();
      return false;
    }
    if (view::ApplyOf(*parsed) == row->apply) events.push_back({event, *std::move(parsed)});
    return true;
  });
  if (!read) return shell.Fail(LedgerCode(read.error()), read.error());
  if (broken) return shell.Fail(diag::code::kLedgerDamaged, *broken, world.ledger_path());
  if (shell.json()) {
    view::WriteApplyJson(*row, events, shell.out());
    return kOk;
  }
  shell.Say(view::RenderApply(*row, shell.style()) +
            view::RenderEvents(events, arguments.detail, shell.style()));
  return ShowPlan(shell, world, *row, arguments.detail);
}

int Verify(Shell& shell) {
  World world(shell);
  if (const int code = Open(shell, &world); code != kOk) return code;
  const auto count = world.ledger->Verify();
  if (!count) return shell.Fail(diag::code::kLedgerDamaged, count.error(), world.ledger_path());
  if (shell.json()) {
    view::JsonWriter json(shell.out());
    json.Object().Field("intact", true).Field("events", *count).End();
  } else {
    shell.Say("The chain is whole: " + view::Count(*count, "event") + ", and the recorded state " +
              "follows from them.\n");
  }
  return kOk;
}

}  // namespace

Run DefineLedgerList(Arguments&) {
  return [](Shell& shell) { return List(shell); };
}

Run DefineLedgerShow(Arguments& arguments) {
  auto given = std::make_shared<ShowArguments>();
  arguments = {
      {.name = "APPLY",
       .help = "number or plan digest; default: the last one",
       .text = &given->apply},
      {.name = "--detail", .help = "all events and the whole plan", .flag = &given->detail},
  };
  return [given](Shell& shell) { return Show(shell, *given); };
}

Run DefineLedgerVerify(Arguments&) {
  return [](Shell& shell) { return Verify(shell); };
}

}  // namespace postern::cmd
