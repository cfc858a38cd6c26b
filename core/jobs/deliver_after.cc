// What follows a delivery: the receiver's answer, and which copies go.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/jobs/deliver.h"
#include "core/jobs/history.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kFirstLook{1}, kLongestWait{30};
constexpr base::Instant kDay = 86'400;
constexpr uint32_t kLocalDays = 30;

// kTriggered: no answer yet.
Result<SendState> LookForAnswer(Place& place, Outbox& outbox, const Parcel& parcel) {
  const std::string path = JoinPath(parcel.folder, parcel.name);
  const auto is_there = [&](const std::string& file) -> Result<bool> {
    auto found = place.Stat(file);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return false;
    auto earlier = outbox.EarlierAt(parcel.run, file);
    if (!earlier) return tl::unexpected(earlier.error());
    return !*earlier || (*earlier)->bytes != (*found)->bytes ||
           (*earlier)->modified != (*found)->modified;
  };
  if (!parcel.reject.empty()) {
    auto rejected = is_there(path + parcel.reject);
    if (!rejected) return tl::unexpected(rejected.error());
    if (*rejected) return SendState::kRejected;
  }
  const bool gone = parcel.ack == "gone";
  auto there = is_there(gone ? path : path + parcel.ack);
  if (!there) return tl::unexpected(there.error());
  return *there != gone ? SendState::kAcknowledged : SendState::kTriggered;
}

Result<void> RemoveFiles(Place& place, const std::vector<SentFile>& files,
                         const std::set<std::string>& kept, Removed* removed, bool* all) {
  for (const SentFile& file : files) {
    const std::string& path = file.state >= SendState::kPlaced ? file.path : file.temporary;
    if (kept.contains(path)) continue;
    auto done = place.Remove(path);
    if (done) {
      removed->files.push_back(path);
    } else if (done.error().retryable()) {
      return done;  // the connection: the others would fail as well
    } else if (done.error().code != ErrorCode::kNotFound) {
      removed->problems.push_back(fmt::format("{} stays: {}", path, done.error().message));
      *all = false;
    }
  }
  return {};
}

// Runs whose files stay: the newest, and the newest that was acknowledged.
Result<std::vector<RunRow>> SplitOff(Outbox& outbox, const Parcel& parcel, uint32_t count,
                                     std::set<std::string>* kept) {
  auto runs = outbox.AtPlace(parcel.terms.to);
  if (!runs) return runs;
  std::string acknowledged;
  if (!parcel.ack.empty()) {
    auto last = outbox.LastDelivered(true, &parcel.terms);
    if (!last) return tl::unexpected(last.error());
    if (*last) acknowledged = (*last)->id;
  }
  auto newest = outbox.LastDelivered(false, &parcel.terms);
  if (!newest) return tl::unexpected(newest.error());
  std::vector<RunRow> go;
  for (size_t i = 0; i < runs->size(); ++i) {
    const RunRow& run = (*runs)[i];
    if (i >= count && run.id != acknowledged && (!*newest || run.id != (*newest)->id)) {
      go.push_back(run);
      continue;
    }
    auto files = outbox.FilesOf(run.id);
    if (!files) return tl::unexpected(files.error());
    for (const SentFile& file : *files) kept->insert(file.path);
  }
  return go;
}

}  // namespace

Result<SendState> AwaitAnswer(Place& place, Outbox& outbox, const Parcel& parcel,
                              const Clock& clock) {
  auto state = outbox.StateOf(parcel.run);
  if (!state || *state != SendState::kTriggered || parcel.ack.empty()) return state;
  auto since = outbox.StateSince(parcel.run);
  if (!since) return tl::unexpected(since.error());
  // A run as of a moment that is over has a clock behind the one that noted the delivery.
  const base::Instant end =
      std::min(*since, clock.now()) + std::chrono::seconds(parcel.ack_limit).count();
  for (std::chrono::seconds pause = kFirstLook;; pause = std::min(pause * 2, kLongestWait)) {
    auto answer = LookForAnswer(place, outbox, parcel);
    if (!answer) return answer;
    if (*answer != SendState::kTriggered) {
      POSTERN_LEDGER_TRY(outbox.SetState(parcel.run, *answer, clock.now()));
      return answer;
    }
    const base::Instant left = end - clock.now();
    if (left <= 0) return SendState::kTriggered;
    if (!clock.wait(std::min<std::chrono::seconds>(pause, std::chrono::seconds(left)))) {
      return SendState::kTriggered;
    }
  }
}

Result<SendState> LookAgain(Place& place, Outbox& outbox, const Parcel& parcel, base::Instant now) {
  auto answer = LookForAnswer(place, outbox, parcel);
  if (!answer || *answer == SendState::kTriggered) return answer;
  POSTERN_LEDGER_TRY(outbox.SetState(parcel.run, *answer, now));
  return answer;
}

Result<Removed> RemoveAbandoned(Place& place, Outbox& outbox, std::string_view to) {
  Removed removed;
  auto files = outbox.Unplaced(kAbandoned, to);
  if (!files) return tl::unexpected(files.error());
  std::set<std::string> over, stay;
  for (const SentFile& file : *files) {
    over.insert(file.run);
    // Without a temporary name what is there is under its final one, and may be somebody's.
    if (file.temporary == file.path) continue;
    auto done = place.Remove(file.temporary);
    if (done) {
      removed.files.push_back(file.temporary);
    } else if (done.error().retryable()) {
      return tl::unexpected(done.error());
    } else if (done.error().code != ErrorCode::kNotFound) {
      removed.problems.push_back(fmt::format("{} stays: {}", file.temporary, done.error().message));
      stay.insert(file.run);
    }
  }
  for (const std::string& run : over) {
    if (!stay.contains(run)) POSTERN_LEDGER_TRY(outbox.ForgetFiles(run));
  }
  return removed;
}

Result<Removed> RetainRemote(Place& place, Outbox& outbox, const Parcel& parcel,
                             const decl::Keep& keep) {
  Removed removed;
  if (keep.hold() || !keep.has_remote_files()) return removed;
  std::set<std::string> kept;
  auto go = SplitOff(outbox, parcel, std::max<uint32_t>(1, keep.remote_files()), &kept);
  if (!go) return tl::unexpected(go.error());
  for (const RunRow& run : *go) {
    auto files = outbox.FilesOf(run.id);
    if (!files) return tl::unexpected(files.error());
    bool all = true;
    POSTERN_LEDGER_TRY(RemoveFiles(place, *files, kept, &removed, &all));
    if (all) POSTERN_LEDGER_TRY(outbox.MarkRemoved(run.id));
  }
  return removed;
}

Result<Removed> RetainLocal(const std::string& folder, Outbox& outbox, const decl::Keep& keep,
                            base::Instant now) {
  Removed removed;
  if (keep.hold()) return removed;
  const base::Instant days = keep.has_local_days() ? keep.local_days() : kLocalDays;
  auto last = outbox.LastDelivered();
  if (!last) return tl::unexpected(last.error());
  if (!*last) return removed;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    auto run = outbox.FindRun(entry.path().filename().string());
    if (!run) return tl::unexpected(run.error());
    if (!*run || (*run)->sequence >= (*last)->sequence || (*run)->slot > now - days * kDay) {
      continue;  // not ours, the last good one, one that isn't delivered yet, or young
    }
    std::error_code failed;
    fs::remove_all(entry.path(), failed);
    if (failed) {
      removed.problems.push_back(
          fmt::format("{} stays: {}", entry.path().string(), failed.message()));
    } else {
      removed.files.push_back(entry.path());
    }
  }
  return removed;
}

}  // namespace postern::jobs
