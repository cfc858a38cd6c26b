#include "core/jobs/import_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/history.h"
#include "core/jobs/import_close.h"
#include "core/jobs/import_order.h"
#include "core/jobs/import_read.h"
#include "core/jobs/thresholds.h"

namespace postern::jobs {
namespace {

constexpr uint32_t kMegabytes = 256;

// What isn't proven to be its sender's, or whole, isn't kept and stays where it is.
bool IsUnproven(const FileOutcome& file) {
  const std::string_view code = file.code;
  return code == diag::code::kFileUnproven || code == diag::code::kBadSignature;
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
        quarantine_(input.folder + "/in"),
        closing_(import_, quarantine_, place) {}

  Result<std::vector<FileOutcome>> Run() {
    if (auto made = MakeFolder(quarantine_.folder()); !made) return tl::unexpected(made.error());
    quarantine_.ForgetOpened();
    if (auto ended = closing_.Finish(); !ended) return tl::unexpected(ended.error());
    const auto ready = Look();
    if (!ready) return tl::unexpected(ready.error());
    for (const ReadyFile& file : *ready) {
      if (auto alone = in_.lock.Check(); !alone) return tl::unexpected(alone.error());
      auto outcome = Take(file);
      if (!outcome) return tl::unexpected(outcome.error());
      const FileState state = outcome->state;
      const bool unproven = state == FileState::kRefused && IsUnproven(*outcome);
      if (state == FileState::kWaiting) {
        notes_.push_back(fmt::format("{} changed while it was fetched", file.name));
      } else {
        out_.push_back(*std::move(outcome));
      }
      // Later files were made after it.
      if (state == FileState::kHeld) break;
      if (by_name_ && (unproven || state == FileState::kWaiting)) break;
    }
    // What stays longer than it should doesn't undo what a run has done.
    if (const auto last = world_.Before()) {
      closing_.CleanUp(last->value_or(decl::AcceptedRoster()), in_.now, &notes_);
    }
    return std::move(out_);
  }

 private:
  // Files that can be taken now.
  Result<std::vector<ReadyFile>> Look() {
    const auto listing = place_.List(import_.fetch().folder());
    if (!listing) return tl::unexpected(listing.error());
    const std::string sightings = in_.folder + "/seen.json";
    Sightings seen = ReadSightings(sightings);
    auto ready = ReadyFiles(import_, *listing, in_.now, &seen, &notes_);
    if (import_.fetch().ready() == "stable") {
      if (auto kept = KeepSightings(sightings, seen); !kept) return tl::unexpected(kept.error());
    }
    const auto before = world_.Before();
    if (!before) return tl::unexpected(before.error());
    if (IsByName(import_, *before ? &**before : nullptr)) {
      StopAtWaiting(import_.fetch(), *listing, *before ? (*before)->file() : "", &ready, &notes_);
    }
    return ready;
  }

  uint64_t MostBytes() const {
    const decl::ImportLimits& limits = import_.limits();
    return uint64_t{limits.has_megabytes() ? limits.megabytes() : kMegabytes} << 20;
  }

  Result<FileOutcome> Take(const ReadyFile& ready) {
    auto fetched =
        FetchFile(import_.fetch(), in_.from, ready, MostBytes(), quarantine_.folder(), place_);
    if (!fetched) return tl::unexpected(fetched.error());
    fetched_at_ = in_.clock();
    const auto hold = world_.Hold();
    if (!hold) return tl::unexpected(hold.error());
    auto last = world_.Before();
    if (!last) return tl::unexpected(last.error());
    decl::AcceptedRoster* before = *last ? &**last : nullptr;
    by_name_ = IsByName(import_, before) && fetched->sequence == 0;
    if (fetched->changed) return FileOutcome();
    taken_ = {ready, fetched->sha256, fetched->bytes, fetched->modified};
    auto known = quarantine_.Find(fetched->key);
    if (!known) return tl::unexpected(known.error());
    FileOutcome file = *known ? **known : FileOutcome();
    file.name = ready.name;
    file.sha256 = fetched->sha256;
    file.key = fetched->key;
    file.run = ImportRunId(import_.name(), fetched->key);
    file.bytes = fetched->bytes;
    was_ = file.state;
    if (!*known) Begin(&file);
    if (file.taken_at == 0) file.taken_at = in_.now;
    if (fetched->unproven.empty()) return GoOn(*fetched, before, std::move(file));
    file.state = FileState::kRefused;
    file.ours = false;
    file.untold = 0;
    file.counts = {};
    file.reasons = {fetched->unproven};
    file.code = fetched->code;
    return Told(std::move(file));
  }

  // Who had it run, and since when it is here: of a file that is new, or said anew.
  void Begin(FileOutcome* file) const {
    file->started_by = in_.who;
    file->behind = in_.behind;
    file->fetched_at = fetched_at_;
    file->locked_at = 0;
  }

  void Stamp(FileOutcome* file) {
    if (file->state != was_ || file->ended == 0) file->ended = in_.clock();
    was_ = file->state;
  }

  Result<void> Save(FileOutcome* file) {
    Stamp(file);
    return quarantine_.Save(*file);
  }

  Result<FileOutcome> GoOn(const Fetched& fetched, decl::AcceptedRoster* before, FileOutcome file) {
    const bool accepted = before != nullptr && file.name == before->file() &&
                          IsLast({file.name, fetched.sequence, file.sha256}, before);
    if (accepted && file.state == FileState::kDone) return Close(Repeated(std::move(file)));
    const bool over = accepted && file.state == FileState::kApplied;  // but for telling it
    if (over || file.state == FileState::kRefused) return Close(std::move(file));
    if (!accepted) {
      file.ours = false;
      file.untold = 0;
      const auto decided = Decide(fetched, before, &file);
      if (!decided) return tl::unexpected(decided.error());
      if (file.state == FileState::kRefused && IsUnproven(file)) {
        quarantine_.Drop(file.key);
        return Told(std::move(file));
      }
      if (file.state == FileState::kHeld) return file;
      if (file.state != FileState::kAccepted) return Close(std::move(file));
    }
    return CarryOut(std::move(file));
  }

  Result<FileOutcome> CarryOut(FileOutcome file) {
    const auto marks = quarantine_.Marks(file.key);
    if (!marks) return tl::unexpected(marks.error());
    if (auto alone = in_.lock.Check(); !alone) return tl::unexpected(alone.error());
    auto applied = world_.Apply(*marks);
    if (!applied) return tl::unexpected(applied.error());
    file.state = applied->all ? FileState::kApplied : FileState::kAccepted;
    file.reasons = std::move(applied->left);
    file.ours = !file.reasons.empty();
    base::KillPoint("import.applied");
    if (auto noted = NoteApplied(*applied, &file); !noted) return tl::unexpected(noted.error());
    if (auto saved = Save(&file); !saved) return tl::unexpected(saved.error());
    if (!applied->all) return file;  // the next run goes on with it
    return Close(std::move(file));
  }

  Result<void> NoteApplied(const ImportWorld::Applied& applied, FileOutcome* file) const {
    const bool known = applied.locked_at != 0 || !applied.all;
    if (file->counts.disable != 0 && known) file->locked_at = applied.locked_at;
    if (!applied.all) return {};
    // Confirmed by a run that was killed then: this one has seen that it is so.
    if (file->counts.disable != 0 && file->locked_at == 0) file->locked_at = in_.clock();
    return world_.RecordApplied(HeldOf(Job(), *file),
                                applied.apply == 0 ? "" : fmt::format("apply {}", applied.apply),
                                LockedSeconds(*file));
  }

  std::string Job() const { return "import." + import_.name(); }

  Result<void> Refuse(FileOutcome* file, const char* code, std::string reason) const {
    file->state = FileState::kRefused;
    file->code = code;
    file->reasons = {std::move(reason)};
    return {};
  }

  Result<void> Decide(const Fetched& fetched, decl::AcceptedRoster* before, FileOutcome* file) {
    const uint64_t last = before != nullptr ? before->sequence() : 0;
    if (last == 0) {  // by its name alone, before anything reads it
      const Statement said{file->name, fetched.sequence, file->sha256};
      if (auto old = WhyOld(said, before); !old.empty()) return MakeOld(file, std::move(old));
    }
    auto read = ReadFetched({import_, in_.from, in_.folder, taken_.file, MostBytes(), last},
                            fetched, quarantine_);
    if (!read) {
      const ErrorCode code = read.error().code;
      const bool broken = code == ErrorCode::kIncomplete || code == ErrorCode::kInvalid;
      if (code != ErrorCode::kAuthentication && !broken) return tl::unexpected(read.error());
      return Refuse(file, broken ? diag::code::kFileUnproven : diag::code::kBadSignature,
                    read.error().message);
    }
    const uint64_t in_file = read->report.head.sequence;
    if (in_file == 0) read->report.head.sequence = fetched.sequence;
    const Statement said{file->name, read->report.head.sequence, file->sha256};
    if (IsLast(said, before)) {  // under another name: no run of its own
      file->state = FileState::kOld;
      return {};
    }
    if (auto why = WhyUnnumbered(said, before); !why.empty()) {
      return Refuse(file, diag::code::kFileUnproven, std::move(why));
    }
    std::string old = WhyOld(said, before);
    if (read->report.older && old.empty()) old = "its sequence was taken already";
    if (!old.empty()) return MakeOld(file, std::move(old));
    if (read->report.refused) return RefuseBroken(*read, file);
    const uint64_t rows = read->report.rows + read->report.rejected;
    if (auto why = WhyNotAsSaid(import_, fetched, rows, in_file, last); !why.empty()) {
      return Refuse(file, diag::code::kFileUnproven, std::move(why));
    }
    far_ahead_ = WhyFarAhead(said, before);
    return Match(*std::move(read), before, file);
  }

  // None of its rows counts, so nobody is missing in it either.
  Result<void> RefuseBroken(const RosterFile& read, FileOutcome* file) {
    file->state = FileState::kRefused;
    file->counts = {};
    file->counts.refused = read.refused.size();
    file->reasons.clear();
    for (const auto& d : read.report.diagnostics.all()) {
      if (d.severity != diag::Severity::kError) continue;
      file->reasons.push_back(fmt::format("{} {}: {}", d.code, d.subject, d.summary));
    }
    if (auto kept = quarantine_.KeepRejects(file->key, read.refused); !kept) return kept;
    return Save(file);
  }

  // Passed by. Who has sent something that counts for nothing must hear of it, once.
  static Result<void> MakeOld(FileOutcome* file, std::string why) {
    file->passed_over = !file->taken && file->state != FileState::kOld;
    file->state = FileState::kOld;
    file->reasons = {std::move(why)};
    return {};
  }

  // The newest file, come again.
  static FileOutcome Repeated(FileOutcome file) {
    file.taken = true;
    file.state = FileState::kOld;
    return file;
  }

  // Rows, and people as they were before, are in the way of the plan once they are matched.
  Result<void> Match(RosterFile read, decl::AcceptedRoster* before, FileOutcome* file) {
    if (file->taken) {  // and said anew, after another one
      file->taken_at = in_.now;
      Begin(file);
    }
    auto others = world_.Others();
    if (!others) return tl::unexpected(others.error());
    const MatchInput match{import_,        before,       &world_.declarations(),
                           file->taken_at, file->sha256, &*others};
    const Matched matched = MatchRoster(match, read);
    std::vector<RosterRow>().swap(read.rows);
    if (before != nullptr) {
      google::protobuf::RepeatedPtrField<decl::RosterPerson>().Swap(before->mutable_people());
    }
    *others = {};
    file->counts = matched.counts;
    if (auto kept = quarantine_.KeepRejects(file->key, matched.refused); !kept) return kept;
    file->warnings.clear();
    for (const auto& d : read.report.diagnostics.all()) file->warnings.push_back(d.summary);
    if (!import_.all_or_nothing() || matched.refused.empty()) return Judge(matched, before, file);
    file->state = FileState::kRefused;
    file->reasons = {
        fmt::format("{} rows are refused, and it is all or nothing", matched.refused.size())};
    return Save(file);
  }

  Result<void> Judge(const Matched& matched, const decl::AcceptedRoster* before,
                     FileOutcome* file) {
    const auto marks =
        before != nullptr ? quarantine_.MarksOf(*before) : std::vector<std::string>();
    if (!marks) return tl::unexpected(marks.error());
    auto outlook = world_.Plan(matched.roster, *marks);
    if (!outlook) return tl::unexpected(outlook.error());
    file->plan_digest = outlook->digest;
    file->view = outlook->view;
    if (outlook->wrong) {
      file->state = FileState::kRefused;
      file->reasons = outlook->against;
      return Save(file);
    }
    const HeldRun held = HeldOf(Job(), *file);
    // A release is for thresholds: what isn't this import's, and what waits, it doesn't open. And
    // the plan that is signed should be the one that is left then.
    if (file->ours = !outlook->against.empty(); file->ours) {
      return Hold(held, outlook->against, file);
    }
    std::string note = "within its thresholds";
    auto exceeded = Exceeded(import_, matched.counts);
    if (!far_ahead_.empty()) exceeded.push_back(far_ahead_);
    const size_t own = outlook->opens.size();
    std::move(outlook->opens.begin(), outlook->opens.end(), std::back_inserter(exceeded));
    if (!exceeded.empty()) {
      const auto released = world_.ReleasedBy(held);
      if (!released) return tl::unexpected(released.error());
      if (released->by.empty() && !released->another.empty()) {
        notes_.push_back(fmt::format("{}: {} has released another plan of it; this one is new",
                                     file->name, released->another));
      }
      if (released->by.empty()) return Hold(held, exceeded, file, own);
      note = "released by " + released->by;
    }
    file->reasons.clear();
    if (auto kept = quarantine_.KeepMarks(file->key, outlook->marks); !kept) return kept;
    if (auto saved = Save(file); !saved) return saved;  // whose marks they are
    if (auto alone = in_.lock.Check(); !alone) return alone;
    if (auto done = world_.Accept(matched.roster, file->run, file->plan_digest, note); !done) {
      return done;
    }
    file->state = FileState::kAccepted;
    base::KillPoint("import.accepted");
    return Save(file);
  }

  // `untold`: so many of the reasons, the last ones, are nothing for its sender.
  Result<void> Hold(const HeldRun& held, const std::vector<std::string>& reasons, FileOutcome* file,
                    size_t untold = 0) {
    const bool told = file->state == FileState::kHeld && file->reasons == reasons;
    file->state = FileState::kHeld;
    file->reasons = reasons;
    file->untold = untold;
    file->code = diag::code::kImportHeld;
    if (!told) {
      if (auto done = world_.RecordHeld(held, fmt::format("{}", fmt::join(reasons, "; "))); !done) {
        return done;
      }
      if (auto done = closing_.Report(*file); !done) return done;
    }
    return Save(file);
  }

  // Of a file that stays where it is, and of which nothing is kept but a line.
  Result<FileOutcome> Told(FileOutcome file) const {
    const base::Instant at = in_.clock();
    const std::string why =
        fmt::format("{}: {} {}", file.name, file.code, fmt::join(file.reasons, "; "));
    if (auto noted = AddNews(in_.folder, {at, at, kRefused, 0, why}); !noted) {
      return tl::unexpected(noted.error());
    }
    if (auto told = closing_.Report(file); !told) return tl::unexpected(told.error());
    return file;
  }

  // The sender's summary and rejects, the state, the archive: each can be done again.
  Result<FileOutcome> Close(FileOutcome file) {
    if (auto alone = in_.lock.Check(); !alone) return tl::unexpected(alone.error());
    const bool old = file.state == FileState::kOld;
    if (!old || file.passed_over) {
      if (auto told = closing_.Report(file); !told) return tl::unexpected(told.error());
    }
    base::KillPoint("import.reported");
    FileOutcome kept = file;
    if (kept.state == FileState::kApplied || (old && file.taken)) kept.state = FileState::kDone;
    Stamp(&kept);
    const auto moved = closing_.Close(kept, taken_);
    if (!moved) return tl::unexpected(moved.error());
    base::KillPoint("import.archived");
    if (!*moved) {
      notes_.push_back(fmt::format("{} was replaced meanwhile: the next run takes it", file.name));
    }
    return file;
  }

  const ImportInput& in_;
  const decl::Import& import_;
  Place& place_;
  ImportWorld& world_;
  std::vector<std::string>& notes_;
  const Quarantine quarantine_;
  const Closing closing_;
  bool by_name_ = false;                 // the next file is told by its name alone, and is a delta
  TakenFile taken_;                      // that is looked at, with
  FileState was_ = FileState::kWaiting;  // before this run
  base::Instant fetched_at_ = 0;
  std::string far_ahead_;
  std::vector<FileOutcome> out_;
};

}  // namespace

std::string ImportRunId(const std::string& import, const std::string& key) {
  base::Hasher hasher;
  hasher.AddField("import." + import);
  hasher.AddField(key);
  return base::Hex(hasher.Finish()).substr(0, 16);
}

Result<std::vector<FileOutcome>> RunImport(const ImportInput& input, Place& place,
                                           ImportWorld& world, std::vector<std::string>* notes) {
  return Runner(input, place, world, notes).Run();
}

}  // namespace postern::jobs
