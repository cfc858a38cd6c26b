// postern job run | history | verify: wakes an export, tells what it has done, checks the proof.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "cmd/postern/command.h"
#include "cmd/postern/import_run.h"
#include "cmd/postern/job_alert.h"
#include "cmd/postern/job_ports.h"
#include "cmd/postern/progress.h"
#include "core/diag/codes.h"
#include "core/jobs/export_run.h"
#include "core/jobs/files.h"
#include "core/jobs/spec.h"
#include "core/view/job_runs.h"
#include "core/view/style.h"

namespace postern::cmd {
namespace {

constexpr size_t kAll = 1'000'000;
constexpr size_t kNewest = 50;

struct JobArguments {
  std::string name, spec, digest, slot, run, as_of;
  bool full = false, detail = false;
};

// A job's specification, as it is installed or as a file says.
struct Found {
  job::JobSpec spec;
  std::string digest, folder;
};

std::string DefaultSpec(const std::string& name) {
  return jobs::SpecPathOf(decl::Runner(), name);
}

// kOk, or the exit code.
int Find(Shell& shell, const JobArguments& arguments, Found* found) {
  const std::string path = arguments.spec.empty() ? DefaultSpec(arguments.name) : arguments.spec;
  const auto bytes = jobs::ReadSmallFile(path);
  if (!bytes) {
    std::vector<std::string> notes = {
        "--spec names its specification; `postern apply` installs it"};
    if (arguments.name.find('.') == std::string::npos) {
      notes = {fmt::format("write export.{0} or import.{0}", arguments.name)};
    }
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("no job {} here", arguments.name),
                       .label = bytes.error().message,
                       .notes = std::move(notes)});
  }
  found->digest = jobs::DigestOf(*bytes);
  auto spec =
      arguments.digest.empty() ? jobs::ParseSpec(*bytes) : jobs::ReadSpec(*bytes, arguments.digest);
  if (!spec) return shell.Fail(diag::code::kEvidence, spec.error(), path);
  if (spec->name() != arguments.name) {
    return shell.Fail({.code = diag::code::kUnknownName,
                       .summary = fmt::format("{} is the specification of {}", path, spec->name()),
                       .notes = {"name the job as it is declared, such as export.users"}});
  }
  found->spec = *std::move(spec);
  found->folder = jobs::FolderOf(found->spec.runner(), found->spec.name());
  return kOk;
}

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
Result<jobs::RunReport> Wake(Shell& shell, const Found& found, const jobs::Asked& asked,
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

// A run that ended before it looked at a file stands in last.json as well: `job status` and drift
// would tell of the one before.
void NoteFailed(Shell& shell, const std::string& folder, base::Instant at) {
  const auto last = jobs::ReadLast(folder + "/last.json");
  if (last && last->ended() >= at) return;
  job::LastRun failed;
  failed.set_ended(at);
  failed.set_outcome(jobs::kFailed);
  if (auto noted = jobs::WriteLast(folder + "/last.json", failed); !noted) {
    shell.Fail(diag::code::kFileUnreadable, noted.error(), folder);
  }
}

// An import plans and applies by the ledger's own declarations, which must say the import that was
// installed.
int RunImport(Shell& shell, const Found& found, std::optional<base::Instant> now) {
  if (const auto closed = jobs::WhyClosed(found.spec, now ? *now : base::Now()); !closed.empty()) {
    (void)shell.Fail({.code = diag::code::kJobClosed,
                      .summary = closed,
                      .subject = found.spec.name(),
                      .notes = {"no file was taken"}});
    return kRefused;
  }
  const JobPorts world(found.spec, now);
  const auto open = [&](const config::Declarations&, const decl::Import& import) -> Result<Origin> {
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
  };
  const base::Instant at = now ? *now : base::Now();
  const int code = RunImportJob(shell, found.spec.name(), at, open);
  if (code != kOk) NoteFailed(shell, found.folder, at);
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

int RunExport(Shell& shell, const Found& found, const jobs::Asked& asked,
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
int CheckAsked(Shell& shell, const Found& found, const jobs::Asked& asked, base::Instant now) {
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
  Found found;
  if (const int code = Find(shell, arguments, &found); code != kOk) return code;
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
    ended.exit = RunImport(shell, found, now);
  } else {
    ended.exit = RunExport(shell, found, asked, now, &ended);
  }
  AlertOf(shell, ended);
  return ended.exit;
}

// Runs and events of the job; kOk, or the exit code.
int ReadHistory(Shell& shell, const Found& found, std::unique_ptr<jobs::Outbox>* outbox,
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

int History(Shell& shell, const JobArguments& arguments) {
  Found found;
  if (const int code = Find(shell, arguments, &found); code != kOk) return code;
  std::unique_ptr<jobs::Outbox> outbox;
  view::JobHistory history;
  if (const int code = ReadHistory(shell, found, &outbox, &history); code != kOk) return code;
  if (shell.json()) {
    view::WriteHistoryJson(history, shell.out());
  } else {
    shell.Say(view::RenderHistory(history, arguments.detail ? kAll : kNewest, shell.style()));
  }
  return kOk;
}

int Verify(Shell& shell, const JobArguments& arguments) {
  Found found;
  if (const int code = Find(shell, arguments, &found); code != kOk) return code;
  std::unique_ptr<jobs::Outbox> outbox;
  view::JobHistory history;
  if (const int code = ReadHistory(shell, found, &outbox, &history); code != kOk) return code;
  const jobs::RunRow* run = nullptr;
  for (const jobs::RunRow& one : history.runs) {
    if (std::to_string(one.sequence) == arguments.run || one.id == arguments.run) run = &one;
  }
  if (run == nullptr) {
    return shell.Fail({.code = diag::code::kNoSuchRun,
                       .summary = fmt::format("no run {} of {}", arguments.run, arguments.name),
                       .notes = {fmt::format("postern job history {}", arguments.name)}});
  }
  const auto files = outbox->FilesOf(run->id);
  if (!files) return shell.Fail(diag::code::kFileUnreadable, files.error(), arguments.name);
  const jobs::Evidence evidence = jobs::CheckEvidence(found.folder, *run, *files);
  if (shell.json()) {
    view::WriteEvidenceJson(*run, evidence, shell.out());
  } else {
    shell.Say(view::RenderEvidence(*run, evidence, shell.style()));
  }
  if (evidence.faults.empty()) return kOk;
  diag::Diagnostics diagnostics;
  diagnostics.Add({.code = diag::code::kEvidence,
                   .summary = fmt::format("run {}: {}", run->sequence, evidence.faults.front()),
                   .subject = arguments.name,
                   .notes = {"somebody or something has changed what was kept"}});
  if (!shell.json()) shell.Print(diagnostics, {});
  return kError;
}

Arguments Common(JobArguments* given) {
  return {{.name = "NAME",
           .help = "the job, such as export.users",
           .text = &given->name,
           .required = true},
          {.name = "--spec",
           .value = "FILE",
           .help = "its sealed specification; default where a runner keeps it",
           .text = &given->spec},
          {.name = "--digest",
           .value = "SHA256",
           .help = "the specification must have this digest",
           .text = &given->digest}};
}

}  // namespace

Run DefineJobRun(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = Common(given.get());
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

Run DefineJobHistory(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = Common(given.get());
  arguments.push_back(
      {.name = "--detail", .help = "all of it, whatever the size", .flag = &given->detail});
  return [given](Shell& shell) { return History(shell, *given); };
}

Run DefineJobVerify(Arguments& arguments) {
  auto given = std::make_shared<JobArguments>();
  arguments = Common(given.get());
  arguments.insert(
      arguments.begin() + 1,
      {.name = "RUN", .help = "its number, or its id", .text = &given->run, .required = true});
  return [given](Shell& shell) { return Verify(shell, *given); };
}

}  // namespace postern::cmd
