// Runs that were begun before this waking: finished, let go, asked after.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/diag/codes.h"
#include "core/jobs/export_run.h"
#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

constexpr size_t kHistory = 10'000;
constexpr size_t kMostUnanswered = 20;  // that a waking asks after; each costs a round trip or two

bool IsOpen(const RunRow& run) {
  return run.outcome.empty() || run.outcome == kFailed;
}

// What is declared otherwise since the run was made.
std::string WhatChanged(const Terms& then, const Terms& now) {
  if (!then.SameReceiver(now)) return "it was made for " + Describe(then);
  return then.rows != now.rows ? "another selection is declared by now"
                               : "another form is declared by now";
}

// What a run that is let go leaves behind, as far as nobody takes it away: files under their final
// names, and at a place that isn't declared any more parts as well.
std::vector<std::string> LeftBehind(const std::vector<SentFile>& files, bool same_place) {
  std::vector<std::string> left;
  for (const SentFile& file : files) {
    const bool placed = file.state >= SendState::kPlaced || file.temporary == file.path;
    if (placed) left.push_back(file.path);
    if (!placed && !same_place) left.push_back(file.temporary);
  }
  return left;
}

// Folders of files that a kill cut off before their run was begun, or while it was let go.
void ForgetHalfFiles(const std::string& folder, const std::vector<RunRow>& runs) {
  std::set<std::string> known;
  for (const RunRow& run : runs) {
    if (run.outcome != kAbandoned) known.insert(run.id);
  }
  std::error_code failed, ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (!known.contains(name)) std::filesystem::remove_all(entry, ignored);
  }
}

}  // namespace

// Only we take a temporary name away, and only by renaming it.
Result<bool> ExportRun::StandsThere(const SentFile& file) {
  if (file.state >= SendState::kPlaced) return true;
  if (file.state != SendState::kVerified || file.temporary == file.path) return false;
  if (auto opened = OpenPlace(); !opened) return tl::unexpected<Error>(opened.error());
  auto part = place_.place->Stat(file.temporary);
  if (!part) return tl::unexpected<Error>(part.error());
  return !part->has_value();
}

// A file whose terms aren't the declared ones is finished where it stands at the same receiver's
// already: what is still missing there, such as its checksum, tells nobody more.
Result<ExportRun::Fate> ExportRun::FateOf(const RunRow& run) {
  if (run.terms == terms_) return Fate::kFinish;
  auto state = outbox_->StateOf(run.id);
  if (!state) return tl::unexpected<Error>(state.error());
  const bool same = run.terms.SameReceiver(terms_);
  if (*state >= SendState::kTriggered) return same ? Fate::kFinish : Fate::kDelivered;
  if (!same) return Fate::kLetGo;
  auto files = outbox_->FilesOf(run.id);
  if (!files) return tl::unexpected<Error>(files.error());
  for (const SentFile& file : *files) {
    if (file.item != "file") continue;
    auto stands = StandsThere(file);
    if (!stands) return tl::unexpected<Error>(stands.error());
    if (*stands) return Fate::kFinish;
  }
  return Fate::kLetGo;
}

// The run goes to nobody; LastSlot doesn't count it, so that its slot is made anew.
Result<void> ExportRun::LetGo(RunRow run) {
  auto files = outbox_->FilesOf(run.id);
  if (!files) return tl::unexpected<Error>(files.error());
  const std::string why = WhatChanged(run.terms, terms_);
  const auto left = LeftBehind(*files, run.terms.to == terms_.to);
  run.outcome = kAbandoned;
  run.error = why;
  if (!left.empty()) run.error += fmt::format("; at the place: {}", fmt::join(left, ", "));
  run.ended = ports_.clock.now();
  if (auto noted = outbox_->Update(run); !noted) return noted;
  std::error_code ignored;
  std::filesystem::remove_all(ExportFile::FolderOfRun(folder_, run.id), ignored);
  auto& told = diagnostics_->Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kRunLetGo,
       .summary = fmt::format("run {} goes to nobody any more: {}", run.sequence, why),
       .subject = spec_.name(),
       .notes = {fmt::format("it was {} delivered; what is due is made anew, as it is declared now",
                             left.empty() ? "never" : "not fully")}});
  if (!left.empty()) {
    told.notes.push_back(
        fmt::format("this may stand at {}: {}", Describe(run.terms), fmt::join(left, ", ")));
  }
  return {};
}

// What a run whose fate can't be told now comes to: it stays, and so does what comes after it.
Result<void> ExportRun::StopAt(const RunRow& run, const Manifest& manifest, const Error& error,
                               RunReport* report) {
  TellUndelivered(manifest, error);
  report->slots.push_back({run.slot, kFailed, error.message, manifest, run.rows, ""});
  return Note(report->slots.back());
}

// Runs that were prepared go out in their order; what was begun and isn't whole is let go.
Result<void> ExportRun::FinishEarlier(RunReport* report) {
  auto runs = outbox_->Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  std::reverse(runs->begin(), runs->end());
  for (RunRow& run : *runs) {
    if (!IsOpen(run)) continue;
    auto bytes = ReadSmallFile(ExportFile::ManifestOfRun(folder_, run.id));
    if (!bytes) continue;  // its slot is made again; with the same census it is the same run
    auto manifest = ReadManifest(*bytes);
    if (!manifest) return tl::unexpected<Error>(manifest.error());
    auto fate = FateOf(run);
    if (!fate) return StopAt(run, *manifest, fate.error(), report);
    if (*fate == Fate::kLetGo) {
      if (auto gone = LetGo(run); !gone) return gone;
      continue;
    }
    if (*fate == Fate::kDelivered) {
      auto state = outbox_->StateOf(run.id);
      if (!state) return tl::unexpected<Error>(state.error());
      run.outcome = OutcomeOf(*state, spec_.export_().deliver().has_ack());
      if (auto noted = outbox_->Update(run); !noted) return noted;
      continue;
    }
    auto brought = Bring(*manifest, *bytes);
    if (!brought) return tl::unexpected<Error>(brought.error());
    report->slots.push_back(*brought);
    if (auto noted = Note(*brought); !noted) return noted;
    // Later files of a job never arrive before earlier ones.
    if (brought->outcome == kFailed) break;
  }
  return {};
}

// Paths at the place that a run which isn't whole yet may have given to its file.
Result<std::set<std::string>> ExportRun::NamesUnderWay() {
  std::set<std::string> names;
  auto runs = outbox_->Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  for (const RunRow& run : *runs) {
    if (!IsOpen(run)) continue;
    auto files = outbox_->FilesOf(run.id);
    if (!files) return tl::unexpected<Error>(files.error());
    for (const SentFile& file : *files) {
      const bool may = file.state >= SendState::kVerified || file.temporary == file.path;
      if (file.item == "file" && may) names.insert(file.path);
    }
  }
  return names;
}

// Runs that nobody has answered are asked after again, as long as no later one was acknowledged.
Result<void> ExportRun::LookForAnswers() {
  if (!spec_.export_().deliver().has_ack()) return {};
  auto runs = outbox_->AtPlace(terms_.to);
  if (!runs) return tl::unexpected<Error>(runs.error());
  auto answered = outbox_->LastDelivered(true, &terms_);
  if (!answered) return tl::unexpected<Error>(answered.error());
  auto names = NamesUnderWay();
  if (!names) return tl::unexpected<Error>(names.error());
  std::vector<RunRow> open;
  for (const RunRow& run : *runs) {
    const bool later = !*answered || run.sequence > (*answered)->sequence;
    // Where a later file has the name, an answer is that one's.
    const bool last = names->insert(JoinPath(run.terms.folder, run.file)).second;
    if (later && last && run.outcome == kUnansweredOutcome && open.size() < kMostUnanswered) {
      open.push_back(run);
    }
  }
  for (auto run = open.rbegin(); run != open.rend(); ++run) {
    if (auto looked = LookForAnswer(*run); !looked) return looked;
  }
  return {};
}

Result<void> ExportRun::LookForAnswer(RunRow run) {
  Manifest manifest;
  manifest.run = run.id;
  manifest.file = run.file;
  Parcel parcel = ParcelFor(manifest, "");
  parcel.folder = run.terms.folder;  // where it was brought, whatever is declared now
  auto opened = OpenPlace();
  auto answer = opened ? LookAgain(*place_.place, *outbox_, parcel, ports_.clock.now())
                       : Result<SendState>(tl::unexpected<Error>(opened.error()));
  if (!answer || *answer == SendState::kTriggered) {
    diagnostics_->Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kUnanswered,
         .summary = fmt::format("run {} is unanswered since {}", run.sequence,
                                base::FormatInstant(run.ended)),
         .subject = spec_.name(),
         .label = answer ? "" : answer.error().message,
         .notes = {"ask the receiver whether it took " + run.file + "; every run looks again"}});
    return {};  // what is due now will say itself that the place can't be reached
  }
  run.outcome = OutcomeOf(*answer, true);
  run.ended = ports_.clock.now();
  if (auto noted = outbox_->Update(run); !noted) return noted;
  auto newest = outbox_->Runs(1);
  if (!newest) return tl::unexpected<Error>(newest.error());
  // last.json speaks of the newest run.
  if (newest->front().id != run.id) return {};
  return Note({run.slot, run.outcome, "", manifest, run.rows, run.credential});
}

// Runs that have no manifest any more can't go out: their slots are made again.
Result<void> ExportRun::Abandon() {
  auto runs = outbox_->Runs(kHistory);
  if (!runs) return tl::unexpected<Error>(runs.error());
  for (RunRow& run : *runs) {
    std::error_code ignored;
    if (!IsOpen(run) ||
        std::filesystem::exists(ExportFile::ManifestOfRun(folder_, run.id), ignored))
      continue;
    std::filesystem::remove_all(ExportFile::FolderOfRun(folder_, run.id), ignored);
    run.outcome = kAbandoned;
    run.ended = ports_.clock.now();
    if (auto noted = outbox_->Update(run); !noted) return noted;
  }
  ForgetHalfFiles(folder_ + "/out", *runs);
  return {};
}

}  // namespace postern::jobs
