// postern job run: wakes an export or an import.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <atomic>

#include "cmd/postern/command.h"
#include "cmd/postern/import_run.h"
#include "cmd/postern/job_alert.h"
#include "cmd/postern/job_found.h"
#include "cmd/postern/job_ports.h"
#include "cmd/postern/progress.h"
#include "core/diag/codes.h"
#include "core/jobs/export_run.h"
#include "core/jobs/files.h"
#include "core/jobs/job_lock.h"
#include "core/jobs/spec.h"
#include "core/view/job_runs.h"
#include "core/view/style.h"

namespace postern::cmd {
namespace {

// A moment, or "now".
bool MomentOf(const std::string& text, std::optional<base::Instant>* out) {
  if (text.empty()) return true;
  *out = text == "now" ? base::Now() : base::ParseInstant(text);
  return out->has_value();
}

int CodeOf(const jobs::RunReport& report, const diag::Diagnostics& diagnostics) {
  int code = kOk;
  for (const jobs::SlotReport& slot : report.slots) {
    if (jobs::IsGood(slot.outcome)) continue;
    const bool at_place =
        slot.outcome == jobs::kRejectedOutcome || slot.outcome == jobs::kUnansweredOutcome;
    code = FirstOf({code, at_place ? kPartly : slot.outcome == jobs::kRefused ? kRefused : kError});
  }
  // A source that wasn't read as a whole isn't a limit that was reached.
  for (const diag::Diagnostic& one : diagnostics.all()) {
    const bool unread =
        one.code == diag::code::kCensusIncomplete || one.code == diag::code::kSnapshotIncomplete;
    if (unread && code != kError) code = kIncomplete;
  }
  return code;
}

// Runs it, with a line on the terminal of what goes on.
Result<jobs::RunReport> Wake(Shell& shell, const FoundJob& found, const jobs::Asked& asked,
                             jobs::Ports ports, diag::Diagnostics* diagnostics) {
  std::atomic<const char*> doing = "Starting";
  std::atomic<uint64_t> done = 0;
  ports.progress = [&](const char* what, uint64_t count) {
    doing = what;
    done = count;
  };
  const StatusLine line(shell, [&] {
    const uint64_t count = done;
    return count == 0 ? std::string(doing.load()) : fmt::format("{}: {}", doing.load(), count);
  });
  return jobs::ExportRun(found.spec, asked, found.folder, ports, diagnostics).Run();
}

// A run that ended before it looked at a file stands in last.json and among the job's events as
// well: `job status` and drift would tell of the one before, `job history` of nothing.
void NoteEnded(Shell& shell, const std::string& folder, base::Instant at, const char* outcome) {
  const auto last = jobs::ReadLast(folder + "/last.json");
  if (last && last->ended() >= at) return;
  jobs::Event event{at, at, outcome, 0, ""};
  for (const diag::Diagnostic& one : shell.told().all()) {
    if (one.severity != diag::Severity::kError) continue;
    event.why =
        fmt::format("{} {}{}{}", one.code, one.summary, one.label.empty() ? "" : ": ", one.label);
    break;
  }
  job::LastRun ended;
  ended.set_ended(at);
  ended.set_outcome(outcome);
  auto noted = jobs::AddEvent(folder, event);
  if (noted) noted = jobs::WriteLast(folder + "/last.json", ended);
  if (!noted) shell.Fail(diag::code::kFileUnreadable, noted.error(), folder);
}

// The place that the installed import fetches from. An import plans and applies by the ledger's own
// declarations, which must say the import that was installed.
Result<Origin> OpenOriginOf(Shell& shell, const FoundJob& found, const JobPorts& world,
                            const decl::Import& import) {
  if (import.SerializeAsString() != found.spec.import().SerializeAsString()) {
    return Fail(ErrorCode::kConflict,
                "the declarations say another import than is installed: postern apply");
  }
  auto opened = world.OpenPlace();
  if (!opened) return tl::unexpected<Error>(opened.error());
  diag::Diagnostics warnings;
  for (const std::string& one : opened->left_out) {
    warnings.Add({.severity = diag::Severity::kWarning,
                  .code = diag::code::kSlotWithout,
                  .summary = one,
                  .subject = found.spec.name(),
                  .notes = {"put its secret on the runner before the other one goes"}});
  }
  shell.Print(warnings, {});
  return Origin{std::move(opened->place), opened->credential};
}

int RunImport(Shell& shell, const FoundJob& found, std::optional<base::Instant> now,
              EndedRun* ended) {
  const std::string& name = found.spec.name();
  const auto lock = jobs::JobLock::Take(found.folder + "/lock");
  if (!lock) {
    ended->overlapped = lock.error().code == ErrorCode::kConflict;
    return shell.Fail(ended->overlapped ? diag::code::kJobRunning : diag::code::kFileUnreadable,
                      lock.error(), name);
  }
  const base::Instant at = now ? *now : base::Now();
  if (const auto closed = jobs::WhyClosed(found.spec, at); !closed.empty()) {
    (void)shell.Fail({.code = diag::code::kJobClosed,
                      .summary = closed,
                      .subject = name,
                      .notes = {"no file was taken"}});
    NoteEnded(shell, found.folder, at, jobs::kRefused);
    return kRefused;
  }
  const JobPorts world(found.spec, now);
  const auto open = [&](const config::Declarations&, const decl::Import& import) {
    return OpenOriginOf(shell, found, world, import);
  };
  const int code = RunImportJob(shell, name, at, **lock, open);
  // What another run has begun since is its own to tell.
  ended->overlapped = !(*lock)->Check();
  if (code != kOk && !ended->overlapped) NoteEnded(shell, found.folder, at, jobs::kFailed);
  return code;
}

// What stands in the report is told to an alert as well.
void KeepBadSlots(Shell& shell, const std::string& name, const jobs::RunReport& report) {
  for (const jobs::SlotReport& slot : report.slots) {
    if (jobs::IsGood(slot.outcome)) continue;
    shell.Keep({.code = diag::code::kRunNotDelivered,
                .summary = fmt::format("the run of {} is {}{}", base::FormatInstant(slot.slot),
                                       slot.outcome, slot.why.empty() ? "" : ": " + slot.why),
                .subject = name});
  }
  if (report.missed.empty()) return;
  shell.Keep({.severity = diag::Severity::kWarning,
              .code = diag::code::kSlotMissed,
              .summary = fmt::format("{} passed over, the first of {}, the last of {}",
                                     view::Count(report.missed.size(), "slot"),
                                     base::FormatInstant(report.missed.front()),
                                     base::FormatInstant(report.missed.back())),
              .subject = name,
              .notes = {"schedule.catch_up says which slots are made good"}});
}

int RunExport(Shell& shell, const FoundJob& found, const jobs::Asked& asked,
              std::optional<base::Instant> now, EndedRun* ended) {
  const std::string& name = found.spec.name();
  JobPorts world(found.spec, now);
  diag::Diagnostics diagnostics;
  const auto report = Wake(shell, found, asked, world.Ports(), &diagnostics);
  diagnostics.Sort();
  shell.Print(diagnostics, {});
  if (!report) {
    ended->overlapped = report.error().code == ErrorCode::kConflict;
    return shell.Fail(ended->overlapped ? diag::code::kJobRunning : diag::code::kRunNotDelivered,
                      report.error(), name);
  }
  if (shell.json()) {
    view::WriteRunJson(name, *report, shell.out());
  } else {
    shell.Say(view::RenderRun(name, *report, shell.style()));
  }
  KeepBadSlots(shell, name, *report);
  ended->missed = !report->missed.empty();
  return CodeOf(*report, diagnostics);
}

// Of the jobs' user on this machine; by root his files would be made, and be root's. Empty: fine.
std::string OtherUser(const decl::Runner& runner) {
  if (geteuid() != 0) return "";
  const passwd* user = getpwnam(runner.user().c_str());
  return user == nullptr || user->pw_uid == 0 ? "" : runner.user();
}

// kOk, or the exit code: what can't be asked for.
int CheckAsked(Shell& shell, const FoundJob& found, const jobs::Asked& asked, base::Instant now) {
  if (const std::string user = OtherUser(found.spec.runner()); !user.empty()) {
    return shell.Fail(
        {.code = diag::code::kRunnersUser,
         .summary = fmt::format("{} runs as {}, and this is root", found.spec.name(), user),
         .notes = {"what root makes there, that user can't open",
                   fmt::format("sudo -u {} postern job run {}", user, found.spec.name())}});
  }
  if (!asked.slot || *asked.slot <= now) return kOk;
  return shell.Fail(
      {.code = diag::code::kBadTime,
       .summary = fmt::format("the slot {} isn't there yet", base::FormatInstant(*asked.slot)),
       .notes = {"every slot before it would count as done with",
                 fmt::format("now it is {}", base::FormatInstant(now))}});
}

int RunJob(Shell& shell, const JobArguments& arguments) {
  FoundJob found;
  if (const int code = FindJob(shell, arguments, &found); code != kOk) return code;
  jobs::Asked asked{.full = arguments.full, .digest = found.digest};
  std::optional<base::Instant> now;
  if (!MomentOf(arguments.slot, &asked.slot) || !MomentOf(arguments.as_of, &now)) {
    return shell.Fail({.code = diag::code::kBadTime,
                       .summary = "not a moment",
                       .notes = {"such as 2027-03-01T02:30:00Z, or now"}});
  }
  const base::Instant moment = now ? *now : base::Now();
  if (const int code = CheckAsked(shell, found, asked, moment); code != kOk) return code;
  EndedRun ended{found.spec, found.folder, moment};
  if (auto made = jobs::MakeFolder(found.folder); !made) {
    ended.exit = shell.Fail(diag::code::kFileUnreadable, made.error(), found.folder);
  } else if (found.spec.has_import()) {
    ended.exit = RunImport(shell, found, now, &ended);
  } else {
    ended.exit = RunExport(shell, found, asked, now, &ended);
  }
  AlertOf(shell, ended);
  return ended.exit;
}

}  // namespace

Run DefineJobRun(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = JobArgumentsOf(given.get());
  arguments.push_back({.name = "--slot",
                       .value = "TIME",
                       .help = "this slot, due or not; \"now\" for one of its own",
                       .text = &given->slot});
  arguments.push_back(
      {.name = "--full", .help = "a full file where a delta would do", .flag = &given->full});
  arguments.push_back({.name = "--as-of",
                       .value = "TIME",
                       .help = "what is due and who is active at this moment",
                       .text = &given->as_of});
  return [given](Shell& shell) { return RunJob(shell, *given); };
}

}  // namespace postern::cmd
