#include "core/jobs/import_close.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/base/kill_point.h"
#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::ordered_json;

// Up to here a file is read again before it is moved: times of many places are whole seconds.
constexpr uint64_t kReadAgain = uint64_t{16} << 20;

std::string TextOf(const TakenFile& taken) {
  const Json json{{"name", taken.file.name},           {"trigger", taken.file.trigger},
                  {"checksum", taken.file.checksum},   {"manifest", taken.file.manifest},
                  {"signature", taken.file.signature}, {"bytes", taken.bytes},
                  {"modified", taken.modified},        {"sha256", taken.sha256}};
  return json.dump() + "\n";
}

std::optional<TakenFile> TakenFrom(const std::string& text) try {
  const Json json = Json::parse(text);
  TakenFile taken;
  taken.file.name = json.at("name");
  taken.file.trigger = json.at("trigger");
  taken.file.checksum = json.at("checksum");
  taken.file.manifest = json.at("manifest");
  taken.file.signature = json.at("signature");
  taken.bytes = json.at("bytes");
  taken.modified = json.at("modified");
  taken.sha256 = json.at("sha256");
  return taken;
} catch (const Json::exception&) {
  return std::nullopt;
}

enum class Presence : uint8_t { kSame, kAnother, kGone };

Result<Presence> PresenceOf(const TakenFile& taken, const std::string& path, Place& place) {
  const auto there = place.Stat(path);
  if (!there) return tl::unexpected(there.error());
  if (!*there) return Presence::kGone;
  if ((*there)->bytes != taken.bytes || (*there)->modified != taken.modified) {
    return Presence::kAnother;
  }
  if (taken.bytes > kReadAgain) return Presence::kSame;
  const auto hash = HashAt(place, path);
  if (!hash && hash.error().code == ErrorCode::kNotFound) return Presence::kGone;
  if (!hash) return tl::unexpected(hash.error());
  return *hash == taken.sha256 ? Presence::kSame : Presence::kAnother;
}

}  // namespace

Result<void> Closing::Send(const std::string& name, const std::string& text) const {
  const std::string path = JoinPath(fetch_.rejects(), name);
  if (auto sent = place_.Put(path + ".part", TextSource(text)); !sent) return sent;
  const auto there = place_.Stat(path);
  if (!there) return tl::unexpected(there.error());
  return place_.Rename(path + ".part", path, there->has_value());
}

Result<void> Closing::Report(const FileOutcome& file) const {
  if (!fetch_.has_rejects()) return {};
  if (file.counts.refused != 0) {
    const auto rejects = quarantine_.Rejects(file.key);
    if (!rejects) return tl::unexpected(rejects.error());
    if (!rejects->empty()) {
      if (auto sent = Send(file.name + ".rejects.csv", *rejects); !sent) return sent;
    }
  }
  return Send(file.name + ".summary.json", SummaryFile(file));
}

Result<bool> Closing::Close(const FileOutcome& file, const TakenFile& taken) const {
  if (auto saved = quarantine_.Save(file); !saved) return tl::unexpected(saved.error());
  if (!fetch_.has_done()) return true;
  if (auto kept = ReplaceFile(MovingPath(), TextOf(taken)); !kept) {
    return tl::unexpected(kept.error());
  }
  auto moved = Archive(taken);
  if (moved) unlink(MovingPath().c_str());
  return moved;
}

Result<void> Closing::Finish() const {
  const auto text = ReadSmallFile(MovingPath());
  if (!text && text.error().code == ErrorCode::kNotFound) return {};
  if (!text) return tl::unexpected(text.error());
  // A text that can't be read is of a write that was cut off: nothing was moved yet.
  if (const auto taken = TakenFrom(*text); taken && fetch_.has_done()) {
    if (auto moved = Archive(*taken); !moved) return tl::unexpected(moved.error());
  }
  unlink(MovingPath().c_str());
  return {};
}

void Closing::CleanUp(const decl::AcceptedRoster& last, base::Instant now,
                      std::vector<std::string>* notes) const {
  if (import_.keep().hold()) return;
  const auto here = quarantine_.CleanUp(import_.keep(), now, last);
  if (!here) notes->push_back(here.error().message);
  const auto there = CleanArchive(import_, last.file(), place_);
  if (!there) notes->push_back(there.error().message);
}

// The trigger before the file and the rest after it: a run that is killed between leaves neither a
// file that seems complete nor a trigger for the next one.
Result<bool> Closing::Archive(const TakenFile& taken) const {
  const auto there = PresenceOf(taken, JoinPath(fetch_.folder(), taken.file.name), place_);
  if (!there) return tl::unexpected(there.error());
  if (*there == Presence::kAnother) return false;
  const ReadyFile& file = taken.file;
  for (const std::string& name :
       {file.trigger, file.name, file.checksum, file.manifest, file.signature}) {
    if (name.empty()) continue;
    auto moved =
        place_.Rename(JoinPath(fetch_.folder(), name), JoinPath(fetch_.done(), name), true);
    if (!moved && moved.error().code != ErrorCode::kNotFound) return tl::unexpected(moved.error());
    base::KillPoint("import.moved");
  }
  return true;
}

}  // namespace postern::jobs
