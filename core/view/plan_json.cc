#include "core/view/plan_json.h"

#include "core/view/drift.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using plan::Change;
using plan::Plan;

std::string_view StatusName(diag::Severity severity) {
  constexpr std::string_view kNames[] = {"error", "warning", "note"};
  return kNames[static_cast<size_t>(severity)];
}

void WriteSide(JsonWriter& json, std::string_view name,
               const std::vector<access::AccessChange>& lines,
               const std::map<std::pair<std::string, std::string>, compile::Provenance>* by) {
  json.Key(name).Array();
  for (const access::AccessChange& line : lines) {
    json.Object();
    json.Field("identity", line.identity).Field("target", line.place.target);
    json.Optional("server", line.place.server).Field("account", line.account);
    json.Optional("path", line.path);
    if (!line.path.empty()) json.Field("depth", access::NameOf(line.depth));
    json.Key("rights").Array();
    for (int i = 0; i < access::kRightCount; ++i) {
      const auto right = static_cast<access::Right>(i);
      if (line.rights.Has(right)) json.Value(access::NameOf(right));
    }
    json.End().Field("everything", line.everything).Optional("through", line.through);
    json.Optional("elsewhere", line.elsewhere);
    const auto at = by == nullptr ? decltype(by->end()){} : by->find({line.identity, line.path});
    if (by != nullptr && at != by->end()) {
      const compile::Provenance& provenance = at->second;
      json.Optional("owner", provenance.owner).Optional("ticket", provenance.ticket);
      json.Optional("reason", provenance.reason).TimeField("until", provenance.until);
      json.Optional("closer", provenance.closer);
    }
    json.End();
  }
  json.End();
}

void WriteDelta(JsonWriter& json, std::string_view name, const access::AccessDelta& delta,
                const Plan* plan) {
  json.Key(name).Object();
  WriteSide(json, "lost", delta.lost, plan == nullptr ? nullptr : &plan->lost_by);
  WriteSide(json, "gained", delta.gained, plan == nullptr ? nullptr : &plan->gained_by);
  if (!delta.still.empty()) WriteSide(json, "still", delta.still, nullptr);
  if (!delta.already.empty()) WriteSide(json, "already", delta.already, nullptr);
  json.End();
}

void WriteFields(JsonWriter& json, const Change& change) {
  json.Key("fields").Array();
  for (const object::FieldDifference& field : change.fields) {
    json.Object().Field("name", field.name);
    const auto value = [&](std::string_view key, bool has, const std::string& text) {
      json.Key(key);
      if (!has) {
        json.Null();
      } else {
        json.Value(field.secret ? "(secret)" : ValueText(change.kind, field.name, text));
      }
    };
    value("before", field.has_before, field.before);
    value("after", field.has_after, field.after);
    json.End();
  }
  json.End();
}

void WriteChange(JsonWriter& json, const Plan& plan, const Change& change) {
  json.Object();
  WriteAddress(json, plan.targets[change.target].name, change.kind, change.key);
  json.Field("action", plan::NameOf(change.action)).Field("reason", plan::NameOf(change.reason));
  WriteBodyField(json, "before", change.kind, change.before);
  WriteBodyField(json, "after", change.kind, change.after);
  WriteFields(json, change);
  if (!change.old_key.empty())
    json.Field("old_address", object::Address(change.kind, change.old_key));
  json.Optional("id", change.id).Optional("owner", change.owner).Optional("place", change.place);
  json.Optional("changed_by", change.changed_by).Optional("how_known", change.how_known);
  if (change.changed_at != 0) json.TimeField("changed_at", change.changed_at);
  if (change.retired_at != 0) json.TimeField("locked_since", change.retired_at);
  json.Optional("held", change.held).Optional("cause", change.cause).End();
}

void WriteStep(JsonWriter& json, const Plan& plan, const plan::Step& step) {
  json.Object().Field("id", step.id).Field("change", step.change);
  const Change& change = plan.changes[step.change];
  WriteAddress(json, plan.targets[change.target].name, step.operation.kind, step.operation.key);
  json.Field("phase", plan::NameOf(step.phase)).Optional("container", step.container);
  json.Field("removes_access", step.removes).Field("adds_access", step.adds);
  json.Field("component", step.component);
  if (!step.needs.empty()) {
    json.Key("needs").Array();
    for (const uint64_t need : step.needs) json.Value(need);
    json.End();
  }
  json.End();
}

void WriteFacts(JsonWriter& json, const Plan& plan) {
  if (plan.facts.empty()) return;
  json.Key("facts").Array();
  for (const plan::FactSummary& fact : plan.facts) {
    json.Object().Field("source", fact.target).Field("users", fact.count);
    if (fact.at != 0) json.TimeField("seen", fact.at);
    json.Field("decides", fact.held.empty()).Optional("held", fact.held);
    json.Field("roles_as_recorded", fact.roles);
    json.Field("identities_as_recorded", fact.identities).End();
  }
  json.End().Key("role_notes").Array();
  for (const plan::RoleNote& note : plan.role_notes) {
    json.Object().Field("role", note.role).Field("identity", note.identity);
    json.Field("why", note.why).Field("held", note.held).Optional("place", note.place).End();
  }
  json.End();
}

void WriteDisclosures(JsonWriter& json, const Plan& plan) {
  if (plan.disclosures.empty()) return;
  json.Key("disclosures").Array();
  for (const plan::Disclosure& line : plan.disclosures) {
    json.Object().Field("side", line.gained ? "gained" : "lost").Field("identity", line.identity);
    json.Field("job", line.job).Field("endpoint", line.endpoint).Field("file", line.file);
    json.Field("rows", line.rows).Key("columns").Array();
    for (const std::string& column : line.columns) json.Value(column);
    json.End().Strings("encrypted_for", line.recipients);
    json.Optional("folder", line.folder).Field("address", line.address);
    json.Optional("answers_with", line.trust);
    if (line.count) json.Field("count", *line.count);
    json.Field("reason", plan::NameOf(line.reason)).Optional("place", line.place).End();
  }
  json.End();
}

void WriteIntakes(JsonWriter& json, const Plan& plan) {
  if (plan.intakes.empty()) return;
  json.Key("intakes").Array();
  for (const plan::Intake& line : plan.intakes) {
    json.Object().Field("side", line.gained ? "gained" : "lost").Field("owner", line.owner);
    json.Strings("writers", line.writers).Field("job", line.job).Field("from", line.from);
    json.Field("address", line.address).Optional("answers_with", line.trust);
    json.Strings("may", line.may).Field("people", line.people);
    json.Strings("attributes", line.attributes).Strings("held_beyond", line.held_beyond);
    json.Optional("signed_by", line.signer);
    json.Field("reason", plan::NameOf(line.reason)).Optional("place", line.place).End();
  }
  json.End();
}

void WriteHead(JsonWriter& json, const Plan& plan) {
  json.Field("format_version", kPlanFormat);
  json.Field("name", plan::ShortName(plan)).Field("intent", base::Hex(plan.intent));
  json.TimeField("created", plan.created).TimeField("as_of", plan.as_of);
  json.Field("as_of_given", plan.as_of_given).Optional("revision", plan.revision);
  json.Field("ledger", plan.ledger_id).Field("generation", plan.generation);
  json.Field("declarations_digest", plan.declarations_digest);
  json.Field("empty", plan.empty()).Field("applyable", !plan.empty() && plan.refusals.empty());
  json.Field("observed_all", plan.observed_all()).Field("held", plan.held());
}

void WriteFindings(JsonWriter& json, const Plan& plan) {
  json.Key("drift").Array();
  for (const plan::Drift& drift : plan.drift) WriteDrift(json, plan, drift);
  json.End().Key("looks").Array();
  for (const plan::Look& look : plan.looks) {
    json.Object().Field("what", look.what).Optional("detail", look.detail);
    json.Optional("place", look.place).End();
  }
  json.End().Key("limits").Array();
  for (const plan::LimitUse& use : plan.limits) {
    json.Object().Field("target", use.target).Field("limit", use.limit);
    if (use.limit != "lose_people") json.Field("kind", object::NameOf(use.kind));
    json.Field("used", use.used).Field("population", use.population);
    json.Field("allowed", use.allowed).Field("rule", use.rule).Field("by_operator", use.given);
    json.Field("exceeded", use.exceeded()).Optional("place", use.place).End();
  }
  json.End().Key("refusals").Array();
  for (const plan::Refusal& refusal : plan.refusals) {
    json.Object().Field("target", refusal.target).Field("limit", refusal.limit);
    json.Field("text", refusal.text).Optional("place", refusal.place).End();
  }
  json.End().Key("open_intents").Array();
  for (const ledger::OpenIntent& open : plan.open_intents) {
    json.Object().Field("apply", open.apply).Field("step", open.intent.step);
    WriteAddress(json, open.intent.target, open.intent.kind, open.intent.key);
    json.Field("phase", open.intent.phase).TimeField("since", open.at).End();
  }
  json.End();
}

void WriteReadSet(JsonWriter& json, const Plan& plan) {
  json.Key("read_set").Array();
  for (const plan::Expectation& expected : plan.read_set) {
    json.Object();
    WriteAddress(json, expected.target, expected.kind, expected.key);
    json.Field("present", expected.present).Optional("digest", expected.digest);
    json.Optional("after", expected.after);
    if (expected.after_absent) json.Field("after_absent", true);
    json.End();
  }
  json.End();
}

}  // namespace

void WriteAddress(JsonWriter& json, std::string_view target, object::Kind kind,
                  std::string_view key) {
  json.Field("target", target).Field("kind", object::NameOf(kind));
  json.Field("address", object::Address(kind, key));
}

void WriteDrift(JsonWriter& json, const Plan& plan, const plan::Drift& drift) {
  json.Object();
  WriteAddress(json, plan.targets[drift.target].name, drift.kind, drift.key);
  json.Field("type", TypeName(drift.type)).Field("effect", EffectName(drift.effect));
  json.Field("what", drift.what).Optional("who", drift.who);
  json.Optional("changed_by", drift.changed_by).Optional("how_known", drift.how_known);
  if (drift.changed_at != 0) json.TimeField("changed_at", drift.changed_at);
  json.Optional("note", drift.note);
  if (!drift.access.empty()) WriteDelta(json, "access", drift.access, nullptr);
  json.End();
}

void WriteTarget(JsonWriter& json, const plan::TargetSummary& target) {
  json.Object().Field("name", target.name).Field("reached", target.reached);
  json.Optional("error", target.error).Optional("product", target.product);
  json.Optional("version", target.version).Field("took_ms", target.took.count());
  json.Key("counts").Object();
  for (const auto& [kind, count] : target.counts) json.Field(kind, count);
  json.End().Strings("incomplete", target.incomplete);
  if (!target.unstable.empty()) json.Strings("unstable", target.unstable);
  json.Field("unreadable_fields", target.unreadable_fields);
  json.Key("concurrency").Object();
  for (const auto& [kind, type] : target.concurrency) json.Field(kind, type);
  json.End().Field("identities", target.people).End();
}

void WriteDiagnostics(JsonWriter& json, const diag::Diagnostics& diagnostics,
                      const diag::Sources& sources) {
  json.Key("diagnostics").Array();
  for (const diag::Diagnostic& d : diagnostics.all()) {
    json.Object().Field("severity", StatusName(d.severity)).Field("code", d.code);
    json.Field("summary", d.summary).Optional("subject", d.subject);
    if (d.span.known()) {
      json.Field("file", sources.path(d.span.file)).Field("line", d.span.line);
      json.Field("column", d.span.column);
    }
    json.Optional("label", d.label).Strings("notes", d.notes).End();
  }
  json.End();
}

void WritePlanJson(const Plan& plan, const diag::Diagnostics* diagnostics,
                   const diag::Sources* sources, std::ostream& out) {
  JsonWriter json(out);
  json.Object();
  WriteHead(json, plan);
  json.Key("targets").Array();
  for (const plan::TargetSummary& target : plan.targets) WriteTarget(json, target);
  json.End();
  WriteFacts(json, plan);
  WriteDisclosures(json, plan);
  WriteIntakes(json, plan);
  WriteDelta(json, "access", plan.delta, &plan);
  WriteDelta(json, "held_access", plan.held_delta, nullptr);
  json.Key("changes").Array();
  for (const Change& change : plan.changes) WriteChange(json, plan, change);
  json.End().Key("steps").Array();
  for (const plan::Step& step : plan.steps) WriteStep(json, plan, step);
  json.End();
  WriteFindings(json, plan);
  WriteReadSet(json, plan);
  if (diagnostics != nullptr && sources != nullptr) {
    WriteDiagnostics(json, *diagnostics, *sources);
  }
  json.End();
}

}  // namespace postern::view
