#include "core/view/drift.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/diag/text.h"
#include "core/view/plan_json.h"
#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using plan::Drift;
using plan::Plan;

constexpr size_t kLabelWidth = 13;

struct Tally {
  size_t changed = 0, foreign = 0, missing = 0, other = 0;
};

std::string TallyText(const Tally& tally) {
  std::string out;
  const auto add = [&out](size_t count, std::string_view word) {
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", Thousands(count), word);
  };
  add(tally.changed, "changed");
  add(tally.missing, "missing");
  add(tally.foreign, "foreign");
  add(tally.other, "not computable");
  return out.empty() ? "clean" : out;
}

// More access first, then less, then what is foreign or has no effect on access.
int Rank(const Drift& drift) {
  if (drift.effect == Drift::Effect::kMore) return 0;
  if (drift.effect == Drift::Effect::kLess) return 1;
  if (drift.type == Drift::Type::kForeign) return 2;
  return drift.effect == Drift::Effect::kUnknown ? 3 : 4;
}

// A key, a member or a grant that nobody declared is access added to something of ours.
bool IsStranger(const Drift& drift) {
  return drift.type == Drift::Type::kForeign && drift.kind != object::Kind::kNativeRule &&
         (drift.effect != Drift::Effect::kMore || drift.kind == object::Kind::kAccount ||
          drift.kind == object::Kind::kUser || drift.kind == object::Kind::kIamUser);
}

std::string_view Label(const Drift& drift) {
  if (IsStranger(drift)) return "foreign";
  if (drift.type == Drift::Type::kReplaced) return "replaced";
  switch (drift.effect) {
    case Drift::Effect::kMore:
      return "more access";
    case Drift::Effect::kLess:
      return "less access";
    case Drift::Effect::kUnknown:
      return "unknown";
    case Drift::Effect::kEqual:
      break;
  }
  return "same access";
}

Paint PaintOf(const Drift& drift) {
  if (drift.effect == Drift::Effect::kMore) return Paint::kLess;  // red: it should not be there
  return drift.effect == Drift::Effect::kEqual ? Paint::kDim : Paint::kWarn;
}

// A group says so: nothing else of the line tells it from a person of the same name.
std::string SubjectText(const Drift& drift, const Style& style) {
  const Who who = WhoIs(drift.who);
  return Safe(who.type == "group" ? "group " + who.name : who.name, style);
}

// The column of subjects: a longer name has a line of its own, never dots in place of its end.
constexpr size_t kWidestSubject = 28;

std::vector<std::string> DriftLines(const Drift& drift, size_t who_width, const Style& style) {
  const std::string who = SubjectText(drift, style);
  const bool wide = static_cast<size_t>(diag::WidthOf(who)) > who_width;
  const std::string head = "  " + Painted(PaintOf(drift), Pad(Label(drift), kLabelWidth), style) +
                           (wide ? who : Pad(who, who_width) + "  ");
  const size_t indent = 2 + kLabelWidth + who_width + 2;
  const size_t room = std::max<size_t>(style.width > indent ? style.width - indent : 0, 20);
  const std::string what =
      drift.what.empty() ? object::Describe(drift.kind, drift.key) : drift.what;
  std::vector<std::string> lines;
  if (wide) lines.push_back(head);
  for (const std::string& piece : Wrap(Safe(what, style), room)) {
    lines.push_back((lines.empty() ? head : std::string(indent, ' ')) + piece);
  }
  const std::string by =
      Safe(ChangedBy(drift.changed_by, drift.changed_at, drift.how_known), style);
  const size_t used = static_cast<size_t>(diag::WidthOf(Safe(what, style)));
  if (used + 2 + by.size() <= room) {
    lines.back() += "  " + Painted(Paint::kDim, by, style);
  } else {
    for (const std::string& piece : Wrap(by, room)) {
      lines.push_back(std::string(indent, ' ') + Painted(Paint::kDim, piece, style));
    }
  }
  if (!drift.note.empty()) {
    for (const std::string& piece : Wrap(Safe(drift.note, style), room)) {
      lines.push_back(std::string(indent, ' ') + piece);
    }
  }
  return lines;
}

Section Targets(const Plan& plan, bool detail, const Style& style) {
  std::vector<Tally> tallies(plan.targets.size());
  for (const Drift& drift : plan.drift) {
    Tally& tally = tallies[drift.target];
    switch (drift.type) {
      case Drift::Type::kForeign:
        ++tally.foreign;
        break;
      case Drift::Type::kMissing:
        ++tally.missing;
        break;
      case Drift::Type::kNotComputable:
        ++tally.other;
        break;
      default:
        ++tally.changed;
    }
  }
  Section section;
  section.more = "targets: postern drift --detail";
  size_t width = 0;
  for (const auto& target : plan.targets) width = std::max(width, ShortTarget(target.name).size());
  width = std::min<size_t>(width, 28);
  std::vector<size_t> order(plan.targets.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_partition(order.begin(), order.end(), [&](size_t i) {
    return StateOf(plan.targets[i]) != "complete" || TallyText(tallies[i]) != "clean";
  });
  for (const size_t i : order) {
    if (!detail && section.blocks.size() == 12) break;
    const plan::TargetSummary& target = plan.targets[i];
    std::string text = target.reached ? TallyText(tallies[i]) : StateOf(target);
    if (target.reached && StateOf(target) != "complete") text += "; " + StateOf(target);
    const std::string name = Cut(Safe(ShortTarget(target.name), style), width, style);
    section.blocks.push_back(
        {Cut(Pad(name, width) + "  " + Safe(text, style), style.width, style)});
  }
  section.unseen = plan.targets.size() - section.blocks.size();
  return section;
}

const plan::Change* ChangeOf(const Plan& plan, const Drift& drift) {
  const auto at =
      std::find_if(plan.changes.begin(), plan.changes.end(), [&](const plan::Change& change) {
        return change.target == drift.target && change.kind == drift.kind &&
               (change.key == drift.key || change.old_key == drift.key);
      });
  return at == plan.changes.end() ? nullptr : &*at;
}

// Strangers that are only reported are for a person to take out, as rules by other hands are, whose
// lines say so; what waits for something is held.
std::string HealingText(const Plan& plan) {
  const bool rules = std::all_of(plan.drift.begin(), plan.drift.end(), [](const Drift& drift) {
    return drift.kind == object::Kind::kNativeRule;
  });
  if (rules) return "";
  size_t healed = 0, held = 0;
  for (const Drift& drift : plan.drift) {
    const plan::Change* change = ChangeOf(plan, drift);
    if (change == nullptr) continue;
    const bool writes = change->action != plan::Action::kAdopt &&
                        change->action != plan::Action::kRelease &&
                        change->action != plan::Action::kForget;
    held += change->held.empty() ? 0 : 1;
    healed += change->held.empty() && writes ? 1 : 0;
  }
  if (healed > 0) return "postern plan shows how it would be healed.\n";
  if (held > 0) return "Nothing of it would be healed now: postern plan says what holds it.\n";
  return "A plan would write nothing about it: it is for a person to look at.\n";
}

}  // namespace

std::string_view EffectName(Drift::Effect effect) {
  constexpr std::string_view kNames[] = {"more", "less", "equal", "unknown"};
  return kNames[static_cast<size_t>(effect)];
}

std::string_view TypeName(Drift::Type type) {
  constexpr std::string_view kNames[] = {"changed", "missing", "foreign", "replaced",
                                         "not-computable"};
  return kNames[static_cast<size_t>(type)];
}

bool Judged(const Plan& plan) {
  return plan.generation != 0 && plan.observed_all() &&
         std::all_of(plan.targets.begin(), plan.targets.end(),
                     [](const plan::TargetSummary& target) { return target.incomplete.empty(); });
}

std::string RenderDrift(const Plan& plan, bool detail, int exit_code, const Style& style) {
  std::vector<const Drift*> order;
  for (const Drift& drift : plan.drift) order.push_back(&drift);
  std::stable_sort(order.begin(), order.end(),
                   [](const Drift* a, const Drift* b) { return Rank(*a) < Rank(*b); });
  if (!detail && order.size() > kScreenLines) order.resize(kScreenLines);
  size_t width = 0;
  for (const Drift* drift : order) {
    const auto wide = static_cast<size_t>(diag::WidthOf(SubjectText(*drift, style)));
    width = std::max(width, std::min(wide, kWidestSubject));
  }
  Section findings;
  findings.more = "findings: postern drift --detail";
  for (const Drift* drift : order) findings.blocks.push_back(DriftLines(*drift, width, style));
  findings.unseen = plan.drift.size() - order.size();

  std::string out;
  PrintSections({Targets(plan, detail, style), findings}, detail ? 0 : kScreenLines - 4, &out);
  if (!plan.open_intents.empty()) {
    out += fmt::format("An interrupted apply left {} open: what they touch may be half done.\n",
                       Count(plan.open_intents.size(), "step"));
  }
  if (!plan.drift.empty()) {
    out += HealingText(plan);
  } else if (plan.generation == 0) {
    out += "No apply has come to its end yet: nothing to compare with.\n";
  } else {
    out += Judged(plan) ? "No drift: what is live is what was applied last.\n"
                        : "No drift in what was read; the rest could not be judged.\n";
  }
  if (exit_code != 0) out += fmt::format("Exit {}.\n", exit_code);
  return out;
}

void WriteDriftJson(const Plan& plan, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Field("format_version", "1.0").TimeField("as_of", plan.as_of);
  json.Field("generation", plan.generation).Field("observed_all", plan.observed_all());
  json.Field("judged", Judged(plan));
  json.Key("targets").Array();
  for (const plan::TargetSummary& target : plan.targets) WriteTarget(json, target);
  json.End().Key("drift").Array();
  for (const Drift& drift : plan.drift) WriteDrift(json, plan, drift);
  json.End().Field("open_intents", plan.open_intents.size()).End();
}

}  // namespace postern::view
