// postern apply: carries a plan out.
#include <fmt/format.h>

#include <chrono>
#include <mutex>
#include <optional>

#include "cmd/postern/command.h"
#include "cmd/postern/files.h"
#include "cmd/postern/interrupt.h"
#include "cmd/postern/plan_run.h"
#include "cmd/postern/ticker.h"
#include "core/apply/apply.h"
#include "core/diag/codes.h"
#include "core/provider/client.h"
#include "core/view/apply_view.h"
#include "core/view/plan_text.h"

namespace postern::cmd {
namespace {

constexpr std::chrono::milliseconds kTick{250};

class Applier {
 public:
  Applier(Shell& shell, const ApplyArguments& arguments)
      : shell_(shell), arguments_(arguments), world_(shell) {}

  int Run() {
    if (const int code = Contradicts(); code != kOk) return code;
    if (!arguments_.yes && !shell_.interactive()) {
      return shell_.Fail({.code = diag::code::kNeedsYes,
                          .summary = "apply asks before it changes anything, and nobody is there",
                          .notes = {"in CI say so: postern apply --yes"}});
    }
    if (!world_.Load()) return world_.PrintErrors();
    if (const int code = Prepare(); code != kOk) return code;
    const int code = arguments_.file.empty() ? PlanNow() : UseSaved();
    if (code != kOk) return code;
    if (const int refused = Refused(); refused != kOk) return refused;
    if (world_.plan.empty()) return NothingToDo();
    if (!arguments_.yes && !shell_.Ask("Apply this plan? Only \"yes\" (or \"y\") is yes:")) {
      shell_.Note("Nothing was changed.\n");
      return kOk;
    }
    return CarryOut();
  }

 private:
  int Contradicts() {
    if (!arguments_.file.empty() && !(arguments_.as_of.empty() && arguments_.targets.empty())) {
      return shell_.Usage("a saved plan is applied as it was made, without --as-of or --target",
                          "say them to postern plan, and save it anew");
    }
    if (shell_.json() && !arguments_.yes) {
      return shell_.Fail({.code = diag::code::kNeedsYes,
                          .summary = "with --json nobody sees what apply would ask about",
                          .notes = {"look first: postern plan --out change.postern",
                                    "then say so: postern apply change.postern --yes --json"}});
    }
    return kOk;
  }

  // Takes the ledger, opens the targets and settles what an interrupted apply left, so that the
  // plan that is shown is the plan that is carried out.
  int Prepare() {
    if (const int code = SetMoment(shell_, arguments_.as_of, &world_); code != kOk) return code;
    if (const int code = SetTargets(shell_, arguments_.targets, &world_); code != kOk) return code;
    if (const int code = SetSnapshot(shell_, arguments_.snapshot, &world_); code != kOk)
      return code;
    if (!arguments_.file.empty()) {
      if (const int code = LoadSaved(); code != kOk) return code;
    }
    if (auto opened = world_.OpenLedger(World::LedgerUse::kApply); !opened) {
      return shell_.Fail(LedgerCode(opened.error()), opened.error());
    }
    if (!arguments_.file.empty() && world_.plan.ledger_id != world_.ledger->id()) {
      return shell_.Fail({.code = diag::code::kOtherWorld,
                          .summary = arguments_.file + " was made with another ledger",
                          .subject = world_.ledger_path(),
                          .notes = {"plan again here: postern plan --out " + arguments_.file}});
    }
    auto lock = world_.ledger->Acquire(WhoAmI());
    if (!lock) return shell_.Fail(LedgerCode(lock.error()), lock.error());
    lock_ = *std::move(lock);
    const auto stand = world_.RostersStand();
    if (!stand) return shell_.Fail(LedgerCode(stand.error()), stand.error());
    if (!*stand) {
      return shell_.Fail({.code = diag::code::kStale,
                          .summary = "an import accepted a file while this began",
                          .notes = {"run it again"}});
    }
    world_.Connect();
    return Recover();
  }

  int LoadSaved() {
    const auto bytes = ReadFile(arguments_.file);
    if (!bytes) return shell_.Fail(PlanFileCode(bytes.error()), bytes.error(), arguments_.file);
    auto plan = plan::Load(*bytes);
    if (!plan) return shell_.Fail(PlanFileCode(plan.error()), plan.error(), arguments_.file);
    world_.plan = *std::move(plan);
    return kOk;
  }

  int Recover() {
    // Read again under the lock: another apply may have ended between.
    auto open = world_.ledger->OpenIntents();
    if (!open) return shell_.Fail(LedgerCode(open.error()), open.error());
    // Also with nothing open: an apply that died after its last outcome never said how it ended.
    auto recovered = apply::Recover(*world_.ledger, world_.targets, *open);
    if (!recovered) return shell_.Fail(LedgerCode(recovered.error()), recovered.error());
    auto given_up = apply::GiveUpEnds(*world_.ledger, world_.loaded.declarations);
    if (!given_up) return shell_.Fail(LedgerCode(given_up.error()), given_up.error());
    for (const std::string& line : *given_up) shell_.Note(line + "\n");
    // Ends of sessions are in the plan.
    std::erase_if(*open, [](const ledger::OpenIntent& intent) {
      return intent.intent.kind == object::Kind::kSession;
    });
    if (open->empty()) return kOk;
    shell_.Note(fmt::format("An interrupted apply left {} open; {} settled by reading.\n",
                            view::Count(open->size(), "step"),
                            *recovered == open->size() ? "all" : view::Thousands(*recovered)));
    return kOk;
  }

  int PlanNow() {
    if (const int code = ObserveAndPlan(shell_, &world_); code != kOk) return code;
    world_.Print();
    ShowPlan();
    return kOk;
  }

  int UseSaved() {
    const auto began = std::chrono::steady_clock::now();
    if (auto read = world_.Observe(); !read) {
      return shell_.Fail(LedgerCode(read.error()), read.error());
    }
    world_.Print();
    const std::vector<std::string> moved = plan::Stale(world_.plan, world_.observed);
    if (!moved.empty()) {
      diag::Diagnostic stale{.code = diag::code::kStale,
                             .summary = "the world moved since this plan was made",
                             .subject = arguments_.file,
                             .notes = moved};
      stale.notes.push_back("plan again: postern plan --out " + arguments_.file);
      shell_.Fail(std::move(stale));
      return FirstOf({kStale, world_.observed_all() ? kOk : kIncomplete});
    }
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    settled_ = plan::Settled(world_.plan, world_.observed);
    shell_.Note(fmt::format(
        "Plan {} still stands ({} checked in {}).\n", plan::ShortName(world_.plan),
        view::Count(world_.plan.read_set.size(), "expectation"), base::FormatDuration(took)));
    if (!arguments_.yes) ShowPlan();
    return kOk;
  }

  void ShowPlan() {
    const view::PlanOptions options{
        .detail = arguments_.detail, .plan_file = arguments_.file, .applying = true};
    shell_.Say(view::RenderPlan(world_.plan, options, shell_.style()) + "\n");
  }

  int Refused() {
    const plan::Plan& plan = world_.plan;
    if (!plan.refusals.empty()) {
      if (shell_.json()) view::WriteReportJson(plan, {}, kRefused, shell_.out());
      // A plan made just now was shown; a saved one says here why it is refused.
      if (!arguments_.file.empty() && arguments_.yes) ShowPlan();
      return FirstOf({kRefused, world_.observed_all() ? kOk : kIncomplete});
    }
    if (!plan.as_of_given) return kOk;
    if (plan.as_of < plan.created) {
      return shell_.Fail({.code = diag::code::kAsOf,
                          .summary = "a plan for a past moment can't be applied",
                          .notes = {"plan without --as-of"}});
    }
    for (const plan::Step& step : plan.steps) {
      if (!plan::Opens(plan, step)) continue;
      return shell_.Fail(
          {.code = diag::code::kAsOf,
           .summary = "a plan for a moment to come may only take access away; this one also gives",
           .subject = object::Describe(step.operation.kind, step.operation.key),
           .notes = {"apply what is due now first: postern apply"}});
    }
    return kOk;
  }

  int NothingToDo() {
    const int code = FirstOf({world_.observed_all() ? kOk : kIncomplete});
    if (shell_.json()) view::WriteReportJson(world_.plan, {}, code, shell_.out());
    return code;
  }

  int CarryOut() {
    const view::Style& style = shell_.err_style();
    view::ApplyProgress progress(world_.plan, shell_.err_terminal(), style);
    std::mutex mutex;
    const auto began = std::chrono::steady_clock::now();
    apply::Events events;
    const auto passed = [&] {
      return std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - began);
    };
    events.progress = [&](const apply::PhaseProgress& phase) {
      const std::lock_guard guard(mutex);
      shell_.Note(progress.Move(phase, passed()));
    };
    events.step = [&](const plan::Step& step, const apply::StepResult& result) {
      const std::lock_guard guard(mutex);
      shell_.Note(progress.Step(step, result));
    };
    const Interrupt interrupt(
        [&] {
          const std::lock_guard guard(mutex);
          shell_.Note(progress.Interject(
              "\nStopping: what is under way is finished. Ctrl-C again cancels it.\n"));
        },
        [&] {
          {
            const std::lock_guard guard(mutex);
            shell_.Note(progress.Interject(
                "\nCancelling: the next apply reads what became of what was under way.\n"));
          }
          Cancel();
        });
    const observe::SecretStore secrets(&world_.loaded.declarations);
    const apply::Options options{.who = WhoAmI(),
                                 .revision = world_.plan.revision,
                                 .settled = settled_,
                                 .stop = &interrupt.stop()};
    std::optional<Ticker> ticker(std::in_place, kTick, [&] {
      const std::lock_guard guard(mutex);
      shell_.Note(progress.Tick(passed()));
    });
    const auto report =
        apply::Apply(world_.plan, *world_.ledger, world_.targets, secrets, options, events);
    ticker.reset();
    shell_.Note(progress.Finish());
    if (!report) return shell_.Fail(LedgerCode(report.error()), report.error());
    return Tell(*report);
  }

  void Cancel() {
    for (observe::OpenTarget& target : world_.targets) {
      if (auto* client = dynamic_cast<provider::Client*>(target.target.get())) client->Cancel();
    }
  }

  int Tell(const apply::Report& report) {
    const bool whole = report.complete() && world_.plan.held() == 0;
    const int code = FirstOf({whole ? kOk : kPartly, world_.observed_all() ? kOk : kIncomplete});
    if (shell_.json()) {
      view::WriteReportJson(world_.plan, report, code, shell_.out());
    } else {
      std::string again = "postern apply" + (arguments_.file.empty() ? "" : " " + arguments_.file);
      if (!arguments_.snapshot.empty()) again = "postern restore " + arguments_.snapshot;
      shell_.Say(
          view::RenderReport(world_.plan, report, again, code, arguments_.detail, shell_.style()));
      if (world_.plan.as_of_given && report.done > 0) shell_.Say(GivenBackText());
    }
    return code;
  }

  // What ended before its day stands in the declarations still.
  std::string GivenBackText() const {
    const std::string day = base::FormatHuman(world_.plan.as_of).substr(0, 10);
    std::string out;
    for (const std::string& line : view::Wrap(
             fmt::format("Declared until {} still: an apply before that day gives it back, unless "
                         "the files say the new end.",
                         day),
             shell_.style().width)) {
      out += line + "\n";
    }
    return out;
  }

  Shell& shell_;
  const ApplyArguments& arguments_;
  World world_;
  std::vector<bool> settled_;           // steps of a saved plan that an earlier apply of it did
  std::unique_ptr<ledger::Lock> lock_;  // ends before the ledger does
};

}  // namespace

int RunApply(Shell& shell, const ApplyArguments& arguments) {
  return Applier(shell, arguments).Run();
}

Run DefineApply(Arguments& arguments) {
  auto given = std::make_shared<ApplyArguments>();
  arguments = {
      {.name = "PLANFILE",
       .help = "a plan saved by plan --out; default: plan now",
       .text = &given->file},
      {.name = "--yes,-y", .help = "don't ask (CI)", .flag = &given->yes},
      {.name = "--detail", .help = "every object with what differs", .flag = &given->detail},
      {.name = "--as-of",
       .value = "TIME",
       .help =
           "plan for a moment to come: may only take access away, which the next apply gives back "
           "unless the files end it",
       .text = &given->as_of},
      {.name = "--target",
       .value = "NAME",
       .help = "change this host, server, directory or iam only (may be repeated)",
       .many = &given->targets},
  };
  return [given](Shell& shell) { return RunApply(shell, *given); };
}

}  // namespace postern::cmd
