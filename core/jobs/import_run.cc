#include "core/jobs/import_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/thresholds.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr FileState kStates[] = {FileState::kWaiting,  FileState::kRefused, FileState::kHeld,
                                 FileState::kAccepted, FileState::kApplied, FileState::kDone,
                                 FileState::kOld};

FileState StateNamed(std::string_view name) {
  for (const FileState state : kStates) {
    if (ToString(state) == name) return state;
  }
  return FileState::kWaiting;
}

Json CountsOf(const RosterCounts& counts) {
  return {{"rows", counts.rows},           {"refused", counts.refused},  {"created", counts.create},
          {"changed", counts.change},      {"disabled", counts.disable}, {"back", counts.back},
          {"people_before", counts.before}};
}

std::string StatePath(const std::string& in, const std::string& sha256) {
  return in + "/" + sha256 + "/state.json";
}

Result<void> Save(const std::string& in, const FileOutcome& file) {
  Json json{{"name", file.name},
            {"sha256", file.sha256},
            {"run", file.run},
            {"state", ToString(file.state)},
            {"started_by", file.started_by},
            {"taken_at", file.taken_at},
            {"plan_digest", file.plan_digest},
            {"reasons", file.reasons},
            {"counts", CountsOf(file.counts)}};
  return ReplaceFile(StatePath(in, file.sha256), json.dump(2) + "\n");
}

// Nothing: it wasn't taken so far.
Result<std::optional<FileOutcome>> Restore(const std::string& in, const std::string& sha256) {
  const auto text = ReadSmallFile(StatePath(in, sha256));
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return std::optional<FileOutcome>();
    return tl::unexpected(text.error());
  }
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::optional<FileOutcome>();  // looked at anew
  FileOutcome file;
  file.name = json.value("name", "");
  file.sha256 = sha256;
  file.run = json.value("run", "");
  file.state = StateNamed(json.value("state", ""));
  file.started_by = json.value("started_by", "");
  file.taken_at = json.value("taken_at", int64_t{0});
  file.plan_digest = json.value("plan_digest", "");
  file.reasons = json.value("reasons", std::vector<std::string>());
  const Json counts = json.value("counts", Json::object());
  file.counts.rows = counts.value("rows", uint64_t{0});
  file.counts.refused = counts.value("refused", uint64_t{0});
  file.counts.create = counts.value("created", uint64_t{0});
  file.counts.change = counts.value("changed", uint64_t{0});
  file.counts.disable = counts.value("disabled", uint64_t{0});
  file.counts.back = counts.value("back", uint64_t{0});
  file.counts.before = counts.value("people_before", uint64_t{0});
  return std::optional(std::move(file));
}

class Runner {
 public:
  Runner(const ImportInput& input, Place& place, ImportWorld& world,
         std::vector<std::string>* notes)
      : in_(input),
        import_(input.import),
        place_(place),
        world_(world),
        notes_(*notes),
        quarantine_(input.folder + "/in") {}

  Result<std::vector<FileOutcome>> Run() {
    if (auto made = MakeFolder(quarantine_); !made) return tl::unexpected(made.error());
    const auto listing = place_.List(import_.fetch().folder());
    if (!listing) return tl::unexpected(listing.error());
    Sightings seen = ReadSightings();
    const auto ready = ReadyFiles(import_.fetch(), *listing, in_.now, &seen, &notes_);
    if (auto kept = KeepSightings(seen); !kept) return tl::unexpected(kept.error());
    for (const ReadyFile& file : ready) {
      auto outcome = Take(file);
      if (!outcome) return tl::unexpected(outcome.error());
      out_.push_back(*std::move(outcome));
      if (out_.back().state == FileState::kHeld) break;  // later files were made after it
    }
    return std::move(out_);
  }

 private:
  std::string SightingsPath() const { return in_.folder + "/seen.json"; }

  Sightings ReadSightings() const {
    Sightings seen;
    const auto text = ReadSmallFile(SightingsPath());
    const Json json = Json::parse(text ? *text : "{}", nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return seen;  // waits anew
    for (const auto& [name, one] : json.items()) {
      if (!one.is_object()) continue;
      seen[name] = {one.value("bytes", uint64_t{0}), one.value("modified", int64_t{0}),
                    one.value("since", int64_t{0})};
    }
    return seen;
  }

  Result<void> KeepSightings(const Sightings& seen) const {
    if (import_.fetch().ready() != "stable") return {};
    Json json = Json::object();
    for (const auto& [name, one] : seen) {
      json[name] = {{"bytes", one.bytes}, {"modified", one.modified}, {"since", one.since}};
    }
    return ReplaceFile(SightingsPath(), json.dump() + "\n");
  }

  Result<FileOutcome> Take(const ReadyFile& ready) {
    ready_ = ready;
    const uint64_t megabytes =
        import_.limits().has_megabytes() ? import_.limits().megabytes() : 256;
    auto fetched = FetchFile(import_.fetch(), ready, megabytes << 20, quarantine_,
                             in_.check_signature, place_);
    if (!fetched) return tl::unexpected(fetched.error());
    auto known = Restore(quarantine_, fetched->sha256);
    if (!known) return tl::unexpected(known.error());
    FileOutcome file = *known ? **known : FileOutcome();
    file.name = ready.name;
    file.sha256 = fetched->sha256;
    file.run = ImportRunId(import_.name(), fetched->sha256);
    if (!*known) file.started_by = in_.who;
    if (file.taken_at == 0) file.taken_at = in_.now;
    if (!fetched->unproven.empty()) {
      file.state = FileState::kRefused;
      file.reasons = {fetched->unproven};
      file.code = diag::code::kFileUnproven;
      return file;  // nothing of it is kept, and the sender's bytes stay where they are
    }
    return GoOn(*fetched, std::move(file));
  }

  Result<FileOutcome> GoOn(const Fetched& fetched, FileOutcome file) {
    const auto before = world_.Before();
    if (!before) return tl::unexpected(before.error());
    if (file.state == FileState::kDone || file.state == FileState::kRefused) {
      file.state = file.state == FileState::kDone ? FileState::kOld : file.state;
      return Close(std::move(file));
    }
    const bool accepted = *before && (*before)->file_sha256() == file.sha256;
    if (!accepted && *before && IsOlder(**before, file.name)) {
      file.state = FileState::kOld;
      file.reasons = {fmt::format("{} was taken already, and names are taken in their order",
                                  (*before)->file())};
      return Close(std::move(file));
    }
    if (!accepted) {
      const auto decided = Decide(fetched, *before ? &**before : nullptr, &file);
      if (!decided) return tl::unexpected(decided.error());
      if (file.state == FileState::kRefused) return Close(std::move(file));
      if (file.state == FileState::kHeld) return file;
    }
    const auto applied = world_.Apply();
    if (!applied) return tl::unexpected(applied.error());
    file.state = *applied ? FileState::kApplied : FileState::kAccepted;
    base::KillPoint("import.applied");
    if (auto saved = Save(quarantine_, file); !saved) return tl::unexpected(saved.error());
    if (!*applied) return file;  // the next run goes on with it
    return Close(std::move(file));
  }

  // Where the format has no sequence the order of names is one.
  bool IsOlder(const decl::AcceptedRoster& before, const std::string& name) const {
    return before.sequence() == 0 && name < before.file();
  }

  Result<void> Decide(const Fetched& fetched, const decl::AcceptedRoster* before,
                      FileOutcome* file) {
    const auto source = OpenSource(fetched.path);
    if (!source) return tl::unexpected(source.error());
    auto read =
        ReadRoster(import_, *source, file->name, before != nullptr ? before->sequence() : 0);
    if (!read) return tl::unexpected(read.error());
    if (read->report.older) {
      file->state = FileState::kRefused;
      file->reasons = {"its sequence was taken already"};
      return Save(quarantine_, *file);
    }
    const MatchInput match{import_, before, &world_.declarations(), file->taken_at, file->sha256};
    const Matched matched = MatchRoster(match, *read);
    file->counts = matched.counts;
    if (auto kept = KeepRejects(*file, matched.refused); !kept) return kept;
    if (read->report.refused) {
      for (const auto& d : read->report.diagnostics.all()) {
        if (d.severity == diag::Severity::kError) file->reasons.push_back(d.summary);
      }
    } else if (import_.all_or_nothing() && !matched.refused.empty()) {
      file->reasons = {
          fmt::format("{} rows are refused, and it is all or nothing", matched.refused.size())};
    }
    if (!file->reasons.empty() && file->state != FileState::kHeld) {
      file->state = FileState::kRefused;
      return Save(quarantine_, *file);
    }
    return Judge(matched, file);
  }

  Result<void> Judge(const Matched& matched, FileOutcome* file) {
    auto outlook = world_.Plan(matched.roster);
    if (!outlook) return tl::unexpected(outlook.error());
    file->plan_digest = outlook->digest;
    file->view = outlook->view;
    if (outlook->wrong) {
      file->state = FileState::kRefused;
      file->reasons = outlook->against;
      return Save(quarantine_, *file);
    }
    const HeldRun held{"import." + import_.name(), file->run,       file->name, file->sha256,
                       file->plan_digest,          file->started_by};
    const std::vector<std::string> exceeded = Exceeded(import_, matched.counts);
    std::string note = "within its thresholds";
    if (!exceeded.empty()) {
      const auto by = world_.ReleasedBy(held);
      if (!by) return tl::unexpected(by.error());
      if (by->empty()) return Hold(held, exceeded, file);
      note = "released by " + *by;
    }
    // A release is for thresholds: what isn't this import's, and what waits, it doesn't open.
    if (!outlook->against.empty()) return Hold(held, outlook->against, file);
    file->reasons.clear();
    if (auto done = world_.Accept(matched.roster, file->run, file->plan_digest, note); !done) {
      return done;
    }
    file->state = FileState::kAccepted;
    base::KillPoint("import.accepted");
    return Save(quarantine_, *file);
  }

  Result<void> Hold(const HeldRun& held, const std::vector<std::string>& reasons,
                    FileOutcome* file) {
    const bool told = file->state == FileState::kHeld && file->reasons == reasons;
    file->state = FileState::kHeld;
    file->reasons = reasons;
    file->code = diag::code::kImportHeld;
    if (!told) {
      if (auto done = world_.RecordHeld(held, fmt::format("{}", fmt::join(reasons, "; "))); !done) {
        return done;
      }
    }
    return Save(quarantine_, *file);
  }

  std::string RejectsPath(const FileOutcome& file) const {
    return quarantine_ + "/" + file.sha256 + "/rejects.csv";
  }
  Result<void> KeepRejects(const FileOutcome& file, const std::vector<RefusedRow>& refused) const {
    return ReplaceFile(RejectsPath(file), RejectsFile(refused));
  }

  Result<void> Send(const std::string& name, const std::string& text) {
    const std::string path = JoinPath(import_.fetch().rejects(), name);
    if (auto sent = place_.Put(path + ".part", TextSource(text)); !sent) return sent;
    const auto there = place_.Stat(path);
    if (!there) return tl::unexpected(there.error());
    return place_.Rename(path + ".part", path, there->has_value());
  }

  // The sender's summary and rejects, the archive, the state: each can be done again.
  Result<FileOutcome> Close(FileOutcome file) {
    const bool old = file.state == FileState::kOld;
    if (import_.fetch().has_rejects() && !old) {
      const auto rejects = ReadSmallFile(RejectsPath(file), size_t{256} << 20);
      if (rejects && file.counts.refused != 0) {
        if (auto sent = Send(file.name + ".rejects.csv", *rejects); !sent) {
          return tl::unexpected(sent.error());
        }
      }
      if (auto sent = Send(file.name + ".summary.json", SummaryFile(file)); !sent) {
        return tl::unexpected(sent.error());
      }
    }
    base::KillPoint("import.reported");
    if (auto moved = Archive(); !moved) return tl::unexpected(moved.error());
    base::KillPoint("import.archived");
    FileOutcome kept = file;
    if (kept.state == FileState::kApplied || old) kept.state = FileState::kDone;
    if (auto saved = Save(quarantine_, kept); !saved) return tl::unexpected(saved.error());
    return file;
  }

  // The file itself last: while it stands there, a run comes back to what is left to do.
  Result<void> Archive() {
    if (!import_.fetch().has_done()) return {};
    const decl::Fetch& fetch = import_.fetch();
    std::vector<std::string> names = {ready_.trigger, ready_.checksum, ready_.signature};
    if (fetch.ready() == "manifest") names.push_back(ready_.name + ".manifest.json");
    names.push_back(ready_.name);
    for (const std::string& name : names) {
      if (name.empty()) continue;
      auto moved =
          place_.Rename(JoinPath(fetch.folder(), name), JoinPath(fetch.done(), name), true);
      if (!moved && moved.error().code != ErrorCode::kNotFound) return moved;
    }
    return {};
  }

  const ImportInput& in_;
  const decl::Import& import_;
  Place& place_;
  ImportWorld& world_;
  std::vector<std::string>& notes_;
  const std::string quarantine_;
  ReadyFile ready_;
  std::vector<FileOutcome> out_;
};

}  // namespace

std::string_view ToString(FileState state) {
  switch (state) {
    case FileState::kWaiting:
      return "waiting";
    case FileState::kRefused:
      return "refused";
    case FileState::kHeld:
      return "held";
    case FileState::kAccepted:
      return "accepted";
    case FileState::kApplied:
      return "applied";
    case FileState::kDone:
      return "done";
    case FileState::kOld:
      return "old";
  }
  return "";
}

std::string ImportRunId(const std::string& import, const std::string& file_sha256) {
  base::Hasher hasher;
  hasher.AddField("import." + import);
  hasher.AddField(file_sha256);
  return base::Hex(hasher.Finish()).substr(0, 16);
}

std::string SummaryFile(const FileOutcome& outcome) {
  Json json{{"file", outcome.name},
            {"sha256", outcome.sha256},
            {"run", outcome.run},
            {"state", ToString(outcome.state)},
            {"received", outcome.counts.rows + outcome.counts.refused},
            {"reasons", outcome.reasons}};
  json.update(CountsOf(outcome.counts));
  return json.dump(2) + "\n";
}

Result<std::optional<HeldRun>> FindHeld(const std::string& folder, const std::string& import,
                                        const std::string& run) {
  std::optional<HeldRun> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder + "/in", error)) {
    const std::string sha256 = entry.path().filename().string();
    if (sha256.size() != 64) continue;
    const auto file = Restore(folder + "/in", sha256);
    if (!file) return tl::unexpected(file.error());
    if (!*file || (*file)->state != FileState::kHeld) continue;
    if (run.size() < 4 || !(*file)->run.starts_with(run)) continue;
    if (found) return Fail(ErrorCode::kInvalid, fmt::format("{} fits several runs", run));
    found = HeldRun{"import." + import,   (*file)->run,       (*file)->name, sha256,
                    (*file)->plan_digest, (*file)->started_by};
  }
  return found;
}

Result<std::vector<FileOutcome>> RunImport(const ImportInput& input, Place& place,
                                           ImportWorld& world, std::vector<std::string>* notes) {
  return Runner(input, place, world, notes).Run();
}

}  // namespace postern::jobs
