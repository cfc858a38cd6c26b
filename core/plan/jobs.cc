// Jobs: runs that must end before what they stand on changes, and jobs that fell silent.
#include <fmt/format.h>

#include <algorithm>

#include "core/jobs/schedule/schedule.h"
#include "core/jobs/spec.h"
#include "core/plan/job_parts.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

using object::Kind;

namespace {

constexpr base::Instant kHour = 3600;
constexpr uint32_t kDefaultGraceMinutes = 60;

bool IsOrBelow(std::string_view path, std::string_view other) {
  if (path == other || other == "/") return true;
  return path.size() > other.size() && path.starts_with(other) && path[other.size()] == '/';
}

bool Overlap(std::string_view a, std::string_view b) {
  return IsOrBelow(a, b) || IsOrBelow(b, a);
}

}  // namespace

const std::string& FolderThere(const job::JobSpec& spec) {
  return spec.has_export_() ? spec.export_().deliver().folder() : spec.import().fetch().folder();
}

// By what the ledger has, or the live file where it has nothing.
std::string_view Planner::InstalledSpec(uint32_t target, std::string_view job) const {
  const auto recorded = in_.recorded->find(plan_.targets[target].name);
  if (recorded != in_.recorded->end()) {
    const auto* row = FindRecorded(recorded->second, Kind::kJob, job);
    if (row != nullptr) return TextIn(row->body, kinds::Job::kSpecFieldNumber);
  }
  const object::ObjectView* live = observed_[target]->objects.Find(Kind::kJob, job);
  return live == nullptr ? std::string_view() : TextIn(live->body, kinds::Job::kSpecFieldNumber);
}

// Where a run reads or writes, as a place of a managed host: ("host:edge", path). Empty at a
// foreign place.
std::pair<std::string, std::string> Planner::PlaceOfJob(const job::JobSpec& spec) const {
  if (!spec.endpoint().has_server()) return {};
  return {compile::TargetOfServer(*in_.declarations, spec.endpoint().server()),
          object::Normalise(object::Comparator::kPath, FolderThere(spec))};
}

// Whether the job that is installed there works on a folder that loses a right.
bool Planner::WorksWhereRightsGo(uint32_t target, std::string_view job) const {
  if (losing_.empty()) return false;
  const auto spec = jobs::ParseSpec(InstalledSpec(target, job));
  if (!spec) return false;
  const auto place = PlaceOfJob(*spec);
  return std::any_of(losing_.begin(), losing_.end(), [&](const auto& lost) {
    return lost.first == place.first && Overlap(lost.second, place.second);
  });
}

// What wakes a job is off from the stop phase on, until its folder's revocations are confirmed: a
// run that begins in between would write with a right that goes. One that changes nothing else is a
// change for this alone; the live state is the same before and after.
void Planner::HoldStarts() {
  for (const Step& step : plan_.steps) {
    if (step.operation.kind != Kind::kGrant || !step.removes) continue;
    losing_.emplace_back(plan_.targets[plan_.changes[step.change].target].name,
                         std::string(object::SplitKey(step.operation.key)[1]));
  }
  std::set<std::pair<uint32_t, std::string_view>> changing;
  for (const Change& change : plan_.changes) {
    if (change.kind == Kind::kJob) changing.insert({change.target, change.key});
  }
  std::vector<Row> unchanged;
  for (uint32_t target = 0; target < plan_.targets.size(); ++target) {
    for (const object::ObjectView& job : observed_[target]->objects.OfKind(Kind::kJob)) {
      if (!FlagIn(job.body, EnabledFieldOf(Kind::kJob), false)) continue;
      if (!WorksWhereRightsGo(target, job.key)) continue;
      held_starts_.emplace(target, job.key);
      if (changing.contains({target, job.key}) || desired_[target] == nullptr) continue;
      Row row{.target = target, .kind = job.kind, .key = job.key};
      row.desired = desired_[target]->Find(job.kind, job.key);
      row.observed = &job;
      if (row.desired != nullptr) unchanged.push_back(row);
    }
  }
  for (const Row& row : unchanged) AddChange(row, Action::kUpdate, Reason::kConsequence);
}

bool Planner::HoldsStart(const Change& change) const {
  return change.kind == Kind::kJob && held_starts_.contains({change.target, change.key});
}

// Runs end before anything is revoked: those of jobs that change or go, and those on folders that
// lose a right. Never the one that plans: an import that carries out its own file.
void Planner::StopRuns() {
  std::set<std::pair<uint32_t, std::string>> stop;  // target and job
  for (const Step& step : plan_.steps) {
    const Change& change = plan_.changes[step.change];
    if (change.kind == Kind::kJob && change.action != Action::kCreate) {
      stop.insert({change.target, change.key});
    }
  }
  for (uint32_t target = 0; target < plan_.targets.size(); ++target) {
    for (const object::ObjectView& run : observed_[target]->objects.OfKind(Kind::kJobRun)) {
      const std::string job(object::SplitKey(run.key)[0]);
      if (job == in_.own_job) continue;
      if (stop.contains({target, job}) || WorksWhereRightsGo(target, job)) StopRun(target, run);
    }
  }
}

void Planner::StopRun(uint32_t target, const object::ObjectView& run) {
  Change change;
  change.target = target;
  change.kind = Kind::kJobRun;
  change.key = run.key;
  change.action = Action::kDelete;
  change.reason = Reason::kConsequence;
  change.before = run.body;
  plan_.changes.push_back(std::move(change));
  AddStep(static_cast<uint32_t>(plan_.changes.size() - 1), Phase::kStop,
          Restrict(run.body, KeyMask(Kind::kJobRun)), "", true, false);
}

// Of an installed, enabled job: no good run for longer than its schedule allows. An import that
// looks and finds nothing has good runs; how long that may go on only silent_hours can say.
void Planner::NoteSilent(const Row& row) {
  if (row.kind != Kind::kJob || row.recorded == nullptr || row.observed == nullptr) return;
  const auto live = object::DecodeAs<kinds::Job>(row.observed->body);
  const auto spec = jobs::ParseSpec(TextIn(row.recorded->body, kinds::Job::kSpecFieldNumber));
  if (!spec || !live.enabled()) return;
  const decl::JobSchedule& said = ScheduleOf(*spec);
  if (!said.has_cron()) return;
  diag::Diagnostics unsaid;  // said where it is declared
  const auto schedule = jobs::ParseSchedule(said.cron(), said.has_zone() ? said.zone() : "UTC",
                                            spec->name(), &unsaid);
  if (!schedule) return;
  const bool files = spec->has_import() && said.has_silent_hours();
  const base::Instant last = files ? live.last_file() : live.last_good();
  const base::Instant since = std::max(last, spec->sealed_at());
  const std::vector<base::Instant> slots = jobs::NextSlots(*schedule, since, 2);
  if (slots.size() < 2) return;
  const uint32_t grace = said.has_grace_minutes() ? said.grace_minutes() : kDefaultGraceMinutes;
  const base::Instant limit = said.has_silent_hours()
                                  ? std::max(since + said.silent_hours() * kHour, slots[0])
                                  : slots[1] + grace * base::Instant{60};
  if (in_.now <= limit) return;
  Drift drift;
  drift.target = row.target;
  drift.kind = row.kind;
  drift.key = row.key;
  drift.type = Drift::Type::kChanged;
  drift.effect = Drift::Effect::kUnknown;
  drift.who = object::Describe(row.kind, row.key);
  drift.what = fmt::format("silent: no {} since {}{}", files ? "file" : "good run",
                           last != 0 ? "" : "it was installed ",
                           base::FormatHuman(last != 0 ? last : spec->sealed_at()));
  if (live.has_last_outcome()) {
    drift.what += fmt::format("; the last one {} {}", live.last_outcome(),
                              base::FormatHuman(live.last_ended()));
  }
  drift.note = "see `postern job status`";
  plan_.drift.push_back(std::move(drift));
}

}  // namespace postern::plan
