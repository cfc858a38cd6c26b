#include "core/jobs/quarantine.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr base::Instant kDay = 86400;
constexpr base::Instant kKeepDays = 30;
constexpr size_t kMostRejects = size_t{256} << 20;
constexpr FileState kStates[] = {FileState::kWaiting,  FileState::kRefused, FileState::kHeld,
                                 FileState::kAccepted, FileState::kApplied, FileState::kDone,
                                 FileState::kOld};

FileState StateNamed(std::string_view name) {
  for (const FileState state : kStates) {
    if (ToString(state) == name) return state;
  }
  return FileState::kWaiting;
}

constexpr std::pair<const char*, uint64_t RosterCounts::*> kCounts[] = {
    {"rows", &RosterCounts::rows},           {"refused", &RosterCounts::refused},
    {"created", &RosterCounts::create},      {"changed", &RosterCounts::change},
    {"disabled", &RosterCounts::disable},    {"back", &RosterCounts::back},
    {"people_before", &RosterCounts::before}};

Json CountsOf(const RosterCounts& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : kCounts) json[name] = counts.*count;
  return json;
}

// Nothing: it isn't what Save writes, so the file is looked at anew.
std::optional<FileOutcome> FileFrom(const std::string& text, const std::string& key) try {
  const Json json = Json::parse(text);
  FileOutcome file;
  file.name = json.at("name");
  file.key = key;
  file.sha256 = json.at("sha256");
  file.run = json.at("run");
  file.state = StateNamed(json.at("state").get<std::string>());
  file.taken = file.state == FileState::kAccepted || file.state == FileState::kApplied ||
               file.state == FileState::kDone;
  file.started_by = json.at("started_by");
  file.taken_at = json.at("taken_at");
  file.plan_digest = json.at("plan_digest");
  file.reasons = json.at("reasons").get<std::vector<std::string>>();
  file.ours = json.at("ours");
  file.untold = json.value("untold", size_t{0});  // not in one that an older version kept
  for (const auto& [name, count] : kCounts) file.counts.*count = json.at("counts").at(name);
  // What earlier programs didn't write.
  file.behind = json.value("behind", std::vector<std::string>());
  file.bytes = json.value("bytes", uint64_t{0});
  file.fetched_at = json.value("fetched_at", base::Instant{0});
  file.ended = json.value("ended", base::Instant{0});
  file.locked_at = json.value("locked_at", base::Instant{0});
  return file;
} catch (const Json::exception&) {
  return std::nullopt;
}

bool IsOf(const decl::AcceptedRoster& roster, const FileOutcome& file) {
  return roster.file() == file.name && roster.file_sha256() == file.sha256;
}

bool IsOver(FileState state) {
  return state == FileState::kDone || state == FileState::kRefused || state == FileState::kOld;
}

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

std::optional<uint64_t> LockedSeconds(const FileOutcome& file) {
  if (file.locked_at == 0 || file.fetched_at == 0) return std::nullopt;
  return static_cast<uint64_t>(std::max<base::Instant>(file.locked_at - file.fetched_at, 0));
}

HeldRun HeldOf(const std::string& job, const FileOutcome& file) {
  return {job, file.run,   file.name, file.sha256, file.plan_digest, file.started_by,
          {},  file.behind};
}

std::string SummaryFile(const FileOutcome& outcome) {
  std::vector<std::string> reasons;
  if (!outcome.ours) reasons = outcome.reasons;
  reasons.resize(reasons.size() - std::min(reasons.size(), outcome.untold));
  Json json{{"file", outcome.name},
            {"sha256", outcome.sha256},
            {"run", outcome.run},
            {"state", ToString(outcome.state)},
            {"received", outcome.counts.rows + outcome.counts.refused},
            {"warnings", outcome.warnings.size()},
            {"reasons", reasons}};
  json.update(CountsOf(outcome.counts));
  if (const auto seconds = LockedSeconds(outcome)) json["locked_seconds"] = *seconds;
  return json.dump(2) + "\n";
}

Result<void> Quarantine::Save(const FileOutcome& file) const {
  const Json json{{"name", file.name},
                  {"sha256", file.sha256},
                  {"run", file.run},
                  {"state", ToString(file.state)},
                  {"started_by", file.started_by},
                  {"behind", file.behind},
                  {"taken_at", file.taken_at},
                  {"bytes", file.bytes},
                  {"fetched_at", file.fetched_at},
                  {"ended", file.ended},
                  {"locked_at", file.locked_at},
                  {"plan_digest", file.plan_digest},
                  {"reasons", file.reasons},
                  {"ours", file.ours},
                  {"untold", file.untold},
                  {"counts", CountsOf(file.counts)}};
  return ReplaceFile(PathOf(file.key, "state.json"), json.dump(2) + "\n");
}

Result<std::optional<FileOutcome>> Quarantine::Find(const std::string& key) const {
  const auto text = ReadSmallFile(PathOf(key, "state.json"));
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return std::optional<FileOutcome>();
    return tl::unexpected(text.error());
  }
  return FileFrom(*text, key);
}

Result<std::vector<FileOutcome>> Quarantine::Files() const {
  std::vector<FileOutcome> files;
  for (const std::string& key : All()) {
    auto file = Find(key);
    if (!file) return tl::unexpected(file.error());
    if (*file) files.push_back(**std::move(file));
  }
  return files;
}

Result<void> Quarantine::KeepRejects(const std::string& key,
                                     const std::vector<RefusedRow>& refused) const {
  return ReplaceFile(PathOf(key, "rejects.csv"), RejectsFile(refused));
}

Result<std::string> Quarantine::Rejects(const std::string& key) const {
  auto text = ReadSmallFile(PathOf(key, "rejects.csv"), kMostRejects);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  return text;
}

Result<void> Quarantine::KeepMarks(const std::string& key,
                                   const std::vector<std::string>& marks) const {
  std::string text;
  for (const std::string& mark : marks) text += mark + "\n";
  return ReplaceFile(PathOf(key, "changes"), text);
}

Result<std::vector<std::string>> Quarantine::Marks(const std::string& key) const {
  std::vector<std::string> marks;
  const auto text = ReadSmallFile(PathOf(key, "changes"), kMostRejects);
  if (!text && text.error().code == ErrorCode::kNotFound) return marks;
  if (!text) return tl::unexpected(text.error());
  for (size_t at = 0, end = 0; (end = text->find('\n', at)) != std::string::npos; at = end + 1) {
    marks.push_back(text->substr(at, end - at));
  }
  return marks;
}

Result<std::vector<std::string>> Quarantine::MarksOf(const decl::AcceptedRoster& last) const {
  for (const std::string& key : All()) {
    const auto file = Find(key);
    if (!file) return tl::unexpected(file.error());
    if (*file && IsOf(last, **file)) return Marks(key);
  }
  return std::vector<std::string>();
}

void Quarantine::ForgetOpened() const {
  for (const std::string& key : All()) {
    for (const char* ending : {"", ".new"}) {
      std::error_code ignored;  // opening it anew begins there
      fs::remove(OpenedPath(key) + ending, ignored);
      fs::remove(UnpackedPath(key) + ending, ignored);
    }
  }
}

void Quarantine::Drop(const std::string& key) const {
  std::error_code ignored;  // what stays is looked at anew
  fs::remove_all(folder_ + "/" + key, ignored);
}

std::vector<std::string> Quarantine::All() const {
  constexpr size_t kDigits = 64;
  std::vector<std::string> all;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (name.size() == kDigits) all.push_back(std::move(name));
  }
  std::sort(all.begin(), all.end());
  return all;
}

Result<size_t> Quarantine::CleanUp(const decl::Keep& keep, base::Instant now,
                                   const decl::AcceptedRoster& last) const {
  if (keep.hold()) return size_t{0};
  const base::Instant days = keep.has_local_days() ? keep.local_days() : kKeepDays;
  size_t removed = 0;
  for (const std::string& key : All()) {
    const auto file = Find(key);
    if (!file) return tl::unexpected(file.error());
    if (!*file || IsOf(last, **file) || !IsOver((*file)->state) ||
        now - (*file)->taken_at < days * kDay)
      continue;
    std::error_code error;
    const bool bytes = fs::remove(PathOf(key, "file"), error);
    for (const char* name : {"rejects.csv", "changes"}) {
      if (!error) fs::remove(PathOf(key, name), error);
    }
    if (error) {
      return Fail(ErrorCode::kDenied, fmt::format("{}/{}: {}", folder_, key, error.message()));
    }
    removed += bytes ? 1 : 0;
  }
  return removed;
}

Result<std::optional<HeldRun>> Quarantine::FindHeld(const std::string& import,
                                                    const std::string& run) const {
  constexpr size_t kFewestDigits = 4;
  std::optional<HeldRun> found;
  const auto files = Files();
  if (!files) return tl::unexpected(files.error());
  for (const FileOutcome& file : *files) {
    if (file.state != FileState::kHeld) continue;
    if (run.size() < kFewestDigits || !file.run.starts_with(run)) continue;
    if (found) return Fail(ErrorCode::kInvalid, fmt::format("{} fits several runs", run));
    found = HeldOf("import." + import, file);
    if (file.ours) found->others = file.reasons;
  }
  return found;
}

}  // namespace postern::jobs
