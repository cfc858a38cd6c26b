// postern job release: a second person's word for a held import.
#include <fmt/format.h>

#include "cmd/postern/command.h"
#include "cmd/postern/import_run.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/quarantine.h"
#include "core/jobs/release.h"
#include "core/view/import_view.h"

namespace postern::cmd {
namespace {

struct ReleaseArguments {
  std::string import, run, signature, reason;
};

// The held run that may be released, or the exit code.
int FindHeld(Shell& shell, const ReleaseArguments& arguments, const decl::Import& import,
             const std::string& folder, jobs::HeldRun* out) {
  const auto held = jobs::Quarantine(folder + "/in").FindHeld(import.name(), arguments.run);
  if (!held) return shell.Fail(diag::code::kReleaseRefused, held.error());
  if (!*held) {
    return shell.Fail(
        {.code = diag::code::kReleaseRefused,
         .summary = fmt::format("import {} holds no run {}", import.name(), arguments.run),
         .notes = {fmt::format("postern job history import.{}", import.name())}});
  }
  if (!(*held)->others.empty()) {
    std::vector<std::string> notes = (*held)->others;
    notes.push_back(fmt::format("then postern job run import.{} looks at it anew", import.name()));
    return shell.Fail({.code = diag::code::kReleaseRefused,
                       .summary = fmt::format("no release opens run {} of import {}: what it waits "
                                              "for isn't a threshold",
                                              (*held)->run, import.name()),
                       .notes = std::move(notes)});
  }
  if (const std::string why = jobs::WhyNoReason(arguments.reason); !why.empty()) {
    return shell.Fail(
        {.code = diag::code::kReleaseRefused,
         .summary = why,
         .subject = (*held)->job,
         .notes = {fmt::format("postern job release {} {} --reason \"why it may go on\"",
                               import.name(), (*held)->run),
                   "it is signed with the plan, and stands in the ledger for ever"}});
  }
  *out = **held;
  return kOk;
}

int ShowText(Shell& shell, const decl::Import& import, const jobs::HeldRun& held,
             const std::string& reason) {
  if (shell.json()) {
    view::WriteReleaseJson(held, reason, shell.out());
    return kOk;
  }
  shell.Say(ReleaseText(held, reason));
  shell.Note(fmt::format(
      "\nTo release it, somebody else than who ran it ({}) signs this text and gives the "
      "signature,\nwith the same reason:\n"
      "  ssh-keygen -Y sign -n postern-release -f KEY TEXTFILE\n"
      "  postern job release {} {} --reason ... --signature TEXTFILE.sig\n",
      StarterOf(held), import.name(), held.run));
  return kOk;
}

int Release(Shell& shell, const ReleaseArguments& arguments) {
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  const auto& all = world.loaded.declarations;
  const decl::Import* import = ImportNamed(all, arguments.import);
  if (import == nullptr) return NoSuchImport(shell, arguments.import);
  const std::string folder = FolderOfImport(all, *import);
  jobs::HeldRun held;
  if (const int code = FindHeld(shell, arguments, *import, folder, &held); code != kOk) {
    return code;
  }
  if (arguments.signature.empty()) return ShowText(shell, *import, held, arguments.reason);
  const auto signature = jobs::ReadSmallFile(arguments.signature, size_t{64} << 10);
  if (!signature) return shell.Fail(diag::code::kFileUnreadable, signature.error());
  const auto verdict = jobs::VerifyRelease(held, arguments.reason, *signature, all, folder);
  if (!verdict) return shell.Fail(diag::code::kReleaseRefused, verdict.error());
  if (verdict->releaser.empty()) {
    return shell.Fail({.code = diag::code::kReleaseRefused, .summary = verdict->why});
  }
  if (auto opened = world.OpenLedger(World::LedgerUse::kApply); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  const auto kept = world.ledger->RecordJob({.job = held.job,
                                             .run = held.run,
                                             .what = "released",
                                             .who = verdict->releaser,
                                             .plan_digest = held.plan_digest,
                                             .file_sha256 = held.file_sha256,
                                             .note = WhoAmI(),
                                             .signature = *signature,
                                             .reason = arguments.reason},
                                            nullptr);
  if (!kept) return shell.Fail(LedgerCode(kept.error()), kept.error());
  shell.Say(fmt::format("Released by {}. The next run applies it: postern job run {}\n",
                        verdict->releaser, held.job));
  return kOk;
}

}  // namespace

Run DefineJobRelease(Arguments& arguments) {
  auto given = std::make_shared<ReleaseArguments>();
  arguments = {
      {.name = "NAME", .help = "the import", .text = &given->import, .required = true},
      {.name = "RUN", .help = "its held run", .text = &given->run, .required = true},
      {.name = "--reason",
       .value = "TEXT",
       .help = "why it may go on; signed with the plan and kept. Always needed",
       .text = &given->reason},
      {.name = "--signature",
       .value = "FILE",
       .help = "a releaser's signature; without it the text to sign is printed",
       .text = &given->signature},
  };
  return [given](Shell& shell) { return Release(shell, *given); };
}

}  // namespace postern::cmd
