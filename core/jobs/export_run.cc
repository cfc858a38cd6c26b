#include "core/jobs/export_run.h"

#include <fmt/format.h>

#include "core/base/kill_point.h"
#include "core/diag/codes.h"
#include "core/jobs/files.h"
#include "core/jobs/spec.h"

namespace postern::jobs {
namespace {

constexpr size_t kHistory = 10'000;
constexpr int kAttempts = 3;
constexpr std::chrono::seconds kBetween{5};
constexpr std::chrono::minutes kGrace{60};

}  // namespace

ExportRun::ExportRun(const job::JobSpec& spec, Asked asked, std::string folder, const Ports& ports,
                     diag::Diagnostics* diagnostics)
    : spec_(spec),
      asked_(std::move(asked)),
      folder_(std::move(folder)),
      ports_(ports),
      diagnostics_(diagnostics),
      terms_(TermsOf(spec)) {}

CatchUp ExportRun::ModeOfCatchUp() const {
  const std::string& declared = spec_.export_().schedule().catch_up();
  if (declared == "all") return CatchUp::kAll;
  if (declared == "none") return CatchUp::kNone;
  // Every delta counts; of full files the newest says all.
  const bool deltas = spec_.export_().mode() == "delta";
  return declared.empty() && deltas ? CatchUp::kAll : CatchUp::kLatest;
}

Result<Due> ExportRun::FindDue() {
  Due due;
  if (asked_.slot) {
    due.run = {*asked_.slot};
    return due;
  }
  if (!schedule_) {
    due.run = {ports_.clock.now()};
    return due;
  }
  auto events = ReadEvents(folder_);
  if (!events) return tl::unexpected<Error>(events.error());
  auto runs = outbox_->Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  base::Instant last = LastSlot(*events, *runs);
  // Before it was installed nothing was due.
  if (last == 0) last = spec_.has_sealed_at() ? spec_.sealed_at() : ports_.clock.now();
  const auto& declared = spec_.export_().schedule();
  const std::chrono::seconds grace =
      declared.has_grace_minutes() ? std::chrono::minutes(declared.grace_minutes()) : kGrace;
  return DueSlots(*schedule_, last, ports_.clock.now(), ModeOfCatchUp(), grace);
}

Result<void> ExportRun::OpenPlace() {
  if (place_.place != nullptr) return {};
  auto opened = ports_.place();
  if (!opened) return tl::unexpected<Error>(opened.error());
  place_ = *std::move(opened);
  for (const std::string& one : place_.left_out) {
    if (!told_.insert(one).second) continue;  // of an earlier connection of this waking
    diagnostics_->Add({.severity = diag::Severity::kWarning,
                       .code = diag::code::kSlotWithout,
                       .summary = one,
                       .subject = spec_.name(),
                       .notes = {"put its secret on the runner before the other one goes"}});
  }
  return {};
}

Parcel ExportRun::ParcelFor(const Manifest& manifest, const std::string& bytes) const {
  Parcel parcel = ParcelOf(spec_.export_().deliver(), spec_.endpoint());
  parcel.run = manifest.run;
  parcel.terms = terms_;
  parcel.name = manifest.file;
  parcel.file = ExportFile::FolderOfRun(folder_, manifest.run) + "/" + manifest.file;
  parcel.bytes = manifest.bytes;
  parcel.sha256 = manifest.sha256;
  for (const ManifestFile& file : manifest.files) {
    parcel.set.push_back({file.file,
                          ExportFile::FolderOfRun(folder_, manifest.run) + "/set/" + file.file,
                          file.bytes, file.sha256});
  }
  parcel.manifest = bytes;
  return parcel;
}

// What breaks on the way is tried again over a new connection.
Result<SendState> ExportRun::Send(const Parcel& parcel, std::string* credential) {
  for (int attempt = 1;; ++attempt) {
    auto opened = OpenPlace();
    Result<SendState> sent = SendState::kTriggered;
    if (opened) {
      *credential = place_.credential;
      auto delivered = Deliver(*place_.place, *outbox_, parcel, [this](uint64_t bytes) {
        if (ports_.progress) ports_.progress("Delivering", bytes);
      });
      base::KillPoint("job-delivered");
      sent = delivered && !parcel.ack.empty()
                 ? AwaitAnswer(*place_.place, *outbox_, parcel, ports_.clock)
             : delivered ? Result<SendState>(delivered->state)
                         : Result<SendState>(tl::unexpected<Error>(delivered.error()));
    } else {
      sent = tl::unexpected<Error>(opened.error());
    }
    if (sent || !sent.error().retryable() || attempt == kAttempts) return sent;
    place_ = {};
    if (!ports_.clock.wait(kBetween)) return sent;
  }
}

void ExportRun::TellUndelivered(const Manifest& manifest, const Error& error) {
  diagnostics_->Add({.code = std::string(DeliveryCode(error)),
                     .summary = fmt::format("run {} isn't delivered", manifest.sequence),
                     .subject = spec_.name(),
                     .label = error.message,
                     .notes = {"it is kept; the next run delivers it first, as it is, unless "
                               "something else is declared by then"}});
}

Result<SlotReport> ExportRun::Bring(const Manifest& manifest, const std::string& bytes) {
  SlotReport slot{manifest.slot, "", "", manifest, manifest.census_rows, ""};
  if (auto alone = lock_->Check(); !alone) return tl::unexpected<Error>(alone.error());
  RunRow run{.id = manifest.run,
             .sequence = manifest.sequence,
             .slot = manifest.slot,
             .mode = manifest.mode,
             .rows = manifest.census_rows,
             .bytes = manifest.bytes,
             .sha256 = manifest.sha256,
             .file = manifest.file};
  if (auto noted = outbox_->Update(run); !noted) return tl::unexpected<Error>(noted.error());
  const Parcel parcel = ParcelFor(manifest, bytes);
  auto sent = Send(parcel, &slot.credential);
  run.ended = ports_.clock.now();
  run.credential = slot.credential;
  run.outcome = sent ? OutcomeOf(*sent, !parcel.ack.empty()) : kFailed;
  if (!sent) {
    run.error = sent.error().message;
    TellUndelivered(manifest, sent.error());
  }
  slot.outcome = run.outcome;
  slot.why = run.error;
  if (auto noted = outbox_->Update(run); !noted) return tl::unexpected<Error>(noted.error());
  base::KillPoint("job-noted");
  return slot;
}

// The receiver asks for a full file by one that is called like the job, with .full behind it.
Result<bool> ExportRun::WantsFull() {
  if (asked_.full) return true;
  if (spec_.export_().mode() != "delta") return false;
  if (auto opened = OpenPlace(); !opened) return tl::unexpected<Error>(opened.error());
  const std::string path =
      JoinPath(spec_.export_().deliver().folder(), spec_.export_().name() + ".full");
  auto there = place_.place->Stat(path);
  if (!there) return tl::unexpected<Error>(there.error());
  return there->has_value();
}

Result<void> ExportRun::Note(const SlotReport& slot) {
  const base::Instant now = ports_.clock.now();
  if (slot.manifest.run.empty()) {
    const Event event{now, slot.slot, slot.outcome, slot.rows, slot.why};
    if (auto added = AddEvent(folder_, event); !added) return added;
  }
  job::LastRun last;
  if (!slot.manifest.run.empty()) last.set_run(slot.manifest.run);
  last.set_slot(slot.slot);
  last.set_ended(now);
  last.set_outcome(slot.outcome);
  last.set_rows(slot.rows);
  if (!slot.credential.empty()) last.set_credential(slot.credential);
  return WriteLast(folder_ + "/last.json", last);
}

Result<void> ExportRun::RunSlot(base::Instant slot, RunReport* report) {
  SlotReport out{slot, "", "", {}, 0, ""};
  auto full = WantsFull();
  diag::Diagnostics said;
  Result<Made> made = tl::unexpected<Error>(Error{});
  if (full) {
    ExportFile file(spec_, asked_.digest, folder_, *outbox_, ports_, &said);
    made = file.Make(slot, *full);
  } else {
    made = tl::unexpected<Error>(full.error());
  }
  diagnostics_->Append(std::move(said));
  out.rows = made ? made->rows : 0;
  if (made && made->end == Made::End::kPrepared) {
    auto bytes = ReadSmallFile(ExportFile::ManifestOfRun(folder_, made->manifest.run));
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    auto brought = Bring(made->manifest, *bytes);
    if (!brought) return tl::unexpected<Error>(brought.error());
    out = *std::move(brought);
    if (*full && !asked_.full && out.outcome != kFailed) {
      const auto& deliver = spec_.export_().deliver();
      // Asked for once, answered once; a request that can't be removed is answered again.
      (void)place_.place->Remove(JoinPath(deliver.folder(), spec_.export_().name() + ".full"));
    }
  } else if (made) {
    out.outcome = made->end == Made::End::kNothing ? kNothing : kRefused;
    out.why = made->why;
  } else {
    out.outcome = kFailed;
    out.why = made.error().message;
    diagnostics_->Add({.code = diag::code::kCensusIncomplete,
                       .summary = "nothing was published",
                       .subject = spec_.name(),
                       .label = out.why,
                       .notes = {"the slot stays due; the next run tries again"}});
  }
  report->slots.push_back(out);
  return Note(out);
}

// Retention, and what was begun and never became whole.
Result<void> ExportRun::KeepOrder() {
  if (auto abandoned = Abandon(); !abandoned) return abandoned;
  const auto& declared = spec_.export_();
  const auto tell = [&](const Result<Removed>& removed) {
    std::vector<std::string> problems;
    if (!removed) problems = {removed.error().message};
    if (removed) problems = removed->problems;
    for (const std::string& problem : problems) {
      diagnostics_->Add({.severity = diag::Severity::kWarning,
                         .code = diag::code::kRunNotDelivered,
                         .summary = "clearing up: " + problem,
                         .subject = spec_.name()});
    }
  };
  if (place_.place != nullptr) tell(RemoveAbandoned(*place_.place, *outbox_, terms_.to));
  if (place_.place != nullptr && declared.keep().has_remote_files()) {
    tell(RetainRemote(*place_.place, *outbox_, ParcelFor({}, ""), declared.keep()));
  }
  tell(RetainLocal(folder_ + "/out", *outbox_, declared.keep(), ports_.clock.now()));
  return ExportFile::ForgetStates(folder_, *outbox_, declared.deliver().has_ack(), terms_);
}

// One refusal for all that waits or is due: neither slots nor files are done with by it, so that a
// contract that goes on finds them as after an absence.
Result<void> ExportRun::RefuseClosed(const std::string& why, RunReport* report) {
  diagnostics_->Add({.code = diag::code::kJobClosed,
                     .summary = why,
                     .subject = spec_.name(),
                     .notes = {"nothing was read and nothing was sent; `postern apply` takes away "
                               "what wakes it, or installs a later end"}});
  auto due = FindDue();
  if (!due) return tl::unexpected<Error>(due.error());
  const base::Instant slot = due->run.empty() ? ports_.clock.now() : due->run.back();
  report->slots.push_back({slot, kRefused, why, {}, 0, ""});
  return Note(report->slots.back());
}

Result<void> ExportRun::RunDue(RunReport* report) {
  // Before a file that waits takes the name of one whose answer came late.
  if (auto looked = LookForAnswers(); !looked) return looked;
  if (auto finished = FinishEarlier(report); !finished) return finished;
  auto due = FindDue();
  if (!due) return tl::unexpected<Error>(due.error());
  for (const base::Instant slot : due->missed) {
    report->missed.push_back(slot);
    if (auto added = AddEvent(folder_, {ports_.clock.now(), slot, kMissed, 0, ""}); !added) {
      return added;
    }
  }
  const auto stuck = [&] {
    return !report->slots.empty() && report->slots.back().outcome == kFailed;
  };
  for (const base::Instant slot : due->run) {
    if (stuck()) break;
    if (auto ran = RunSlot(slot, report); !ran) return ran;
  }
  return {};
}

Result<RunReport> ExportRun::Run() {
  RunReport report;
  const auto& declared = spec_.export_();
  if (declared.has_schedule()) {
    const std::string zone = declared.schedule().has_zone() ? declared.schedule().zone() : "UTC";
    schedule_ = ParseSchedule(declared.schedule().cron(), zone, spec_.name(), diagnostics_);
    if (!schedule_) return Fail(ErrorCode::kInvalid, "a schedule that can't be");
  }
  auto lock = JobLock::Take(folder_ + "/lock");
  if (!lock) return tl::unexpected<Error>(lock.error());
  lock_ = *std::move(lock);
  auto outbox = Outbox::Open(folder_ + "/outbox.db");
  if (!outbox) return tl::unexpected<Error>(outbox.error());
  outbox_ = *std::move(outbox);
  const std::string closed = WhyClosed(spec_, ports_.clock.now());
  const auto ran = closed.empty() ? RunDue(&report) : RefuseClosed(closed, &report);
  if (!ran) return tl::unexpected<Error>(ran.error());
  if (auto kept = KeepOrder(); !kept) return tl::unexpected<Error>(kept.error());
  if (schedule_) report.next = NextSlot(*schedule_, ports_.clock.now());
  return report;
}

}  // namespace postern::jobs
