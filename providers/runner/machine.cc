#include "providers/runner/machine.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <charconv>

#include "core/jobs/schedule/units.h"
#include "core/jobs/spec.h"
#include "providers/runner/machine_scripts.h"
#include "providers/runner/unit_files.h"
#include "schemas/kinds.pb.h"

namespace postern::runner {
namespace {

using filetransfer::FileChange;
using filetransfer::FileState;
using filetransfer::Presence;

constexpr std::string_view kOff = ".off";

// What a run has to end by itself.
constexpr int kGraceSeconds = 10;

bool Is(const FileState& file) {
  return file.presence == Presence::kPresent;
}

int64_t NumberOf(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    out.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

void PutFile(const std::string& path, const FileState& live, const std::string& text, uint32_t mode,
             std::vector<FileChange>* out) {
  FileChange change;
  change.path = path;
  change.expect = Is(live) ? live.digest : std::string(filetransfer::kAbsent);
  if (text.empty()) {
    if (!Is(live)) return;
    change.action = filetransfer::Action::kDrop;
  } else {
    if (Is(live) && live.content == text && live.mode == mode) return;
    change.content = text;
    change.mode = mode;
  }
  out->push_back(std::move(change));
}

// Further files by which a unit is other than its own says, as `systemctl cat` shows them.
std::string AsShown(const std::map<std::string, FileState>& files) {
  std::string out;
  for (const auto& [path, file] : files) {
    if (file.presence == Presence::kAbsent) continue;
    out += fmt::format("\n# {}\n{}", path, Is(file) ? file.content : "# can't be read\n");
  }
  return out;
}

void DropAll(const std::map<std::string, FileState>& files, std::vector<FileChange>* out) {
  for (const auto& [path, file] : files) PutFile(path, file, "", 0, out);
}

// What a run left behind; nothing where it can't be read.
void TellLast(const FileState& file, kinds::Job* job) {
  if (!Is(file)) return;
  job::LastRun last;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(file.content, &last, options).ok()) return;
  if (last.has_outcome()) job->set_last_outcome(jobs::ShownOutcome(last));
  if (last.has_slot()) job->set_last_slot(last.slot());
  if (last.has_ended()) job->set_last_ended(last.ended());
  if (last.has_good()) job->set_last_good(last.good());
  if (last.has_file()) job->set_last_file(last.file());
  if (last.has_credential()) job->set_last_credential(last.credential());
}

}  // namespace

std::string Run::id() const {
  return fmt::format("{}-{}", process.pid, process.start);
}

bool JobState::installed() const {
  return Is(spec) || Is(timer) || Is(service) || Is(cron) || Is(cron_off);
}

Machine::Machine(std::unique_ptr<filetransfer::Transport> transport, decl::Runner runner)
    : transport_(std::move(transport)),
      runner_(std::move(runner)),
      units_(runner_.has_units() ? runner_.units() : "/etc/systemd/system"),
      cron_(runner_.has_units() ? runner_.units() : "/etc/cron.d") {}

Machine::Paths Machine::PathsOf(const std::string& name) const {
  const jobs::JobUnit unit{.job = name, .user = {}, .command = {}};
  Paths paths;
  paths.folder = jobs::FolderOf(runner_, name);
  paths.spec = jobs::SpecPathOf(runner_, name);
  paths.last = jobs::LastRunPathOf(runner_, name);
  paths.timer_name = jobs::TimerName(unit);
  paths.timer = units_ + "/" + paths.timer_name;
  paths.service_name = jobs::ServiceName(unit);
  paths.service = units_ + "/" + paths.service_name;
  paths.cron = cron_ + "/" + CronFileOf(name);
  paths.cron_off = paths.cron + std::string(kOff);
  return paths;
}

Result<Reading> Machine::List(const std::set<std::string>& named) {
  filetransfer::Batch batch;
  batch.script = kListScript;
  batch.args = {jobs::StateOf(runner_) + "/jobs", units_, runner_.user(), cron_};
  auto out = filetransfer::RunBatch(*transport_, batch);
  if (!out) return tl::unexpected(out.error());
  Reading reading;
  for (const std::string& name : named) reading.jobs[name];
  for (const std::string& line : Split(*out, '\n')) {
    const auto words = Split(line, ' ');
    if (words.size() < 2) {
      reading.systemd_runs = reading.systemd_runs || line == "systemd";
    } else if (words[0] == "closed") {
      reading.complete = false;
      reading.why = line.substr(7) + " can't be searched";
    } else if (words[0] == "job") {
      if (IsJobName(words[1])) reading.jobs[words[1]];
    } else if (words[0] == "unit") {
      const std::string name = JobOfFile(words[1]);
      if (IsJobName(name)) reading.jobs[name];
    } else if (words[0] == "drop-in") {
      reading.drop_ins.push_back(line.substr(8));
    } else if (words[0] == "link" || words[0] == "asleep") {
      const std::string name = JobOfFile(words[1]);
      if (!IsJobName(name)) continue;
      (words[0] == "link" ? reading.jobs[name].linked : reading.jobs[name].sleeping) = true;
    } else if (words[0] == "run" && words.size() == 5 && IsJobName(words[1])) {
      reading.jobs[words[1]].runs.push_back(
          {{static_cast<int>(NumberOf(words[2])), static_cast<uint64_t>(NumberOf(words[3]))},
           NumberOf(words[4])});
    }
  }
  return reading;
}

Result<Reading> Machine::Read(const std::set<std::string>& named) {
  auto reading = List(named);
  if (!reading) return reading;
  std::vector<std::string> files;
  for (const auto& [name, state] : reading->jobs) {
    const Paths paths = PathsOf(name);
    files.push_back(paths.spec);
    files.push_back(paths.last);
    for (const std::string* path : {&paths.timer, &paths.service, &paths.cron, &paths.cron_off}) {
      files.push_back(*path);
    }
  }
  for (const std::string& name : reading->drop_ins) files.push_back(units_ + "/" + name);
  if (files.empty()) return reading;
  auto read = filetransfer::ReadFiles(*transport_, files);
  if (!read) return tl::unexpected(read.error());
  for (auto& [name, state] : reading->jobs) {
    const Paths paths = PathsOf(name);
    const auto take = [&](const std::string& path, FileState* file) {
      const auto at = read->find(path);
      if (at != read->end()) *file = at->second;
    };
    for (const std::string& file : reading->drop_ins) {
      const std::string_view folder = std::string_view(file).substr(0, file.find('/'));
      const std::string path = units_ + "/" + file;
      if (DropInsFor(folder, paths.timer_name)) take(path, &state.timer_drop_ins[path]);
      if (DropInsFor(folder, paths.service_name)) take(path, &state.service_drop_ins[path]);
    }
    take(paths.spec, &state.spec);
    take(paths.last, &state.last);
    take(paths.timer, &state.timer);
    take(paths.service, &state.service);
    take(paths.cron, &state.cron);
    take(paths.cron_off, &state.cron_off);
  }
  return reading;
}

object::Object Machine::ObjectOf(const std::string& name, const JobState& state) const {
  kinds::Job job;
  job.set_name(name);
  uint64_t unreadable = 0;
  const auto text = [&](const FileState& file, int field, auto set) {
    if (file.presence == Presence::kUnreadable) {
      unreadable |= uint64_t{1} << field;
    } else {
      (job.*set)(file.content);
    }
  };
  using Set = void (kinds::Job::*)(const std::string&);
  text(state.spec, kinds::Job::kSpecFieldNumber, static_cast<Set>(&kinds::Job::set_spec));
  const bool by_timer = state.linked && Is(state.timer) && !state.sleeping;
  const FileState& line = Is(state.cron) ? state.cron : state.cron_off;
  if (!uses_cron() || Is(state.timer) || Is(state.service)) {
    text(state.timer, kinds::Job::kTimerFieldNumber, static_cast<Set>(&kinds::Job::set_timer));
    text(state.service, kinds::Job::kServiceFieldNumber,
         static_cast<Set>(&kinds::Job::set_service));
  }
  if (uses_cron() || Is(line)) {
    text(line, kinds::Job::kCronFieldNumber, static_cast<Set>(&kinds::Job::set_cron));
  }
  // What the other starter has left wakes it as well.
  const Paths paths = PathsOf(name);
  const auto add = [](const std::map<std::string, FileState>& files, auto text_of) {
    if (const std::string more = AsShown(files); !more.empty()) *text_of() += more;
  };
  add(state.timer_drop_ins, [&] { return job.mutable_timer(); });
  add(state.service_drop_ins, [&] { return job.mutable_service(); });
  if (uses_cron()) {
    add({{paths.timer, state.timer}, {paths.service, state.service}},
        [&] { return job.mutable_cron(); });
  } else {
    add({{paths.cron, state.cron}, {paths.cron_off, state.cron_off}},
        [&] { return job.mutable_service(); });
  }
  job.set_enabled(by_timer || Is(state.cron));
  TellLast(state.last, &job);
  object::Object object = object::Encode(job);
  object.unreadable = unreadable;
  return object;
}

Result<std::pair<uint32_t, uint32_t>> Machine::MakeFolder(const std::string& folder) {
  const std::string state = jobs::StateOf(runner_);
  filetransfer::Batch batch;
  batch.script = kFolderScript;
  batch.args = {folder, state + "/jobs", state, runner_.user()};
  auto out = filetransfer::RunBatch(*transport_, batch);
  if (!out) return base::Wrap(folder, out.error());
  const auto words = Split(out->substr(0, out->find('\n')), ' ');
  if (words.size() != 2) return Fail(ErrorCode::kInternal, folder + ": no owner was told");
  return std::pair(static_cast<uint32_t>(NumberOf(words[0])),
                   static_cast<uint32_t>(NumberOf(words[1])));
}

std::vector<FileChange> Machine::ChangesFor(const Paths& paths, const JobState& state,
                                            std::string_view after,
                                            const std::pair<uint32_t, uint32_t>& owner) const {
  const auto job = object::DecodeAs<kinds::Job>(after);
  std::vector<FileChange> out;
  if (job.has_spec()) {
    PutFile(paths.spec, state.spec, job.spec(), 0600, &out);
    for (FileChange& change : out) {
      change.own = true;
      change.uid = owner.first;
      change.gid = owner.second;
    }
  }
  if (uses_cron() ? job.has_cron() : job.has_timer()) DropAll(state.timer_drop_ins, &out);
  if (uses_cron() ? job.has_cron() : job.has_service()) DropAll(state.service_drop_ins, &out);
  if (!uses_cron()) {
    if (job.has_timer()) PutFile(paths.timer, state.timer, job.timer(), 0644, &out);
    if (job.has_service()) PutFile(paths.service, state.service, job.service(), 0644, &out);
    // What cron has left goes with the first unit that is written, or where nothing shall wake it.
    const bool off = job.has_enabled() && !job.enabled();
    if (job.has_service() || off) PutFile(paths.cron, state.cron, "", 0, &out);
    if (job.has_service()) PutFile(paths.cron_off, state.cron_off, "", 0, &out);
    return out;
  }
  const bool on = job.has_enabled() ? job.enabled() : Is(state.cron);
  const FileState& live = Is(state.cron) ? state.cron : state.cron_off;
  const std::string text = job.has_cron() ? job.cron() : live.content;
  PutFile(paths.cron, state.cron, on ? text : "", 0644, &out);
  PutFile(paths.cron_off, state.cron_off, on ? "" : text, 0644, &out);
  if (job.has_cron()) {
    PutFile(paths.timer, state.timer, "", 0, &out);
    PutFile(paths.service, state.service, "", 0, &out);
  }
  return out;
}

Result<void> Machine::Swap(std::vector<FileChange> changes) {
  if (changes.empty()) return {};
  auto staged = filetransfer::Stage(*transport_, std::move(changes));
  if (!staged) return tl::unexpected(staged.error());
  return filetransfer::Swap(*transport_, *staged);
}

Result<void> Machine::Wake(const Paths& paths, bool on, bool systemd_runs) {
  filetransfer::Batch batch;
  batch.script = kWakeScript;
  batch.args = {units_, paths.timer_name, on ? "on" : "off", systemd_runs ? "yes" : "no"};
  auto out = filetransfer::RunBatch(*transport_, batch);
  if (!out) return base::Wrap(paths.timer_name, out.error());
  return {};
}

Result<void> Machine::Write(const std::string& name, const JobState& state, std::string_view after,
                            bool systemd_runs) {
  const Paths paths = PathsOf(name);
  const auto job = object::DecodeAs<kinds::Job>(after);
  // A timer that cron takes the place of is stopped like one that shall wake nothing.
  const bool leaves = uses_cron() && job.has_cron();
  const bool shuts = leaves || (job.has_enabled() && !job.enabled());
  if (shuts && state.linked) {
    if (auto done = Wake(paths, false, systemd_runs); !done) return done;
  }
  auto owner = MakeFolder(paths.folder);
  if (!owner) return tl::unexpected(owner.error());
  auto changes = ChangesFor(paths, state, after, *owner);
  const bool units = std::any_of(changes.begin(), changes.end(), [&](const FileChange& change) {
    return change.path.starts_with(units_ + "/") && change.path != paths.cron &&
           change.path != paths.cron_off;
  });
  if (auto done = Swap(std::move(changes)); !done) return done;
  const bool wakes = !uses_cron() && (job.enabled() || (units && state.linked && !shuts));
  if (wakes) return Wake(paths, true, systemd_runs);
  return units && systemd_runs ? Reload() : Result<void>{};
}

Result<void> Machine::Reload() {
  filetransfer::Batch batch;
  batch.script = kReloadScript;
  auto out = filetransfer::RunBatch(*transport_, batch);
  if (!out) return tl::unexpected(out.error());
  return {};
}

// The files of either starter: another one may have been declared before.
Result<void> Machine::Remove(const std::string& name, const JobState& state, bool systemd_runs) {
  const Paths paths = PathsOf(name);
  if (state.linked) {
    if (auto done = Wake(paths, false, systemd_runs); !done) return done;
  }
  if (auto done = EndRuns(state.runs); !done) return done;
  std::vector<FileChange> changes;
  DropAll(state.timer_drop_ins, &changes);
  DropAll(state.service_drop_ins, &changes);
  for (const auto& [path, file] :
       {std::pair(&paths.timer, &state.timer), std::pair(&paths.service, &state.service),
        std::pair(&paths.cron, &state.cron), std::pair(&paths.cron_off, &state.cron_off),
        std::pair(&paths.spec, &state.spec)}) {
    PutFile(*path, *file, "", 0, &changes);
  }
  if (auto done = Swap(std::move(changes)); !done) return done;
  return systemd_runs ? Reload() : Result<void>{};
}

Result<void> Machine::EndRuns(const std::vector<Run>& runs) {
  std::vector<filetransfer::StartedProcess> processes;
  for (const Run& run : runs) processes.push_back(run.process);
  auto done = filetransfer::EndProcesses(*transport_, processes, kGraceSeconds, runner_.user());
  if (!done) return base::Wrap("a run", done.error());
  return {};
}

}  // namespace postern::runner
