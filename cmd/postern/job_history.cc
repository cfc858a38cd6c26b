// postern job history | verify: what a job has done, and whether the proof of it holds.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cmd/postern/command.h"
#include "cmd/postern/job_found.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/jobs/history.h"
#include "core/jobs/import_history.h"
#include "core/jobs/outbox.h"
#include "core/view/import_history.h"
#include "core/view/job_runs.h"

namespace postern::cmd {
namespace {

constexpr size_t kAll = 1'000'000;
constexpr size_t kNewest = 50;

// Runs and events of an export; kOk, or the exit code.
int ReadHistory(Shell& shell, const FoundJob& found, std::unique_ptr<jobs::Outbox>* outbox,
                view::JobHistory* history) {
  history->job = found.spec.name();
  auto events = jobs::ReadEvents(found.folder);
  if (!events) return shell.Fail(diag::code::kFileUnreadable, events.error(), history->job);
  history->events = *std::move(events);
  const std::string path = found.folder + "/outbox.db";
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return kOk;
  auto opened = jobs::Outbox::Open(path);
  if (!opened) return shell.Fail(diag::code::kFileUnreadable, opened.error(), history->job);
  *outbox = *std::move(opened);
  auto runs = (*outbox)->Runs(kAll);
  if (!runs) return shell.Fail(diag::code::kFileUnreadable, runs.error(), history->job);
  history->runs = *std::move(runs);
  return kOk;
}

int ExportHistory(Shell& shell, const FoundJob& found, size_t most) {
  std::unique_ptr<jobs::Outbox> outbox;
  view::JobHistory history;
  if (const int code = ReadHistory(shell, found, &outbox, &history); code != kOk) return code;
  if (shell.json()) {
    view::WriteHistoryJson(history, shell.out());
  } else {
    shell.Say(view::RenderHistory(history, most, shell.style()));
  }
  return kOk;
}

// Runs and events of an import, its world with the ledger open; kOk, or the exit code. The ledger
// needs only the operator's file: mistakes in the reviewed tree don't stand in the way.
int ReadImport(Shell& shell, const FoundJob& found, World* world, view::ImportHistory* history) {
  history->job = found.spec.name();
  if (!world->Load() && !std::filesystem::exists(world->ledger_path())) {
    return world->PrintErrors();  // an empty ledger would say that nothing was ever accepted
  }
  if (auto opened = world->OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  auto events = jobs::ReadEvents(found.folder);
  if (!events) return shell.Fail(diag::code::kFileUnreadable, events.error(), history->job);
  history->events = *std::move(events);
  auto runs = jobs::ImportRuns(found.folder, history->job, *world->ledger);
  if (!runs) return shell.Fail(LedgerCode(runs.error()), runs.error());
  history->runs = *std::move(runs);
  return kOk;
}

// kOk, or the exit code.
int CheckSignaturesOf(Shell& shell, const FoundJob& found, const World& world,
                      jobs::ImportRunRow* run) {
  const auto& declarations = world.loaded.declarations;
  if (auto done = jobs::CheckSignatures(found.folder, declarations, run); !done) {
    return shell.Fail(diag::code::kReleaseRefused, done.error());
  }
  return kOk;
}

int ImportHistory(Shell& shell, const FoundJob& found, size_t most) {
  World world(shell);
  view::ImportHistory history;
  if (const int code = ReadImport(shell, found, &world, &history); code != kOk) return code;
  const size_t shown = shell.json() ? history.runs.size() : std::min(most, history.runs.size());
  for (size_t i = 0; i < shown; ++i) {
    if (const int code = CheckSignaturesOf(shell, found, world, &history.runs[i]); code != kOk) {
      return code;
    }
  }
  if (shell.json()) {
    view::WriteImportHistoryJson(history, shell.out());
  } else {
    shell.Say(view::RenderImportHistory(history, most, shell.style()));
  }
  return kOk;
}

int History(Shell& shell, const JobArguments& arguments) {
  FoundJob found;
  if (const int code = FindJob(shell, arguments, &found); code != kOk) return code;
  const size_t most = arguments.detail ? kAll : kNewest;
  return found.spec.has_import() ? ImportHistory(shell, found, most)
                                 : ExportHistory(shell, found, most);
}

int NoSuchRun(Shell& shell, const JobArguments& arguments) {
  return shell.Fail({.code = diag::code::kNoSuchRun,
                     .summary = fmt::format("no run {} of {}", arguments.run, arguments.name),
                     .notes = {fmt::format("postern job history {}", arguments.name)}});
}

// Shows what was found; kOk when all of it holds. `run`: as people name it.
int TellEvidence(Shell& shell, const std::string& job, const std::string& run,
                 const std::string& id, uint64_t sequence, const jobs::Evidence& evidence) {
  if (shell.json()) {
    view::WriteEvidenceJson(id, sequence, evidence, shell.out());
  } else {
    shell.Say(view::RenderEvidence(run, evidence, shell.style()));
  }
  if (evidence.faults.empty()) return kOk;
  diag::Diagnostics diagnostics;
  diagnostics.Add({.code = diag::code::kEvidence,
                   .summary = fmt::format("run {}: {}", run, evidence.faults.front()),
                   .subject = job,
                   .notes = {"somebody or something has changed what was kept"}});
  if (!shell.json()) shell.Print(diagnostics, {});
  return kError;
}

int VerifyExport(Shell& shell, const FoundJob& found, const JobArguments& arguments) {
  std::unique_ptr<jobs::Outbox> outbox;
  view::JobHistory history;
  if (const int code = ReadHistory(shell, found, &outbox, &history); code != kOk) return code;
  const jobs::RunRow* run = nullptr;
  for (const jobs::RunRow& one : history.runs) {
    if (std::to_string(one.sequence) == arguments.run || one.id == arguments.run) run = &one;
  }
  if (run == nullptr) return NoSuchRun(shell, arguments);
  const auto files = outbox->FilesOf(run->id);
  if (!files) return shell.Fail(diag::code::kFileUnreadable, files.error(), arguments.name);
  return TellEvidence(shell, arguments.name, std::to_string(run->sequence), run->id, run->sequence,
                      jobs::CheckEvidence(found.folder, *run, *files));
}

// By its id or the first digits of it, as a release names it.
int VerifyImport(Shell& shell, const FoundJob& found, const JobArguments& arguments) {
  constexpr size_t kFewestDigits = 4;
  World world(shell);
  view::ImportHistory history;
  if (const int code = ReadImport(shell, found, &world, &history); code != kOk) return code;
  jobs::ImportRunRow* run = nullptr;
  for (jobs::ImportRunRow& one : history.runs) {
    if (arguments.run.size() < kFewestDigits || !one.file.run.starts_with(arguments.run)) continue;
    if (run != nullptr) {
      return shell.Fail({.code = diag::code::kNoSuchRun,
                         .summary = fmt::format("{} fits several runs", arguments.run),
                         .notes = {"give more of its digits"}});
    }
    run = &one;
  }
  if (run == nullptr) return NoSuchRun(shell, arguments);
  if (const int code = CheckSignaturesOf(shell, found, world, run); code != kOk) return code;
  return TellEvidence(shell, arguments.name, run->file.run, run->file.run, 0,
                      jobs::CheckImport(found.folder, arguments.name, *run));
}

int Verify(Shell& shell, const JobArguments& arguments) {
  FoundJob found;
  if (const int code = FindJob(shell, arguments, &found); code != kOk) return code;
  return found.spec.has_import() ? VerifyImport(shell, found, arguments)
                                 : VerifyExport(shell, found, arguments);
}

}  // namespace

Run DefineJobHistory(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = JobArgumentsOf(given.get());
  arguments.push_back(
      {.name = "--detail", .help = "all of it, whatever the size", .flag = &given->detail});
  return [given](Shell& shell) { return History(shell, *given); };
}

Run DefineJobVerify(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = JobArgumentsOf(given.get());
  arguments.insert(
      arguments.begin() + 1,
      {.name = "RUN", .help = "its number, or its id", .text = &given->run, .required = true});
  return [given](Shell& shell) { return Verify(shell, *given); };
}

}  // namespace postern::cmd
