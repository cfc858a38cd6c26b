#include "core/view/events.h"

#include <fmt/format.h>

#include "core/view/lists.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using ledger::Came;
using ledger::Finished;
using ledger::Intended;
using ledger::Started;

constexpr size_t kFirst = 30;

std::string Text(const ledger::Parsed& parsed) {
  if (const auto* intended = std::get_if<Intended>(&parsed)) {
    const ledger::Intent& intent = intended->intent;
    return fmt::format("step {}: {} {} on {}", intent.step, intent.phase,
                       object::Describe(intent.kind, intent.key), intent.target);
  }
  if (const auto* came = std::get_if<Came>(&parsed)) {
    return fmt::format("step {}: {}{}{}", came->outcome.step, came->outcome.status,
                       came->outcome.message.empty() ? "" : ": ", came->outcome.message);
  }
  if (const auto* finished = std::get_if<Finished>(&parsed)) return finished->result;
  const auto* started = std::get_if<Started>(&parsed);
  return started == nullptr ? "" : "by " + started->start.who;
}

void Write(JsonWriter& json, const Started& started) {
  json.Field("apply", started.apply).Field("who", started.start.who);
  json.Optional("revision", started.start.revision).Field("summary", started.start.summary);
  json.Field("plan_digest", started.start.plan_digest);
  json.Field("intent_digest", started.start.intent_digest);
}

void Write(JsonWriter& json, const Intended& intended) {
  const ledger::Intent& intent = intended.intent;
  json.Field("apply", intended.apply).Field("step", intent.step).Field("phase", intent.phase);
  json.Field("target", intent.target).Field("kind", object::NameOf(intent.kind));
  json.Field("address", object::Address(intent.kind, intent.key)).Optional("owner", intent.owner);
  WriteBodyField(json, "before", intent.kind, intent.before);
  WriteBodyField(json, "after", intent.kind, intent.after);
}

void Write(JsonWriter& json, const Came& came) {
  const ledger::Outcome& outcome = came.outcome;
  json.Field("apply", came.apply).Field("step", outcome.step).Field("status", outcome.status);
  json.Optional("message", outcome.message).Field("target", outcome.target);
  if (outcome.record) {
    const ledger::Recorded& record = *outcome.record;
    json.Key("recorded").Object().Field("kind", object::NameOf(record.kind));
    json.Field("address", object::Address(record.kind, record.key));
    json.Optional("id", record.id).Optional("owner", record.owner);
    if (record.retired_at != 0) json.TimeField("locked_since", record.retired_at);
    json.Key("value");
    WriteBody(json, record.kind, record.body);
    json.End();
  }
  if (outcome.erase) {
    json.Field("erased", object::Address(outcome.erase->kind, outcome.erase->key));
  }
}

void Write(JsonWriter& json, const Finished& finished) {
  json.Field("apply", finished.apply).Field("result", finished.result);
  if (finished.generation != 0) json.Field("generation", finished.generation);
}

void WriteEvent(JsonWriter& json, const ReadEvent& read) {
  json.Object().Field("sequence", read.event.sequence).TimeField("at", read.event.at);
  json.Field("hash", base::Hex(read.event.hash)).Field("type", read.event.type);
  if (const auto* started = std::get_if<Started>(&read.parsed)) Write(json, *started);
  if (const auto* intended = std::get_if<Intended>(&read.parsed)) Write(json, *intended);
  if (const auto* came = std::get_if<Came>(&read.parsed)) Write(json, *came);
  if (const auto* finished = std::get_if<Finished>(&read.parsed)) Write(json, *finished);
  json.End();
}

}  // namespace

std::optional<uint64_t> ApplyOf(const ledger::Parsed& parsed) {
  if (const auto* started = std::get_if<Started>(&parsed)) return started->apply;
  if (const auto* intended = std::get_if<Intended>(&parsed)) return intended->apply;
  if (const auto* came = std::get_if<Came>(&parsed)) return came->apply;
  if (const auto* finished = std::get_if<Finished>(&parsed)) return finished->apply;
  return std::nullopt;
}

std::string RenderEvents(const std::vector<ReadEvent>& events, bool detail, const Style& style) {
  Table table;
  const size_t most = detail ? events.size() : kFirst;
  for (size_t i = 0; i < events.size() && i < most; ++i) {
    const ledger::Event& event = events[i].event;
    table.Row({fmt::format("{}", event.sequence), base::FormatInstant(event.at), event.type,
               Text(events[i].parsed)});
  }
  std::string out = table.Print(style, 2);
  if (events.size() > most) {
    out += fmt::format("  ... and {} more events: --detail shows all\n",
                       Thousands(events.size() - most));
  }
  return out;
}

void WriteApplyJson(const ledger::ApplyRow& apply, const std::vector<ReadEvent>& events,
                    std::ostream& out) {
  JsonWriter json(out);
  WriteApply(json.Object().Field("format_version", "1.0").Key("apply"), apply);
  json.Key("events").Array();
  for (const ReadEvent& event : events) WriteEvent(json, event);
  json.End().End();
}

}  // namespace postern::view
