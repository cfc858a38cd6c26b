#include "providers/filetransfer/proftpd_io/grant_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "providers/filetransfer/proftpd/product.h"
#include "providers/filetransfer/proftpd_io/row_check.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::Operation;
using object::Outcome;
using object::Status;

// Arguments: scratch folder, then the checker. Input: "SIZE", path, bytes, for each file. The
// scratch folder is ours alone and goes with the shell. The checker gets no standard input: the
// daemon takes a socket there for a client's and then says nothing on standard error.
constexpr std::string_view kCheckScript = R"sh(
folder=$1; shift
mkdir -m 700 -- "$folder" || exit 3
trap 'rm -rf -- "$folder"' EXIT
while read -r size && IFS= read -r path; do head -c "$size" >"$path" || exit 3; done
"$@" </dev/null >&2 || exit 5
)sh";

// The daemon's program and its -D options: they decide what the configuration means.
std::vector<std::string> CheckerCommand(const DaemonSettings& control, const std::string& config) {
  std::vector<std::string> out = {"proftpd"};
  const auto& start = control.start;
  if (!start.empty() && start[0].ends_with("/proftpd")) out[0] = start[0];
  for (size_t i = 1; i < start.size(); ++i) {
    if (!start[i].starts_with("-D")) continue;
    out.push_back(start[i]);
    if (start[i] == "-D" && i + 1 < start.size()) out.push_back(start[i + 1]);
  }
  out.insert(out.end(), {"-t", "-c", config});
  return out;
}

// The line that says what is wrong, without the daemon's time stamp and the scratch folder.
std::string CheckerWords(const std::string& text, const std::string& folder) {
  constexpr std::string_view kFirst = "Checking syntax of configuration file\n";
  size_t at = text.find("fatal: ");
  if (at == std::string::npos) at = text.starts_with(kFirst) ? kFirst.size() : 0;
  std::string line = text.substr(at, text.find('\n', at) - at);
  if (line.empty()) line = "it gives no reason";
  for (size_t found = line.find(folder); found != std::string::npos; found = line.find(folder)) {
    line.replace(found, folder.size(), "(candidate)");
  }
  return line;
}

Result<access::GrantRow> RowOf(const kinds::Grant& grant) {
  const auto depth = access::ParseDepth(grant.depth());
  const auto subject = access::ParseSubject(grant.subject());
  if (!depth || !subject) return Fail(ErrorCode::kInvalid, "no such depth or subject");
  return access::GrantRow{object::Normalise(object::Comparator::kPath, grant.path()), *depth,
                          *subject, access::Rights(grant.rights())};
}

// Every written include denies all on each managed root, and nowhere else. Why an operation wants
// that otherwise; empty: it doesn't.
std::string WhyNoBaseline(const Operation& operation, const std::vector<std::string>& roots) {
  const bool removes = operation.after.empty();
  const auto row =
      RowOf(object::DecodeAs<kinds::Grant>(removes ? operation.before : operation.after));
  if (!row || row->subject.type != access::Subject::Type::kEveryone) return "";
  const bool on_root = row->depth == access::Depth::kSubtree &&
                       std::find(roots.begin(), roots.end(), row->path) != roots.end();
  if (removes && on_root) {
    return fmt::format("{} is a managed root: its deny-all stays as long as it is one", row->path);
  }
  if (!removes && !on_root && row->rights.empty()) {
    return fmt::format("{} is no managed root: nobody is denied there by name", row->path);
  }
  return "";
}

// What the daemon had loaded when it was last seen alive: the note of an interrupted run, which
// holds as long as no other generation runs, or the include.
std::string LoadedText(const Snapshot& snapshot, const std::string& include) {
  const FileState& pending = snapshot.File(snapshot.pending_path);
  const bool holds =
      pending.presence == Presence::kPresent &&
      (!snapshot.daemon.alive() || pending.content.starts_with(PendingHeader(snapshot.daemon)));
  if (!holds) return snapshot.File(include).content;
  return pending.content.substr(std::min(pending.content.find('\n') + 1, pending.content.size()));
}

// A daemon ran when an include was swapped, and none runs now: the run that swapped it was killed
// between stopping and starting it, or the daemon died of it. Nobody else's stop is undone.
bool OwesAStart(const Snapshot& snapshot) {
  const FileState& pending = snapshot.File(snapshot.pending_path);
  return !snapshot.daemon.alive() && pending.presence == Presence::kPresent &&
         !pending.content.starts_with(PendingHeader(DaemonState{}));
}

void AnswerAll(std::vector<Outcome>& outcomes, Status status, const std::string& message) {
  for (Outcome& outcome : outcomes) {
    if (outcome.status != Status::kApplied) continue;
    outcome.status = status;
    outcome.message = message;
  }
}

}  // namespace

std::vector<Outcome> GrantWriter::Apply(std::span<const Operation> operations) {
  std::vector<Outcome> outcomes(operations.size());
  Result<void> done = {};
  for (int attempt = 0; attempt < 3; ++attempt) {
    done = Try(operations, outcomes);
    if (done || done.error().code != ErrorCode::kConflict) break;
  }
  if (!done) {
    // After a lost answer, or an include that could not be put back, only a read knows.
    const Status status = done.error().code == ErrorCode::kConflict ? Status::kTransient
                          : done.error().retryable()                ? Status::kUnknown
                                                                    : Status::kDenied;
    AnswerAll(outcomes, status, done.error().message);
  }
  return outcomes;
}

Result<void> GrantWriter::Try(std::span<const Operation> operations,
                              std::vector<Outcome>& outcomes) {
  for (size_t i = 0; i < operations.size(); ++i) {
    outcomes[i] = Outcome{.id = operations[i].id, .status = Status::kApplied};
  }
  auto snapshot = TakeSnapshot(transport_, settings_);
  if (!snapshot) return tl::unexpected(snapshot.error());
  for (const std::string& problem : {snapshot->grant_problem, snapshot->daemon_problem}) {
    if (!problem.empty()) return Fail(ErrorCode::kDenied, problem);
  }
  if (snapshot->chain.IncludedBy(settings_.include) == nullptr) {
    return Fail(ErrorCode::kDenied,
                fmt::format("{} doesn't include {}; add \"Include {}\" inside <Global>",
                            settings_.config, settings_.include, settings_.include));
  }
  Rows rows;
  std::map<std::string, object::Object> live;
  for (object::Object& object : ObjectsOf(*snapshot, settings_, Kind::kGrant)) {
    const auto row = RowOf(object::DecodeAs<kinds::Grant>(object.body));
    if (row) rows[object.key] = *row;
    std::string key = object.key;
    live.emplace(std::move(key), std::move(object));
  }
  bool work = snapshot->reload_due;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    const auto found = live.find(operation.key);
    const RowCheck check =
        CheckRow(operation, found == live.end() ? nullptr : &found->second, operation.after);
    outcomes[i].status = check.status;
    outcomes[i].message = check.message;
    if (!check.go_on) continue;
    if (std::string why = WhyNoBaseline(operation, settings_.roots); !why.empty()) {
      outcomes[i].status = Status::kDenied;
      outcomes[i].message = std::move(why);
      continue;
    }
    if (operation.after.empty()) {
      rows.erase(operation.key);
    } else if (const auto row = RowOf(object::DecodeAs<kinds::Grant>(operation.after))) {
      rows[operation.key] = *row;
    } else {
      outcomes[i].status = Status::kDenied;
      outcomes[i].message = row.error().message;
      continue;
    }
    work = true;
  }
  if (!work) return {};
  auto text = Render(*snapshot, rows);
  if (!text) return tl::unexpected(text.error());
  if (auto checked = Check(*snapshot, *text); !checked) return checked;
  return Install(*snapshot, *text);
}

Result<std::string> GrantWriter::Render(const Snapshot& snapshot, const Rows& rows) const {
  std::vector<access::GrantRow> wanted;
  for (const auto& [key, row] : rows) {
    // Baselines aren't rows to fit: every managed root gets its deny-all whenever the file is
    // written.
    const bool baseline = row.subject.type == access::Subject::Type::kEveryone;
    if (!baseline || !row.rights.empty()) wanted.push_back(row);
  }
  const access::Fit fit = proftpd::Proftpd().FitRows(wanted, settings_.roots);
  if (!fit.refusals.empty()) {
    const access::Refusal& refusal = fit.refusals.front();
    return Fail(ErrorCode::kDenied, fmt::format("{} for {}: {}", refusal.row.path,
                                                access::Format(refusal.row.subject), refusal.why));
  }
  if (!fit.widenings.empty()) {
    // Whoever planned this accepted what was in the rows, and nothing wider.
    const access::Widening& wider = fit.widenings.front();
    return Fail(ErrorCode::kDenied,
                fmt::format("{} for {} would come with {}: {}", wider.path,
                            access::Format(wider.subject), access::Format(wider.extra), wider.why));
  }
  return proftpd::Lower(fit.rows, settings_.roots, snapshot.grants.locked_logins);
}

Result<void> GrantWriter::Check(const Snapshot& snapshot, const std::string& text) {
  const std::string folder = fmt::format("/tmp/.postern-check-{}", base::Hex(base::RandomBytes(8)));
  auto files = snapshot.chain.With(settings_.include, text, folder);
  if (!files) return tl::unexpected(files.error());
  std::string input;
  for (const auto& [path, content] : *files) {
    input += fmt::format("{}\n{}\n{}", content.size(), path, content);
  }
  std::vector<std::string> args = {folder};
  const auto command = CheckerCommand(snapshot.control, folder + "/main.conf");
  args.insert(args.end(), command.begin(), command.end());
  auto answer = transport_.Exec({.script = kCheckScript, .args = args, .input = input});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status == 0) return {};
  return Fail(ErrorCode::kDenied,
              fmt::format("proftpd -t refuses the new include, nothing was changed: {}",
                          CheckerWords(answer->err, folder)));
}

Result<void> GrantWriter::SwapIn(const Snapshot& snapshot, const std::string& text) {
  const FileState& include = snapshot.File(settings_.include);
  const FileState& pending = snapshot.File(snapshot.pending_path);
  const bool there = include.presence == Presence::kPresent;
  std::vector<FileChange> changes;
  const std::string note =
      (OwesAStart(snapshot) ? pending.content.substr(0, pending.content.find('\n') + 1)
                            : PendingHeader(snapshot.daemon)) +
      LoadedText(snapshot, settings_.include);
  // A note of an interrupted run that still holds stays.
  if (pending.presence != Presence::kPresent || pending.content != note) {
    changes.push_back(
        {.path = snapshot.pending_path, .expect = pending.digest, .content = note, .mode = 0600});
  }
  if (!there || include.content != text) {
    changes.push_back({.path = settings_.include,
                       .expect = there ? include.digest : std::string(kAbsent),
                       .content = text,
                       .mode = there ? include.mode : 0644,
                       .uid = include.uid,
                       .gid = include.gid,
                       .own = there});
  }
  auto staged = Stage(transport_, std::move(changes));
  if (!staged) return tl::unexpected(staged.error());
  base::KillPoint("filetransfer.before-rename");
  auto swapped = Swap(transport_, *staged);
  base::KillPoint("filetransfer.after-rename");
  return swapped;
}

Result<void> GrantWriter::Install(const Snapshot& snapshot, const std::string& text) {
  if (auto swapped = SwapIn(snapshot, text); !swapped) return swapped;
  if (snapshot.daemon.alive() || OwesAStart(snapshot)) {
    base::KillPoint("filetransfer.before-reload");
    const size_t blocks = proftpd::CountBlocks(text);
    Daemon daemon(transport_, snapshot.control);
    auto loaded = daemon.Reload(blocks > kRestartAbove, LimitFor(blocks));
    base::KillPoint("filetransfer.after-reload");
    if (!loaded) return PutBack(snapshot, text, loaded.error());
  }
  DropPending(snapshot);
  return {};
}

Result<void> GrantWriter::PutBack(const Snapshot& snapshot, const std::string& written,
                                  const Error& why) {
  const FileState& include = snapshot.File(settings_.include);
  const std::string before = LoadedText(snapshot, settings_.include);
  const bool there = include.presence == Presence::kPresent;
  FileChange change{.path = settings_.include,
                    .expect = base::Hex(base::Sha256(written)),
                    .content = before,
                    .mode = there ? include.mode : 0644,
                    .uid = include.uid,
                    .gid = include.gid,
                    .own = there};
  if (!there && before.empty()) change.action = Action::kDrop;
  auto staged = Stage(transport_, {std::move(change)});
  auto swapped = staged ? Swap(transport_, *staged) : tl::unexpected(staged.error());
  if (!swapped) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{}; and putting the include back failed: {}",
                                                     why.message, swapped.error().message));
  }
  // A daemon that could not be told anything has loaded nothing.
  if (why.code != ErrorCode::kDenied) {
    const size_t blocks = proftpd::CountBlocks(before);
    Daemon daemon(transport_, snapshot.control);
    if (auto loaded = daemon.Reload(blocks > kRestartAbove, LimitFor(blocks)); !loaded) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{}; the include before is in its place again, but: {}", why.message,
                              loaded.error().message));
    }
  }
  DropPending(snapshot);
  return Fail(ErrorCode::kDenied, why.message + "; the include before is in force again");
}

std::chrono::seconds GrantWriter::LimitFor(size_t blocks) const {
  using std::chrono::seconds;
  return blocks > kRestartAbove ? std::max(settings_.control.patience, seconds(300))
                                : settings_.control.patience;
}

void GrantWriter::DropPending(const Snapshot& snapshot) {
  auto now = ReadFiles(transport_, std::vector<std::string>{snapshot.pending_path});
  if (!now || now->at(snapshot.pending_path).presence != Presence::kPresent) return;
  // A leftover says nothing wrong: it names a generation of the daemon that is gone.
  auto staged = Stage(transport_, {{.action = Action::kDrop,
                                    .path = snapshot.pending_path,
                                    .expect = now->at(snapshot.pending_path).digest}});
  if (staged) (void)Swap(transport_, *staged);
}

}  // namespace postern::filetransfer
