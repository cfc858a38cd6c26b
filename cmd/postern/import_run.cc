#include "cmd/postern/import_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "cmd/postern/command.h"
#include "cmd/postern/import_world.h"
#include "cmd/postern/plan_run.h"
#include "core/base/check.h"
#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/history.h"
#include "core/jobs/spec.h"
#include "core/view/import_view.h"

namespace postern::cmd {
namespace {

// Where its files come from. Declarations that were read without a mistake hold it.
const decl::Endpoint& OriginOf(const config::Declarations& all, const decl::Import& import) {
  const auto found = std::find_if(
      all.endpoints.begin(), all.endpoints.end(),
      [&](const auto& endpoint) { return endpoint.message.name() == import.fetch().from(); });
  POSTERN_CHECK(found != all.endpoints.end(), "the import names no endpoint");
  return found->message;
}

// What stands in the outcome is told to an alert as well.
void KeepBad(Shell& shell, const decl::Import& import, const jobs::FileOutcome& file) {
  const bool held = file.state == jobs::FileState::kHeld;
  const bool refused = file.state == jobs::FileState::kRefused;
  if (!held && !refused && !file.passed_over && file.state != jobs::FileState::kAccepted) return;
  const char* state = held               ? "held"
                      : refused          ? "refused"
                      : file.passed_over ? "old, and nothing of it was taken"
                                         : "accepted, and not applied as a whole";
  shell.Keep({.code = held && *file.code == '\0' ? diag::code::kImportHeld : file.code,
              .summary = fmt::format("{} is {}", file.name, state),
              .subject = "import." + import.name(),
              .notes = file.reasons});
}

int Tell(Shell& shell, const decl::Import& import, const std::vector<jobs::FileOutcome>& outcomes,
         const std::vector<std::string>& notes) {
  if (shell.json()) {
    view::WriteImportJson(import.name(), outcomes, notes, shell.out());
  } else {
    for (const std::string& note : notes) shell.Note(note + "\n");
    shell.Say(view::RenderImport(import.name(), outcomes));
  }
  int code = kOk;
  for (const jobs::FileOutcome& file : outcomes) {
    for (const std::string& warning : file.warnings) shell.Note("  look at " + warning + "\n");
    KeepBad(shell, import, file);
    const bool stopped = file.state == jobs::FileState::kHeld ||
                         file.state == jobs::FileState::kRefused || file.passed_over;
    code = FirstOf(
        {code, stopped ? kRefused : kOk, file.state == jobs::FileState::kAccepted ? kPartly : kOk});
  }
  return code;
}

int TakesNothing(Shell& shell, const decl::Import& import, const std::string& why) {
  if (shell.json()) {
    view::WriteImportJson(import.name(), {}, {why}, shell.out());
  } else {
    shell.Say(fmt::format("import {} {}\n", import.name(), why));
  }
  return kOk;
}

// What `job status` and drift look at.
Result<void> Note(const std::string& folder, const std::vector<jobs::FileOutcome>& outcomes,
                  base::Instant now, const std::string& credential, int code) {
  job::LastRun last;
  uint64_t rows = 0;
  bool held = false, took = false;  // one that was taken before and stays there is none
  for (const jobs::FileOutcome& file : outcomes) {
    last.set_run(file.run);
    rows += file.counts.rows;
    took |= file.state != jobs::FileState::kOld;
    held |= file.state == jobs::FileState::kHeld;  // the last one: later ones wait
  }
  last.set_ended(now);
  last.set_rows(rows);
  last.set_credential(credential);
  last.set_outcome(held          ? std::string(jobs::kHeldOutcome)
                   : code != kOk ? std::string(jobs::kRefused)
                   : took        ? std::string(jobs::kApplied)
                                 : std::string(jobs::kNothing));
  return jobs::WriteLast(folder + "/last.json", std::move(last));
}

// A roster is matched with its own people, from the ledger; for each plan all are read anew.
void ForgetPeople(config::Declarations* all) {
  decltype(all->users)().swap(all->users);
  decltype(all->iam_users)().swap(all->iam_users);
  all->imported_by.clear();
}

}  // namespace

const decl::Import* ImportNamed(const config::Declarations& all, std::string_view name) {
  constexpr std::string_view kPrefix = "import.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  for (const auto& import : all.imports) {
    if (import.message.name() == name) return &import.message;
  }
  return nullptr;
}

std::string FolderOfImport(const config::Declarations& all, const decl::Import& import) {
  for (const auto& runner : all.runners) {
    if (runner.message.name() == import.runner()) {
      return jobs::FolderOf(runner.message, "import." + import.name());
    }
  }
  return "";
}

int NoSuchImport(Shell& shell, const std::string& name) {
  return shell.Fail({.code = diag::code::kNoSuchRun,
                     .summary = fmt::format("no import \"{}\" is declared", name),
                     .notes = {"postern job status"}});
}

int RunImportJob(Shell& shell, const std::string& name, base::Instant now,
                 const jobs::JobLock& lock, const OpenOrigin& open) {
  World world(shell);
  world.now = world.as_of = now;
  if (!world.Load()) return world.PrintErrors();
  const auto& all = world.loaded.declarations;
  const decl::Import* import = ImportNamed(all, name);
  if (import == nullptr) return NoSuchImport(shell, name);
  if (import->has_enabled() && !import->enabled()) {
    return TakesNothing(shell, *import, "isn't enabled");
  }
  if (import->has_expires() && now > import->expires()) {
    return TakesNothing(shell, *import, "ended on " + base::FormatHuman(import->expires()));
  }
  if (auto opened = world.OpenLedger(World::LedgerUse::kApply); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  const auto origin = open(all, *import);
  if (!origin) return shell.Fail(diag::code::kUnreachable, origin.error());
  const std::string folder = FolderOfImport(all, *import);
  if (import->what() == "roster") ForgetPeople(&world.loaded.declarations);
  const jobs::ImportInput input{*import, OriginOf(all, *import), folder, WhoAmI(),
                                now,     WhoIsBehind(),          lock};
  CommandImportWorld asked(shell, *import, world);
  std::vector<std::string> notes;
  const auto outcomes = jobs::RunImport(input, *origin->place, asked, &notes);
  if (!outcomes) {
    const bool alone = lock.Check().has_value();
    return shell.Fail(alone ? LedgerCode(outcomes.error()) : diag::code::kJobRunning,
                      outcomes.error());
  }
  const int code = Tell(shell, *import, *outcomes, notes);
  if (auto noted = Note(folder, *outcomes, now, origin->credential, code); !noted) {
    return shell.Fail(diag::code::kFileUnreadable, noted.error(), folder);
  }
  return code;
}

}  // namespace postern::cmd
