#include "core/view/import_history.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/view/json_writer.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using jobs::Decision;
using jobs::FileState;
using jobs::ImportRunRow;

// A file or an event, whichever came then.
struct Line {
  base::Instant at = 0;
  const ImportRunRow* run = nullptr;
  const jobs::Event* event = nullptr;
};

base::Instant MomentOf(const ImportRunRow& run) {
  if (run.file.ended != 0) return run.file.ended;
  return run.file.taken_at != 0 || run.decisions.empty() ? run.file.taken_at
                                                         : run.decisions.back().at;
}

std::vector<Line> LinesOf(const ImportHistory& history) {
  std::vector<Line> lines;
  for (const ImportRunRow& run : history.runs) lines.push_back({MomentOf(run), &run, nullptr});
  for (const jobs::Event& event : history.events) lines.push_back({event.at, nullptr, &event});
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.at > b.at; });
  return lines;
}

std::string StateOf(const ImportRunRow& run) {
  if (!run.kept) return "not kept";
  return run.file.state == FileState::kDone ? "applied" : std::string(ToString(run.file.state));
}

uint64_t Received(const ImportRunRow& run) {
  return run.file.counts.rows + run.file.counts.refused;
}

std::string TookOf(const jobs::FileOutcome& file) {
  if (file.fetched_at == 0 || file.ended < file.fetched_at) return "";
  return Took(file.ended - file.fetched_at);
}

std::string SignatureOf(const Decision& decision) {
  if (!decision.signature) return "";
  if (decision.signature->releaser == decision.event.who) return "signature holds";
  if (decision.signature->of_unknown_key) return "signature by a key that no releaser has now";
  return "SIGNATURE DOESN'T HOLD: " + (decision.signature->why.empty()
                                           ? "it is that of " + decision.signature->releaser
                                           : decision.signature->why);
}

// "by zoe: the night shift ended; signature holds"
std::string WhoAndWhy(const Decision& decision) {
  const ledger::JobEvent& event = decision.event;
  // The note of a release says who gave the signature in, which is nobody's word on it.
  const std::string& why = event.what == "released" ? event.reason : event.note;
  std::string out = "by " + event.who;
  if (!why.empty()) out += ": " + why;
  if (event.locked_seconds) {
    out += fmt::format("; locked {} after the fetch",
                       Took(static_cast<base::Instant>(*event.locked_seconds)));
  }
  const std::string signature = SignatureOf(decision);
  return signature.empty() ? out : out + "; " + signature;
}

void AddRows(const ImportRunRow& run, Table* table) {
  const jobs::FileOutcome& file = run.file;
  table->Row({Moment(MomentOf(run)), file.run, StateOf(run),
              run.kept ? Thousands(Received(run)) : "",
              run.kept ? Thousands(file.counts.refused) : "",
              file.bytes == 0 ? "" : Thousands(file.bytes), TookOf(file),
              file.reasons.empty() || file.state == FileState::kHeld
                  ? file.name
                  : fmt::format("{}: {}", file.name, fmt::join(file.reasons, "; "))});
  for (const Decision& decision : run.decisions) {
    table->Row({Moment(decision.at), "", decision.event.what, "", "", "", "", WhoAndWhy(decision)});
  }
}

void WriteDecision(JsonWriter& json, const Decision& decision) {
  const ledger::JobEvent& event = decision.event;
  json.Object().TimeField("at", decision.at).Field("what", event.what).Field("who", event.who);
  json.Optional("reason", event.reason).Optional("note", event.note);
  json.Optional("plan_digest", event.plan_digest).Optional("file_sha256", event.file_sha256);
  if (event.locked_seconds) json.Field("locked_seconds", *event.locked_seconds);
  if (decision.signature) {
    json.Field("signature_holds", decision.signature->releaser == event.who);
    json.Optional("signature_why", decision.signature->why);
  }
  json.End();
}

void WriteRun(JsonWriter& json, const ImportRunRow& run) {
  const jobs::FileOutcome& file = run.file;
  json.Object().Field("run", file.run).TimeField("at", MomentOf(run));
  json.Field("outcome", StateOf(run)).Optional("file", file.name);
  json.Optional("sha256", file.sha256).Field("bytes", file.bytes);
  const bool held = file.state == FileState::kHeld;
  json.Field("received_rows", Received(run)).Field("refused_rows", file.counts.refused);
  json.Field("held_rows", held ? file.counts.rows : 0);
  json.Field("new", file.counts.create).Field("changed", file.counts.change);
  json.Field("disabled", file.counts.disable).Field("back", file.counts.back);
  json.Strings("reasons", file.reasons).Optional("plan_digest", file.plan_digest);
  json.Optional("started_by", file.started_by).Strings("behind", file.behind);
  for (const auto& [name, at] :
       {std::pair("taken_at", file.taken_at), std::pair("fetched_at", file.fetched_at),
        std::pair("locked_at", file.locked_at)}) {
    if (at != 0) json.TimeField(name, at);
  }
  if (const auto seconds = LockedSeconds(file)) json.Field("locked_seconds", *seconds);
  json.Key("decisions").Array();
  for (const Decision& decision : run.decisions) WriteDecision(json, decision);
  json.End().End();
}

}  // namespace

std::string RenderImportHistory(const ImportHistory& history, size_t most, const Style& style) {
  const std::vector<Line> lines = LinesOf(history);
  if (lines.empty()) return Safe(history.job, style) + " has not run yet.\n";
  Table table({"when", "run", "state", "rows", "refused", "bytes", "took", "file"});
  for (size_t i = 0; i < std::min(most, lines.size()); ++i) {
    const Line& line = lines[i];
    if (line.run != nullptr) {
      AddRows(*line.run, &table);
    } else {
      table.Row({Moment(line.at), "", line.event->outcome, "", "", "", "", line.event->why});
    }
  }
  std::string out = table.Print(style);
  if (lines.size() > most) {
    out += fmt::format("... and {} more: --detail shows all\n", Thousands(lines.size() - most));
  }
  return out;
}

void WriteImportHistoryJson(const ImportHistory& history, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Field("job", history.job);
  json.Key("history").Array();
  for (const Line& line : LinesOf(history)) {
    if (line.run != nullptr) {
      WriteRun(json, *line.run);
      continue;
    }
    json.Object().TimeField("at", line.at).Field("outcome", line.event->outcome);
    json.Optional("why", line.event->why).End();
  }
  json.End().End();
}

}  // namespace postern::view
