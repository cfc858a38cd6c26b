#include "core/view/job_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/view/json_writer.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

// A line of the history, whichever kind it is.
struct Line {
  base::Instant at = 0;
  const jobs::RunRow* run = nullptr;
  const jobs::Event* event = nullptr;
};

std::vector<Line> LinesOf(const JobHistory& history) {
  std::vector<Line> lines;
  for (const jobs::RunRow& run : history.runs) {
    lines.push_back({std::max(run.started, run.ended), &run, nullptr});
  }
  for (const jobs::Event& event : history.events) lines.push_back({event.at, nullptr, &event});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.at > b.at; });
  return lines;
}

std::string OutcomeOf(const jobs::RunRow& run) {
  return run.outcome.empty() ? "not finished" : run.outcome;
}

void WriteRunRow(JsonWriter& json, const jobs::RunRow& run) {
  json.Object().Field("run", run.id).Field("sequence", run.sequence);
  json.TimeField("slot", run.slot).Field("mode", run.mode).Field("outcome", OutcomeOf(run));
  json.Optional("error", run.error).Optional("to", run.terms.to);
  json.Optional("folder", run.terms.folder).Optional("file", run.file).Field("rows", run.rows);
  json.Field("bytes", run.bytes).Optional("sha256", run.sha256);
  json.TimeField("started", run.started);
  json.Key("ended");
  if (run.ended == 0) json.Null();
  if (run.ended != 0) json.Time(run.ended);
  json.Optional("credential", run.credential).End();
}

}  // namespace

std::string RenderRun(const std::string& job, const jobs::RunReport& report, const Style& style) {
  std::string out;
  if (report.slots.empty() && report.missed.empty()) {
    out = Safe(job, style) + ": nothing is due.";
  } else {
    out = Painted(Paint::kBold, Safe(job, style), style) + "\n";
    Table table({"slot", "run", "outcome", "rows", "size", "file"});
    for (const base::Instant slot : report.missed) table.Row({Moment(slot), "", jobs::kMissed});
    for (const jobs::SlotReport& slot : report.slots) {
      const bool run = !slot.manifest.run.empty();
      table.Row({Moment(slot.slot), run ? std::to_string(slot.manifest.sequence) : "", slot.outcome,
                 Thousands(run ? slot.manifest.rows : slot.rows),
                 run ? Count(slot.manifest.bytes, "byte") : "",
                 run ? slot.manifest.file : slot.why});
    }
    out += table.Print(style, 2);
  }
  if (report.next)
    out += fmt::format("{}Next at {}.", out.ends_with('\n') ? "" : " ", Moment(*report.next));
  return out + (out.ends_with('\n') ? "" : "\n");
}

void WriteRunJson(const std::string& job, const jobs::RunReport& report, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("job", job).Key("slots").Array();
  for (const base::Instant slot : report.missed) {
    json.Object().TimeField("slot", slot).Field("outcome", jobs::kMissed).End();
  }
  for (const jobs::SlotReport& slot : report.slots) {
    json.Object().TimeField("slot", slot.slot).Field("outcome", slot.outcome);
    json.Optional("why", slot.why).Field("rows", slot.rows);
    json.Optional("credential", slot.credential);
    const jobs::Manifest& manifest = slot.manifest;
    if (!manifest.run.empty()) {
      json.Field("run", manifest.run).Field("sequence", manifest.sequence);
      json.Field("mode", manifest.mode).Field("file", manifest.file);
      json.Field("file_rows", manifest.rows).Field("bytes", manifest.bytes);
      json.Field("sha256", manifest.sha256).Field("census", manifest.census);
      json.TimeField("data_as_of", manifest.data_as_of);
    }
    json.End();
  }
  json.End();
  if (report.next) json.TimeField("next", *report.next);
  json.End();
}

std::string RenderHistory(const JobHistory& history, size_t most, const Style& style) {
  const std::vector<Line> lines = LinesOf(history);
  if (lines.empty()) return Safe(history.job, style) + " has not run yet.\n";
  Table table({"when", "run", "slot", "mode", "outcome", "rows", "bytes", "took", "file"});
  for (size_t i = 0; i < std::min(most, lines.size()); ++i) {
    const Line& line = lines[i];
    if (line.run != nullptr) {
      const jobs::RunRow& run = *line.run;
      table.Row({Moment(line.at), std::to_string(run.sequence), Moment(run.slot), run.mode,
                 OutcomeOf(run), Thousands(run.rows), run.bytes == 0 ? "" : Thousands(run.bytes),
                 run.ended < run.started ? "" : Took(run.ended - run.started),
                 run.error.empty() ? run.file : run.file + ": " + run.error});
    } else {
      const jobs::Event& event = *line.event;
      table.Row({Moment(line.at), "", Moment(event.slot), "", event.outcome,
                 event.rows > 0 ? Thousands(event.rows) : "", "", "", event.why});
    }
  }
  std::string out = table.Print(style);
  if (lines.size() > most) {
    out += fmt::format("... and {} more: --detail shows all\n", Thousands(lines.size() - most));
  }
  return out;
}

void WriteHistoryJson(const JobHistory& history, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("job", history.job);
  json.Key("history").Array();
  for (const Line& line : LinesOf(history)) {
    if (line.run != nullptr) {
      WriteRunRow(json, *line.run);
      continue;
    }
    const jobs::Event& event = *line.event;
    json.Object().TimeField("at", event.at).TimeField("slot", event.slot);
    json.Field("outcome", event.outcome).Field("rows", event.rows).Optional("why", event.why).End();
  }
  json.End().End();
}

std::string RenderEvidence(const std::string& run, const jobs::Evidence& evidence,
                           const Style& style) {
  std::string out = Painted(Paint::kBold, "Run " + Safe(run, style), style) + "\n";
  const auto lines = [&](const char* word, Paint paint, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      out += fmt::format("  {}  {}\n", Painted(paint, word, style), Safe(text, style));
    }
  };
  lines("wrong  ", Paint::kLess, evidence.faults);
  lines("not sent", Paint::kWarn, evidence.unsent);
  lines("not kept", Paint::kWarn, evidence.missing);
  lines("holds  ", Paint::kMore, evidence.checked);
  return out;
}

void WriteEvidenceJson(const std::string& id, uint64_t sequence, const jobs::Evidence& evidence,
                       std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("run", id);
  if (sequence != 0) json.Field("sequence", sequence);
  json.Field("holds", evidence.faults.empty());
  json.Strings("wrong", evidence.faults).Strings("not_kept", evidence.missing);
  json.Strings("not_sent", evidence.unsent).Strings("checked", evidence.checked).End();
}

}  // namespace postern::view
