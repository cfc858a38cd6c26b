#include "providers/runner/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/jobs/spec.h"
#include "providers/runner/unit_files.h"

namespace postern::runner {
namespace {

using filetransfer::Presence;
using object::Check;

// Arguments: the user, the program, the operator's file. Prints a word for each that is there. The
// file is asked for as that user: root may read what he may not.
constexpr std::string_view kProbeScript = R"sh(
id -- "$1" >/dev/null 2>&1 && echo user
[ -x "$2" ] && echo program
if [ "$(id -u)" = 0 ]; then
  setpriv --reuid "$1" --regid "$(id -g -- "$1")" --init-groups -- test -r "$3" && echo operator
else
  [ -r "$3" ] && echo operator
fi 2>/dev/null
exit 0
)sh";

// Arguments: units.
constexpr std::string_view kShowScript = R"sh(
for u; do
  systemctl show -p FragmentPath -p DropInPaths -- "$u" | while IFS= read -r line; do
    printf '%s %s\n' "$u" "$line"
  done
done
exit 0
)sh";

Check Made(std::string name, bool ok, std::string found) {
  return {.name = std::move(name),
          .ok = ok,
          .found = std::move(found),
          .lines_to_add = {},
          .where = ""};
}

Check SystemdOf(const Machine& machine, const Reading& reading) {
  if (reading.systemd_runs) return Made("systemd", true, "runs, and reads the units");
  if (machine.runner().has_units()) {
    return Made("systemd", true,
                "doesn't run, or reads units elsewhere: timers are written and not started");
  }
  Check check = Made("systemd", false, "doesn't run: no timer wakes a job. Start it, or");
  check.where = fmt::format("[runner.{}] in the operator's file", machine.runner().name());
  check.lines_to_add = {"starter = \"cron\""};
  return check;
}

Check OperatorFileOf(const Machine& machine, bool readable) {
  const decl::Runner& runner = machine.runner();
  const std::string file = jobs::OperatorFileOf(runner);
  if (readable) return Made("operator's file", true, file);
  return Made(
      "operator's file", false,
      fmt::format("{} can't be read by {}: no import can plan. Put it there, or say where it "
                  "is: operator_file of [runner.{}]",
                  file, runner.user(), runner.name()));
}

Result<void> CheckUnits(Machine& machine, const Reading& reading, std::vector<Check>* checks) {
  filetransfer::Batch batch;
  batch.script = kShowScript;
  for (const auto& [name, state] : reading.jobs) {
    for (const auto& [ending, file] :
         {std::pair(".timer", &state.timer), std::pair(".service", &state.service)}) {
      if (file->presence == Presence::kPresent) batch.args.push_back(UnitOf(name) + ending);
    }
  }
  if (!reading.systemd_runs || batch.args.empty()) return {};
  auto shown = filetransfer::RunBatch(machine.transport(), batch);
  if (!shown) return tl::unexpected(shown.error());
  const auto elsewhere = FromElsewhere(*shown, machine.units());
  checks->push_back(Made(
      "units", elsewhere.empty(),
      elsewhere.empty() ? "nothing else makes them what they are"
                        : fmt::format("made otherwise by files that aren't ours, remove them: {}",
                                      fmt::join(elsewhere, ", "))));
  return {};
}

}  // namespace

std::vector<std::string> FromElsewhere(std::string_view shown, std::string_view units) {
  std::vector<std::string> out;
  const auto note = [&](std::string_view unit, std::string_view path) {
    const bool ours =
        path.starts_with(units) && path.substr(units.size()).starts_with("/postern-job-");
    // What the distribution ships for all units is the machine's own.
    const bool shipped = path.starts_with("/usr/") || path.starts_with("/lib/");
    if (!path.empty() && !ours && !shipped) out.push_back(fmt::format("{}: {}", unit, path));
  };
  while (!shown.empty()) {
    const std::string_view line = shown.substr(0, shown.find('\n'));
    shown.remove_prefix(std::min(shown.size(), line.size() + 1));
    const size_t blank = line.find(' '), equals = line.find('=');
    if (blank == std::string_view::npos || equals == std::string_view::npos) continue;
    std::string_view paths = line.substr(equals + 1);
    while (!paths.empty()) {
      const std::string_view path = paths.substr(0, paths.find(' '));
      paths.remove_prefix(std::min(paths.size(), path.size() + 1));
      note(line.substr(0, blank), path);
    }
  }
  return out;
}

Result<object::Probe> ProbeMachine(Machine& machine) {
  auto reading = machine.Read({});
  if (!reading) return tl::unexpected(reading.error());
  const decl::Runner& runner = machine.runner();
  object::Probe probe;
  probe.product = machine.uses_cron() ? "cron" : "systemd";
  probe.identity = runner.user() + " at " + machine.transport().Describe();
  probe.concurrency[object::Kind::kJob] = "atomic replace";
  probe.concurrency[object::Kind::kJobRun] = "verify-then-write";
  const std::string program = runner.has_program() ? runner.program() : jobs::kDefaultProgram;
  filetransfer::Batch batch;
  batch.script = kProbeScript;
  batch.args = {runner.user(), program, jobs::OperatorFileOf(runner)};
  auto found = filetransfer::RunBatch(machine.transport(), batch);
  if (!found) return tl::unexpected(found.error());
  const auto has = [&](const char* word) { return found->find(word) != std::string::npos; };
  probe.checks.push_back(Made("account of jobs", has("user\n"),
                              has("user\n") ? runner.user() : "no account " + runner.user()));
  probe.checks.push_back(
      Made("program", has("program\n"), has("program\n") ? program : program + " can't be run"));
  if (!machine.uses_cron()) probe.checks.push_back(SystemdOf(machine, *reading));
  const bool imports = std::any_of(reading->jobs.begin(), reading->jobs.end(), [](const auto& job) {
    return job.first.starts_with("import.") && job.second.installed();
  });
  if (imports) probe.checks.push_back(OperatorFileOf(machine, has("operator\n")));
  if (auto done = CheckUnits(machine, *reading, &probe.checks); !done) {
    return tl::unexpected(done.error());
  }
  return probe;
}

}  // namespace postern::runner
