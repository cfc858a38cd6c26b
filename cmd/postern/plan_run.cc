#include "cmd/postern/plan_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cmd/postern/files.h"
#include "core/diag/codes.h"

namespace postern::cmd {

int SetSnapshot(Shell& shell, const std::string& path, World* world) {
  if (path.empty()) return kOk;
  auto snapshot = jobs::ReadSnapshot(path);
  if (!snapshot) {
    const bool unread = snapshot.error().code == ErrorCode::kNotFound ||
                        snapshot.error().code == ErrorCode::kDenied;
    return shell.Fail(unread ? diag::code::kFileUnreadable
                      : snapshot.error().code == ErrorCode::kUnsupported
                          ? diag::code::kNewerFormat
                          : diag::code::kSnapshotDamaged,
                      snapshot.error(), path);
  }
  size_t objects = 0;
  for (const jobs::SnapshotTarget& target : snapshot->targets) {
    objects += target.objects.all().size();
  }
  shell.Note(fmt::format("Snapshot of {}, generation {}: {} objects of {} targets, whole.\n",
                         base::FormatInstant(snapshot->head.taken), snapshot->head.generation,
                         objects, snapshot->targets.size()));
  world->snapshot = *std::move(snapshot);
  return kOk;
}

int SetMoment(Shell& shell, const std::string& as_of, World* world) {
  if (as_of.empty()) return kOk;
  const auto moment = base::ParseInstant(as_of);
  if (!moment) {
    return shell.Fail(
        {.code = diag::code::kBadTime,
         .summary = fmt::format("--as-of \"{}\" is no date or time with a zone", as_of),
         .notes = {"--as-of 2027-01-01, or --as-of 2027-01-01T18:00:00Z"}});
  }
  world->as_of = *moment;
  world->as_of_given = true;
  return kOk;
}

int SetTargets(Shell& shell, const std::vector<std::string>& targets, World* world) {
  for (const std::string& text : targets) {
    const std::string name = world->TargetNamed(text);
    if (name.empty()) {
      return shell.Fail(
          {.code = diag::code::kNoSuchTarget,
           .summary = fmt::format("--target {} names no host, server, directory or iam", text),
           .notes = {"postern providers list"}});
    }
    world->only_targets.insert(name);
  }
  return kOk;
}

int ObserveAndPlan(Shell& shell, World* world) {
  if (auto read = world->Observe(); !read)
    return shell.Fail(LedgerCode(read.error()), read.error());
  auto compiled = world->Compile();
  if (!compiled) return shell.Fail(LedgerCode(compiled.error()), compiled.error());
  if (!*compiled) return world->PrintErrors();
  auto planned = world->MakePlan();
  if (!planned) return shell.Fail(LedgerCode(planned.error()), planned.error());
  return *planned ? kOk : world->PrintErrors();
}

void KeepLastPlan(const World& world) {
  const std::string path = world.last_plan_path();
  if (world.plan.empty()) {
    unlink(path.c_str());
  } else if (auto kept = WriteFile(path, plan::Save(world.plan)); !kept) {
    unlink(path.c_str());  // an older plan must not be shown as this one
  }
}

const char* LedgerCode(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return diag::code::kLedgerLocked;
    case ErrorCode::kIncomplete:
      return diag::code::kLedgerDamaged;
    case ErrorCode::kUnsupported:
      return diag::code::kNewerFormat;
    default:
      return diag::code::kLedgerUnreadable;
  }
}

const char* PlanFileCode(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kDenied:
    case ErrorCode::kUnavailable:
      return diag::code::kFileUnreadable;
    case ErrorCode::kUnsupported:
      return diag::code::kNewerFormat;
    default:
      return diag::code::kPlanDamaged;
  }
}

}  // namespace postern::cmd
