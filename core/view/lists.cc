#include "core/view/lists.h"

#include <fmt/format.h>

#include "core/compile/identity.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using ledger::ApplyRow;

std::string ResultOf(const ApplyRow& apply) {
  return apply.finished == 0 ? "open" : apply.result;
}

std::string Confirmed(const ApplyRow& apply) {
  std::string text =
      fmt::format("{} of {}", Thousands(apply.outcomes - std::min(apply.failed, apply.outcomes)),
                  Count(apply.intents, "step"));
  return text;
}

}  // namespace

std::string RenderApplies(const std::vector<ApplyRow>& applies, const Style& style) {
  if (applies.empty()) return "Nothing has been applied yet.\n";
  Table table({"apply", "started", "by", "commit", "result", "confirmed", "what"});
  for (const ApplyRow& apply : applies) {
    table.Row({fmt::format("{}", apply.apply), Moment(apply.started), apply.who,
               apply.revision.substr(0, 7), ResultOf(apply), Confirmed(apply), apply.summary});
  }
  return table.Print(style);
}

std::string RenderApply(const ApplyRow& apply, const Style& style) {
  Table table;
  const auto row = [&](const char* name, const std::string& value) {
    if (!value.empty()) table.Row({name, value});
  };
  row("started", Moment(apply.started));
  row("finished", apply.finished == 0 ? "not yet, or it was stopped" : Moment(apply.finished));
  row("by", apply.who);
  row("commit", apply.revision);
  row("result", ResultOf(apply));
  row("confirmed", Confirmed(apply));
  row("generation", apply.generation == 0 ? "none" : Thousands(apply.generation));
  row("plan", apply.plan_digest);
  row("intent", apply.intent_digest);
  row("what", apply.summary);
  return Painted(Paint::kBold, fmt::format("Apply {}", apply.apply), style) + "\n" +
         table.Print(style, 2);
}

void WriteApply(JsonWriter& json, const ApplyRow& apply) {
  json.Object().Field("apply", apply.apply).TimeField("started", apply.started);
  json.TimeField("finished", apply.finished).Field("result", ResultOf(apply));
  json.Field("who", apply.who).Optional("revision", apply.revision);
  json.Field("summary", apply.summary).Field("plan_digest", apply.plan_digest);
  json.Field("intent_digest", apply.intent_digest).Field("generation", apply.generation);
  json.Field("intents", apply.intents).Field("outcomes", apply.outcomes);
  json.Field("failed", apply.failed).End();
}

void WriteAppliesJson(const std::vector<ApplyRow>& applies, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Key("applies").Array();
  for (const ApplyRow& apply : applies) WriteApply(json, apply);
  json.End().End();
}

std::string RenderProviders(const std::vector<ProviderLine>& lines, const Style& style) {
  if (lines.empty()) return "No target is declared in the operator's file.\n";
  Table table({"target", "address", "provider"});
  for (const ProviderLine& line : lines) table.Row({line.target, line.address, line.program});
  return table.Print(style);
}

// How the target is spoken to, and who says so.
std::string SettingsOf(const object::Probe& probe, const Style& style) {
  if (probe.settings.empty()) return "";
  Table table({"setting", "value", "from", "why"});
  for (const object::Setting& setting : probe.settings) {
    table.Row({setting.name, setting.value, setting.origin, setting.why});
  }
  return table.Print(style, 2);
}

std::string RenderDoctor(const std::vector<ProviderLine>& lines, const Style& style) {
  std::string out;
  size_t needs = 0;
  for (const ProviderLine& line : lines) {
    out += Painted(Paint::kBold, Safe(line.target, style), style);
    if (!line.reached) {
      out +=
          "  " + Painted(Paint::kLess, "no answer", style) + ": " + Safe(line.error, style) + "\n";
      ++needs;
      continue;
    }
    const std::string& version = line.probe.product_version;
    const std::string& identity = line.probe.identity;
    // A host without servers, on which jobs run, is no product.
    out += line.probe.product.empty() ? "  reached" : "  " + Safe(line.probe.product, style);
    out += (version.empty() ? "" : " ") + Safe(version, style);
    out += (identity.empty() ? "" : ", as " + Safe(identity, style)) + "\n";
    for (const object::Check& check : line.probe.checks) {
      out += fmt::format(
          "  {} {}{}\n",
          check.ok ? Painted(Paint::kMore, "ok   ", style) : Painted(Paint::kLess, "needs", style),
          Safe(check.name, style), check.found.empty() ? "" : ": " + Safe(check.found, style));
      if (check.ok) continue;
      ++needs;
      if (!check.where.empty()) out += "        add to " + Safe(check.where, style) + ":\n";
      for (const std::string& add : check.lines_to_add)
        out += "          " + Safe(add, style) + "\n";
    }
    out += SettingsOf(line.probe, style);
  }
  return out + (needs == 0 ? "Every target is ready.\n" : Count(needs, "thing") + " to mend.\n");
}

void WriteProvidersJson(const std::vector<ProviderLine>& lines, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").Key("targets").Array();
  for (const ProviderLine& line : lines) {
    json.Object().Field("target", line.target).Field("address", line.address);
    json.Field("provider", line.program);
    if (line.asked) {
      json.Field("reached", line.reached).Optional("error", line.error);
      json.Optional("product", line.probe.product);
      json.Optional("version", line.probe.product_version);
      json.Optional("identity", line.probe.identity).Key("checks").Array();
      for (const object::Check& check : line.probe.checks) {
        json.Object().Field("name", check.name).Field("ok", check.ok);
        json.Optional("found", check.found).Optional("where", check.where);
        json.Strings("lines_to_add", check.lines_to_add).End();
      }
      json.End();
      if (!line.probe.settings.empty()) {
        json.Key("settings").Array();
        for (const object::Setting& setting : line.probe.settings) {
          json.Object().Field("name", setting.name).Field("value", setting.value);
          json.Field("from", setting.origin).Optional("why", setting.why).End();
        }
        json.End();
      }
    }
    json.End();
  }
  json.End().End();
}

namespace {

void AddBody(const Story& story, std::string_view body, const Style& style, std::string* out) {
  for (const std::string& line : BodyLines(story.kind, body)) {
    *out += "            " + Safe(line, style) + "\n";
  }
}

std::string DeclaredText(const Story& story, const Style& style) {
  if (story.wanted == nullptr) return "  declared  nowhere\n";
  std::string out;
  for (size_t i = 0; i < story.sources.size(); ++i) {
    const compile::Provenance& source = story.sources[i];
    std::string text = story.places[i].empty() ? source.owner : story.places[i];
    if (!source.ticket.empty()) text += ", " + source.ticket;
    if (!source.reason.empty()) text += ", " + source.reason;
    if (source.until != base::kForever) {
      text += ", until " + Moment(source.until) + " (closed by " +
              (source.closer.empty() ? "nobody" : source.closer) + ")";
    }
    out += (i == 0 ? "  declared  " : "            ") + Safe(text, style) + "\n";
  }
  AddBody(story, story.wanted->body, style, &out);
  return out;
}

// "role:staff (ann in hr)": the source's own id of somebody is for the JSON.
std::string OwnerText(const std::string& owner) {
  const std::string identity(compile::IdentityInOwner(owner));
  if (compile::SplitFactIdentity(identity).target.empty()) return owner;
  const Who who = WhoIs(identity);
  return owner.substr(0, owner.find(" (")) + " (" + who.name + " " + who.type + ")";
}

std::string RecordedText(const Story& story, const Style& style) {
  if (!story.recorded) return "  recorded  no: Postern has never applied it\n";
  const ledger::Recorded& recorded = *story.recorded;
  std::string out =
      fmt::format("  recorded  in generation {}, for {}\n", Thousands(recorded.generation),
                  Safe(OwnerText(recorded.owner), style));
  if (recorded.retired_at != 0)
    out += "            locked since " + Moment(recorded.retired_at) + "\n";
  AddBody(story, recorded.body, style, &out);
  return out;
}

std::string LiveText(const Story& story, const Style& style) {
  switch (story.live) {
    case Story::Live::kNotAsked:
      return "  live      not asked: " + Safe(story.live_reason, style) + "\n";
    case Story::Live::kAbsent:
      return "  live      absent\n";
    case Story::Live::kUnreadable:
      return "  live      could not be read: " + Safe(story.live_reason, style) + "\n";
    case Story::Live::kValue:
      break;
  }
  std::string out =
      "  live      " +
      Safe(ChangedBy(story.object.changed_by, story.object.changed_at, story.object.how_known),
           style) +
      "\n";
  AddBody(story, story.object.body, style, &out);
  return out;
}

// The fact behind a replaced account tells who comes, not why the one before goes.
std::string WhyText(const plan::Change& change) {
  const bool given_on =
      change.action == plan::Action::kReplace && change.reason == plan::Reason::kFact;
  if (given_on) return "its login is another person's now; " + change.cause;
  return change.cause.empty() ? std::string(WhyOf(change.reason)) : change.cause;
}

}  // namespace

std::string RenderStory(const Story& story, const Style& style) {
  std::string out =
      Painted(Paint::kBold, Safe(object::Describe(story.kind, story.key), style), style) + " (" +
      Safe(story.target, style) + ")\n";
  out += DeclaredText(story, style) + RecordedText(story, style) + LiveText(story, style);
  if (story.change == nullptr) {
    const bool settled = story.live == Story::Live::kValue || story.live == Story::Live::kAbsent;
    return out + (settled ? "  plan      leaves it as it is\n" : "");
  }
  out += fmt::format("  plan      {}: {}\n", plan::NameOf(story.change->action),
                     Safe(WhyText(*story.change), style));
  for (const object::FieldDifference& field : story.change->fields) {
    const auto text = [&](bool has, const std::string& value) {
      if (!has) return std::string("(not set)");
      return field.secret ? "(secret)" : Safe(ValueText(story.kind, field.name, value), style);
    };
    out += fmt::format("            {}: {} {} {}\n", Safe(field.name, style),
                       text(field.has_before, field.before), style.arrow(),
                       text(field.has_after, field.after));
  }
  if (!story.change->held.empty())
    out += "            held: " + Safe(story.change->held, style) + "\n";
  return out;
}

void WriteStoryJson(JsonWriter& json, const Story& story) {
  json.Object().Field("target", story.target);
  json.Field("kind", object::NameOf(story.kind));
  json.Field("address", object::Address(story.kind, story.key));
  json.Key("declared");
  if (story.wanted == nullptr) {
    json.Null();
  } else {
    json.Object().Strings("places", story.places).Key("value");
    WriteBody(json, story.kind, story.wanted->body);
    json.End();
  }
  json.Key("recorded");
  if (!story.recorded) {
    json.Null();
  } else {
    json.Object().Field("generation", story.recorded->generation);
    json.Field("owner", story.recorded->owner).Key("value");
    WriteBody(json, story.kind, story.recorded->body);
    json.End();
  }
  constexpr std::string_view kLive[] = {"not-asked", "value", "absent", "unreadable"};
  json.Key("live").Object().Field("answer", kLive[static_cast<size_t>(story.live)]);
  json.Optional("reason", story.live_reason);
  if (story.live == Story::Live::kValue) {
    json.Key("value");
    WriteBody(json, story.kind, story.object.body);
    json.Optional("changed_by", story.object.changed_by);
    if (story.object.changed_at != 0) json.TimeField("changed_at", story.object.changed_at);
  }
  json.End().Key("plan");
  if (story.change == nullptr) {
    json.Null();
  } else {
    json.Object().Field("action", plan::NameOf(story.change->action));
    json.Field("reason", plan::NameOf(story.change->reason));
    json.Optional("held", story.change->held).End();
  }
  json.End();
}

}  // namespace postern::view
