#include "core/jobs/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/jobs/export_file.h"
#include "core/jobs/files.h"
#include "core/jobs/manifest.h"
#include "core/jobs/place.h"
#include "core/jobs/spec.h"

namespace postern::jobs {
namespace {

using Json = nlohmann::ordered_json;

std::string EventsOf(const std::string& folder) {
  return folder + "/events.jsonl";
}

std::optional<Event> EventOf(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto at = json.find(name);
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto at = base::ParseInstant(text("at")), slot = base::ParseInstant(text("slot"));
  if (!at || !slot) return std::nullopt;
  return Event{*at, *slot, text("outcome"), json.value("rows", uint64_t{0}), text("why")};
}

}  // namespace

Result<void> AddEvent(const std::string& folder, const Event& event) {
  Json json = {{"at", base::FormatInstant(event.at)},
               {"slot", base::FormatInstant(event.slot)},
               {"outcome", event.outcome}};
  if (event.rows > 0) json["rows"] = event.rows;
  if (!event.why.empty()) json["why"] = event.why;
  const std::string path = EventsOf(folder);
  // A line that a kill cut off is closed first, so that it doesn't swallow this one.
  const auto before = ReadSmallFile(path);
  const bool cut = before && !before->empty() && before->back() != '\n';
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) {
    return Fail(ErrorCode::kUnavailable,
                "write " + path + ": " + std::generic_category().message(errno));
  }
  const std::string line =
      json.dump(-1, ' ', false, Json::error_handler_t::replace).insert(0, cut ? "\n" : "") + "\n";
  auto written = WriteAll(file, line, path);
  if (written && fsync(file) != 0) written = Fail(ErrorCode::kUnavailable, "flush " + path);
  close(file);
  return written;
}

Result<std::vector<Event>> ReadEvents(const std::string& folder) {
  std::vector<Event> events;
  const auto text = ReadSmallFile(EventsOf(folder), size_t{256} << 20);
  if (!text && text.error().code == ErrorCode::kNotFound) return events;
  if (!text) return tl::unexpected<Error>(text.error());
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    if (auto event = EventOf(std::string_view(*text).substr(at, end - at))) {
      events.push_back(*std::move(event));
    }
    at = end + 1;
  }
  return events;
}

Result<void> AddNews(const std::string& folder, const Event& event) {
  constexpr ptrdiff_t kNewest = 20;
  const auto events = ReadEvents(folder);
  if (!events) return tl::unexpected<Error>(events.error());
  const auto newest = events->end() - std::min(kNewest, std::ssize(*events));
  const bool is_said = std::any_of(newest, events->end(), [&](const Event& one) {
    return one.outcome == event.outcome && one.why == event.why;
  });
  return is_said ? Result<void>() : AddEvent(folder, event);
}

base::Instant LastSlot(const std::vector<Event>& events, const std::vector<RunRow>& runs) {
  base::Instant last = 0;
  for (const Event& event : events) {
    // What was refused or failed is tried again while its slot is due.
    if (event.outcome != kMissed && event.outcome != kNothing) continue;
    last = std::max(last, event.slot);
  }
  for (const RunRow& run : runs) {
    if (run.outcome != kAbandoned && !run.file.empty()) last = std::max(last, run.slot);
  }
  return last;
}

const char* OutcomeOf(SendState state, bool answered) {
  switch (state) {
    case SendState::kAcknowledged:
      return kAcknowledgedOutcome;
    case SendState::kRejected:
      return kRejectedOutcome;
    default:
      return answered ? kUnansweredOutcome : kDeliveredOutcome;
  }
}

bool IsGood(std::string_view outcome) {
  return outcome == kDeliveredOutcome || outcome == kAcknowledgedOutcome || outcome == kApplied ||
         outcome == kNothing;
}

Result<void> WriteLast(const std::string& path, job::LastRun last) {
  if (const auto before = ReadLast(path)) {
    if (before->has_good()) last.set_good(before->good());
    if (before->has_file()) last.set_file(before->file());
  }
  if (IsGood(last.outcome())) last.set_good(last.ended());
  if (IsGood(last.outcome()) && last.outcome() != kNothing) last.set_file(last.ended());
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(last, &text, options).ok()) {
    return Fail(ErrorCode::kInternal, "an outcome that can't be written");
  }
  return ReplaceFile(path, text);
}

Result<job::LastRun> ReadLast(const std::string& path) {
  const auto text = ReadSmallFile(path);
  if (!text) return tl::unexpected<Error>(text.error());
  job::LastRun last;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(*text, &last, options).ok()) {
    return Fail(ErrorCode::kInvalid, path + " can't be read");
  }
  return last;
}

namespace {

// One check: what is there against what should be.
void Compare(Evidence* evidence, const std::string& what, const std::string& is,
             const std::string& should) {
  if (is == should) return;
  evidence->faults.push_back(fmt::format("{}: {}, and the evidence says {}", what, is, should));
}

void CheckSent(const std::vector<SentFile>& files, const Manifest& manifest,
               const std::string& manifest_bytes, Evidence* evidence) {
  std::map<std::string, std::string> set;  // item and hash
  for (const ManifestFile& file : manifest.files) set["set/" + file.file] = file.sha256;
  for (const SentFile& file : files) {
    if (const auto of_set = set.find(file.item); of_set != set.end()) {
      Compare(evidence, "SHA-256 of the delivered " + file.path, file.sha256, of_set->second);
    } else if (file.item == "file") {
      Compare(evidence, "SHA-256 of what was delivered", file.sha256, manifest.sha256);
    } else if (file.item == "manifest") {
      Compare(evidence, "SHA-256 of the delivered manifest", file.sha256,
              base::Hex(base::Sha256(manifest_bytes)));
    } else {
      continue;
    }
    const std::string line = fmt::format("{}: {}", file.item, file.path);
    if (file.state >= SendState::kPlaced) evidence->checked.push_back("delivered " + line);
    if (file.state < SendState::kPlaced) evidence->unsent.push_back(line);
  }
}

void CheckSpec(const std::string& folder, const Manifest& manifest, Evidence* evidence) {
  const auto spec = ReadSmallFile(folder + "/spec.json");
  if (spec && DigestOf(*spec) == manifest.spec) {
    evidence->checked.push_back("specification " + manifest.spec);
  } else {
    evidence->missing.push_back("the specification it ran by isn't installed any more: " +
                                manifest.spec);
  }
}

}  // namespace

void CheckKeptFile(const std::string& path, const std::string& name, uint64_t bytes,
                   const std::string& sha256, Evidence* evidence) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) {
    evidence->missing.push_back(path + ": removed by retention, or by somebody");
    return;
  }
  const auto hash = HashFile(path);
  if (!hash) {
    evidence->faults.push_back(hash.error().message);
    return;
  }
  Compare(evidence, "SHA-256 of " + name, *hash, sha256);
  const uint64_t is = std::filesystem::file_size(path, failed);
  if (bytes != 0) {
    Compare(evidence, "bytes of " + name, std::to_string(is), std::to_string(bytes));
  }
  evidence->checked.push_back(fmt::format("file {}: {} bytes", name, is));
}

Evidence CheckEvidence(const std::string& folder, const RunRow& run,
                       const std::vector<SentFile>& files) {
  Evidence evidence;
  const std::string own = ExportFile::FolderOfRun(folder, run.id);
  const auto bytes = ReadSmallFile(own + "/manifest.json");
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) {
    evidence.missing.push_back(run.outcome == kAbandoned && !run.error.empty()
                                   ? "the run was abandoned: " + run.error
                                   : "the run's manifest: removed by retention, or never written");
    return evidence;
  }
  const auto manifest = bytes ? ReadManifest(*bytes) : tl::unexpected<Error>(bytes.error());
  if (!manifest) {
    evidence.faults.push_back("manifest: " + manifest.error().message);
    return evidence;
  }
  Compare(&evidence, "run", run.id, manifest->run);
  Compare(&evidence, "run id of job, slot, census and terms",
          RunId(manifest->job, manifest->slot, manifest->census, manifest->terms), manifest->run);
  Compare(&evidence, "terms in the history", DigestOf(run.terms), manifest->terms);
  Compare(&evidence, "sequence", std::to_string(run.sequence), std::to_string(manifest->sequence));
  Compare(&evidence, "slot", base::FormatInstant(run.slot), base::FormatInstant(manifest->slot));
  Compare(&evidence, "SHA-256 in the history", run.sha256, manifest->sha256);
  Compare(&evidence, "rows in the history", std::to_string(run.rows),
          std::to_string(manifest->census_rows));
  evidence.checked.push_back(fmt::format("manifest of run {}", manifest->sequence));
  if (!run.terms.to.empty()) evidence.checked.push_back("receiver " + Describe(run.terms));
  CheckKeptFile(own + "/" + manifest->file, manifest->file, manifest->bytes, manifest->sha256,
                &evidence);
  for (const ManifestFile& file : manifest->files) {
    CheckKeptFile(own + "/set/" + file.file, file.file, file.bytes, file.sha256, &evidence);
  }
  CheckSent(files, *manifest, *bytes, &evidence);
  if (files.empty()) evidence.unsent.push_back("file: " + manifest->file);
  CheckSpec(folder, *manifest, &evidence);
  return evidence;
}

}  // namespace postern::jobs
