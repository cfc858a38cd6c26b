// postern job next | status: when jobs run, and how they stand on their runners.
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <tuple>

#include "cmd/postern/command.h"
#include "cmd/postern/plan_run.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/jobs/history.h"
#include "core/jobs/schedule/schedule.h"
#include "core/jobs/spec.h"
#include "core/view/job_status.h"
#include "core/view/json_writer.h"
#include "core/view/words.h"
#include "schemas/kinds.pb.h"

namespace postern::cmd {
namespace {

constexpr size_t kMostRuns = 1000;

// A declared job, as far as these two ask of it.
struct Job {
  std::string name, runner;  // "export.people", "nightly"
  decl::JobSchedule schedule;
  bool enabled = true;
};

std::vector<Job> JobsOf(const config::Declarations& declarations) {
  std::vector<Job> jobs;
  const auto take = [&](const auto& all, const char* kind) {
    for (const auto& declared : all) {
      const auto& m = declared.message;
      jobs.push_back({fmt::format("{}.{}", kind, m.name()), m.runner(), m.schedule(),
                      !m.has_enabled() || m.enabled()});
    }
  };
  take(declarations.exports, "export");
  take(declarations.imports, "import");
  return jobs;
}

// "export.people" or "people".
bool IsNamed(const Job& job, const std::string& name) {
  return name.empty() || job.name == name || job.name.substr(job.name.find('.') + 1) == name;
}

int NoSuchJob(Shell& shell, const std::vector<Job>& jobs, const std::string& name) {
  std::vector<std::string_view> names;
  for (const Job& job : jobs) names.push_back(job.name);
  const auto near = diag::Nearest(name, names);
  return shell.Fail(
      {.code = diag::code::kUnknownName,
       .summary = fmt::format("no job named \"{}\"", name),
       .subject = name,
       .notes = {near ? fmt::format("did you mean {}?", *near) : "postern job next"}});
}

struct NextArguments {
  std::string name, count;
};

int Next(Shell& shell, const NextArguments& arguments) {
  size_t count = arguments.name.empty() ? 1 : 5;
  if (!arguments.count.empty()) {
    const char* end = arguments.count.data() + arguments.count.size();
    const auto [at, error] = std::from_chars(arguments.count.data(), end, count);
    if (error != std::errc() || at != end || count == 0 || count > kMostRuns) {
      return shell.Usage(fmt::format("--count can't be \"{}\"", arguments.count), "1 to 1000");
    }
  }
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  const std::vector<Job> all = JobsOf(world.loaded.declarations);
  view::JsonWriter json(shell.out());
  if (shell.json()) json.Object().Key("jobs").Array();
  std::string text;
  bool found = false;
  for (const Job& job : all) {
    if (!IsNamed(job, arguments.name)) continue;
    found = true;
    const std::string zone = job.schedule.has_zone() ? job.schedule.zone() : "UTC";
    diag::Diagnostics said;  // by Load already
    const auto schedule = job.schedule.has_cron() && job.enabled
                              ? jobs::ParseSchedule(job.schedule.cron(), zone, job.name, &said)
                              : std::nullopt;
    const auto slots =
        schedule ? jobs::NextSlots(*schedule, world.now, count) : std::vector<base::Instant>();
    const auto moved = slots.empty() ? std::vector<base::Instant>()
                                     : jobs::GapSlots(*schedule, world.now, slots.back());
    if (shell.json()) {
      json.Object().Field("job", job.name).Field("runner", job.runner);
      json.Optional("zone", schedule ? zone : "").Key("next").Array();
      for (const base::Instant slot : slots) json.Time(slot);
      json.End().Key("moved").Array();
      for (const base::Instant slot : moved) json.Time(slot);
      json.End().End();
      continue;
    }
    if (slots.empty()) {
      text +=
          fmt::format("{}  {}\n", job.name, job.enabled ? "runs when asked to" : "is switched off");
    }
    for (const base::Instant slot : slots) {
      const bool is_moved = std::binary_search(moved.begin(), moved.end(), slot);
      text += fmt::format("{}  {} {}  {}{}\n", job.name,
                          jobs::FormatLocal("%a %Y-%m-%d %H:%M", slot, schedule->zone), zone,
                          base::FormatInstant(slot),
                          is_moved ? "  (its time is skipped: clocks go forward)" : "");
    }
  }
  if (!found && !arguments.name.empty()) return NoSuchJob(shell, all, arguments.name);
  if (shell.json()) {
    json.End().End();
  } else {
    shell.Say(text.empty() ? "no jobs are declared\n" : text);
  }
  return kOk;
}

// What is live of a job.
struct Live {
  const object::ObjectView* object = nullptr;
  size_t runs = 0;
  bool observed = false;
  bool asleep = false;  // its runner says that nothing there wakes a job
};

Live LiveOf(const observe::Observed& observed, const Job& job) {
  Live live;
  const observe::ObservedTarget* runner = observed.Find("runner:" + job.runner);
  if (runner == nullptr || !runner->reached) return live;
  live.observed = true;
  live.asleep = std::any_of(runner->probe.checks.begin(), runner->probe.checks.end(),
                            [](const auto& check) { return check.name == "systemd" && !check.ok; });
  live.object = runner->objects.Find(object::Kind::kJob, job.name);
  for (const object::ObjectView& run : runner->objects.OfKind(object::Kind::kJobRun)) {
    live.runs += object::SplitKey(run.key)[0] == job.name ? 1 : 0;
  }
  return live;
}

std::string StateOf(const Live& live, const kinds::Job& job) {
  if (!live.observed) return "not observed";
  if (live.object == nullptr) return "not installed";
  if (live.runs > 0) return "running";
  if (job.has_timer() && job.timer().empty() && !job.has_cron())
    return "installed, runs when asked";
  return job.enabled() && !live.asleep ? "installed" : "installed, not woken";
}

// Whose file was delivered and never acknowledged; every waking of the job looks for it again.
void TellUnanswered(const Job& job, const kinds::Job& body, diag::Diagnostics* diagnostics) {
  if (body.last_outcome() != jobs::kUnansweredOutcome) return;
  diagnostics->Add({.severity = diag::Severity::kWarning,
                    .code = diag::code::kUnanswered,
                    .summary = fmt::format("its last file is unanswered since {}",
                                           base::FormatHuman(body.last_ended())),
                    .subject = job.name,
                    .notes = {fmt::format("ask the receiver; postern job history {} there shows "
                                          "which file it was",
                                          job.name)}});
}

view::JobStatus LineOf(const Job& job, const Live& live, const kinds::Job& body) {
  view::JobStatus line{.job = job.name, .runner = job.runner, .state = StateOf(live, body)};
  line.observed = live.observed;
  line.installed = live.object != nullptr;
  line.running = live.runs;
  std::tie(line.last_outcome, line.held) = jobs::OutcomeAndRun(body.last_outcome());
  line.last_good_outcome = jobs::IsGood(line.last_outcome);
  if (body.has_last_ended()) line.last_ended = body.last_ended();
  if (body.has_last_good()) line.last_good = body.last_good();
  if (body.has_last_file()) line.last_file = body.last_file();
  return line;
}

struct StatusArguments {
  std::string name;
  bool metrics = false;
};

int Status(Shell& shell, const StatusArguments& arguments) {
  if (arguments.metrics && shell.json()) {
    return shell.Usage("--metrics and --json are two formats", "leave one of them out");
  }
  World world(shell);
  if (!world.Load()) return world.PrintErrors();
  if (auto opened = world.OpenLedger(World::LedgerUse::kRead); !opened) {
    return shell.Fail(LedgerCode(opened.error()), opened.error());
  }
  const std::vector<Job> all = JobsOf(world.loaded.declarations);
  world.Connect();
  std::erase_if(world.targets, [](const observe::OpenTarget& target) {
    return !target.name.starts_with("runner:");
  });
  if (auto observed = world.Observe(); !observed) {
    return shell.Fail(LedgerCode(observed.error()), observed.error());
  }
  world.Print();
  std::vector<view::JobStatus> lines;
  diag::Diagnostics unanswered;
  for (const Job& job : all) {
    if (!IsNamed(job, arguments.name)) continue;
    const Live live = LiveOf(world.observed, job);
    const auto body =
        live.object == nullptr ? kinds::Job() : object::DecodeAs<kinds::Job>(live.object->body);
    TellUnanswered(job, body, &unanswered);
    lines.push_back(LineOf(job, live, body));
  }
  if (lines.empty() && !arguments.name.empty()) return NoSuchJob(shell, all, arguments.name);
  if (arguments.metrics) {
    shell.Say(view::RenderJobMetrics(lines));
  } else if (shell.json()) {
    view::WriteJobStatusJson(lines, shell.out());
  } else {
    shell.Say(view::RenderJobStatus(lines));
  }
  shell.Print(unanswered, {});
  return world.observed_all() ? kOk : kIncomplete;
}

}  // namespace

Run DefineJobNext(Arguments& arguments) {
  auto given = std::make_shared<NextArguments>();
  arguments = {{.name = "NAME", .help = "one job; default: all", .text = &given->name},
               {.name = "--count",
                .value = "N",
                .help = "how many runs; default 1, of one job 5",
                .text = &given->count}};
  return [given](Shell& shell) { return Next(shell, *given); };
}

Run DefineJobStatus(Arguments& arguments) {
  auto given = std::make_shared<StatusArguments>();
  arguments = {{.name = "NAME", .help = "one job; default: all", .text = &given->name},
               {.name = "--metrics",
                .help = "in Prometheus' text format, for node_exporter's textfile collector",
                .flag = &given->metrics}};
  return [given](Shell& shell) { return Status(shell, *given); };
}

}  // namespace postern::cmd
