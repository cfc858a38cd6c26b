#include "core/view/import_view.h"

#include <fmt/format.h>

#include "core/view/json_writer.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using jobs::FileOutcome;
using jobs::FileState;

void WriteFile(JsonWriter& json, const FileOutcome& file) {
  json.Object().Field("file", file.name).Field("sha256", file.sha256).Field("run", file.run);
  json.Field("state", ToString(file.state)).Optional("code", file.code);
  if (file.state == FileState::kHeld) json.Field("release_opens", !file.ours);
  json.Strings("reasons", file.reasons).Strings("warnings", file.warnings);
  json.Field("rows", file.counts.rows).Field("refused_rows", file.counts.refused);
  json.Field("new", file.counts.create).Field("changed", file.counts.change);
  json.Field("disabled", file.counts.disable).Field("back", file.counts.back);
  json.Optional("plan_digest", file.plan_digest).Optional("started_by", file.started_by);
  json.Strings("behind", file.behind).Field("bytes", file.bytes);
  if (const auto seconds = LockedSeconds(file)) json.Field("locked_seconds", *seconds);
  json.TimeField("taken_at", file.taken_at).End();
}

// None of them may release it.
std::vector<std::string> StartersOf(const jobs::HeldRun& run) {
  std::vector<std::string> out = {run.started_by};
  out.insert(out.end(), run.behind.begin(), run.behind.end());
  return out;
}

}  // namespace

std::string RenderImport(const std::string& import, const std::vector<FileOutcome>& files) {
  if (files.empty()) return fmt::format("import {}: no file to take\n", import);
  std::string out;
  for (const FileOutcome& file : files) {
    const jobs::RosterCounts& counts = file.counts;
    out += fmt::format(
        "{}  {}  run {}  {} rows, {} refused · {} new, {} changed, {} disabled, {} back\n",
        file.name, ToString(file.state), file.run, counts.rows, counts.refused, counts.create,
        counts.change, counts.disable, counts.back);
    const std::string prefix = *file.code == '\0' ? "" : fmt::format("{} ", file.code);
    for (const std::string& reason : file.reasons) out += fmt::format("  {}{}\n", prefix, reason);
    if (const auto seconds = LockedSeconds(file)) {
      out += fmt::format("  locked {} after it was fetched\n",
                         Took(static_cast<base::Instant>(*seconds)));
    }
    if (file.state != FileState::kHeld) continue;
    out += fmt::format("\n{}\n", file.view);
    out += file.ours
               ? "Held: no release opens that; the next run after it looks at the file anew\n"
               : fmt::format("Held: postern job release {} {} --reason WHY\n", import, file.run);
  }
  return out;
}

void WriteImportJson(const std::string& import, const std::vector<FileOutcome>& files,
                     const std::vector<std::string>& waiting, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("import", import).Key("files").Array();
  for (const FileOutcome& file : files) WriteFile(json, file);
  json.End().Strings("waiting", waiting).End();
}

void WriteReleaseJson(const jobs::HeldRun& run, const std::string& reason, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("job", run.job).Field("run", run.run);
  json.Field("plan_digest", run.plan_digest).Field("file_sha256", run.file_sha256);
  json.Field("reason", reason).Strings("started_by", StartersOf(run));
  json.Field("namespace", jobs::kReleaseNamespace).Field("text", ReleaseText(run, reason)).End();
}

}  // namespace postern::view
