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

const decl::Import* ImportNamed(const config::Declarations& all, std::string_view name) {
  constexpr std::string_view kPrefix = "import.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  for (const auto& import : all.imports) {
    if (import.message.name() == name) return &import.message;
  }
  return nullptr;
}

// Where its files come from. Declarations that were read without a mistake hold it.
const decl::Endpoint& OriginOf(const config::Declarations& all, const decl::Import& import) {
  const auto found = std::find_if(
      all.endpoints.begin(), all.endpoints.end(),
      [&](const auto& endpoint) { return endpoint.message.name() == import.fetch().from(); });
  POSTERN_CHECK(found != all.endpoints.end(), "the import names no endpoint");
  return found->message;
}

// STATE/jobs/import.NAME; empty: its runner isn't declared, and the loader has said so.
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
  bool took = false;  // one that was taken before and stays there is none
  for (const jobs::FileOutcome& file : outcomes) {
    last.set_run(file.run);
    rows += file.counts.rows;
    took |= file.state != jobs::FileState::kOld;
  }
  last.set_ended(now);
  last.set_rows(rows);
  last.set_credential(credential);
  last.set_outcome(code != kOk ? std::string(jobs::kRefused)
                   : took      ? std::string(jobs::kApplied)
                               : std::string(jobs::kNothing));
  return jobs::WriteLast(folder + "/last.json", std::move(last));
}

struct ReleaseArguments {
  std::string import, run, signature;
};

int Release(Shell& shell, const ReleaseArguments& arguments) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  const auto& all = world.loaded.declarations;
  const decl::Import* import = ImportNamed(all, arguments.import);
  if (import == nullptr) return NoSuchImport(shell, arguments.import);
  const std::string folder = FolderOfImport(all, *import);
  const auto held = jobs::Quarantine(folder + "/in").FindHeld(import->name(), arguments.run);
  if (!held) return shell.Fail(diag::code::kReleaseRefused, held.error());
  if (!*held) {
    return shell.Fail(
        {.code = diag::code::kReleaseRefused,
         .summary = fmt::format("import {} holds no run {}", import->name(), arguments.run),
         .notes = {fmt::format("postern job status {}", import->name())}});
  }
  if (!(*held)->others.empty()) {
    std::vector<std::string> notes = (*held)->others;
    notes.push_back(fmt::format("then postern job run import.{} looks at it anew", import->name()));
    return shell.Fail({.code = diag::code::kReleaseRefused,
                       .summary = fmt::format("no release opens run {} of import {}: what it waits "
                                              "for isn't a threshold",
                                              (*held)->run, import->name()),
                       .notes = std::move(notes)});
  }
  if (arguments.signature.empty()) {
    if (shell.json()) {
      view::WriteReleaseJson(**held, shell.out());
      return kOk;
    }
    shell.Say(ReleaseText(**held));
    shell.Note(
        "\nTo release it, somebody else than who ran it signs this text and gives the signature:\n"
        "  ssh-keygen -Y sign -n postern-release -f KEY TEXTFILE\n"
        "  postern job release " +
        import->name() + " " + (*held)->run + " --signature TEXTFILE.sig\n");
    return kOk;
  }
  const auto signature = jobs::ReadSmallFile(arguments.signature, size_t{64} << 10);
  if (!signature) return shell.Fail(diag::code::kFileUnreadable, signature.error());
  const auto verdict = jobs::VerifyRelease(**held, *signature, all, folder);
  if (!verdict) return shell.Fail(diag::code::kReleaseRefused, verdict.error());
  if (verdict->releaser.empty()) {
    return shell.Fail({.code = diag::code::kReleaseRefused, .summary = verdict->why});
  }
  if (auto opened = world.OpenLedger(World::LedgerUse::kApply); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  const auto kept = world.ledger->RecordJob({.job = (*held)->job,
                                             .run = (*held)->run,
                                             .what = "released",
                                             .who = verdict->releaser,
                                             .plan_digest = (*held)->plan_digest,
                                             .file_sha256 = (*held)->file_sha256,
                                             .note = WhoAmI(),
                                             .signature = *signature},
                                            nullptr);
  if (!kept) return shell.Fail(LedgerCode(kept.error()), kept.error());
  shell.Say(fmt::format("Released by {}. The next run applies it: postern job run {}\n",
                        verdict->releaser, (*held)->job));
  return kOk;
}

}  // namespace

int RunImportJob(Shell& shell, const std::string& name, base::Instant now, const OpenOrigin& open) {
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
  const auto lock = world.ledger->Acquire(WhoAmI());
  if (!lock) return shell.Fail(LedgerCode(lock.error()), lock.error());
  const auto origin = open(all, *import);
  if (!origin) return shell.Fail(diag::code::kUnreachable, origin.error());
  const std::string folder = FolderOfImport(all, *import);
  const jobs::ImportInput input{*import, OriginOf(all, *import), folder, WhoAmI(), now};
  CommandImportWorld asked(shell, *import, world);
  std::vector<std::string> notes;
  const auto outcomes = jobs::RunImport(input, *origin->place, asked, &notes);
  if (!outcomes) return shell.Fail(LedgerCode(outcomes.error()), outcomes.error());
  const int code = Tell(shell, *import, *outcomes, notes);
  if (auto noted = Note(folder, *outcomes, now, origin->credential, code); !noted) {
    return shell.Fail(diag::code::kFileUnreadable, noted.error(), folder);
  }
  return code;
}

Run DefineJobRelease(Arguments& arguments) {
  auto given = std::make_shared<ReleaseArguments>();
  arguments = {
      {.name = "NAME", .help = "the import", .text = &given->import, .required = true},
      {.name = "RUN", .help = "its held run", .text = &given->run, .required = true},
      {.name = "--signature",
       .value = "FILE",
       .help = "a releaser's signature; without it the text to sign is printed",
       .text = &given->signature},
  };
  return [given](Shell& shell) { return Release(shell, *given); };
}

}  // namespace postern::cmd
