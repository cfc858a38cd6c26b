#include "core/view/plan_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/object/spelling.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using plan::Change;
using plan::Phase;
using plan::Plan;
using plan::TargetSummary;

// The object as it is declared, else as it is live.
std::string Named(const Change& change) {
  return object::DescribeSpelled(change.kind, change.key,
                                 change.after.empty() ? change.before : change.after);
}

std::string KindsOf(const Plan& plan) {
  std::map<object::Kind, size_t> kinds;
  for (const Change& change : plan.changes) ++kinds[change.kind];
  std::vector<std::pair<size_t, object::Kind>> order;
  for (const auto& [kind, count] : kinds) order.push_back({count, kind});
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (const auto& [count, kind] : order) {
    out += (out.empty() ? "" : ", ") + CountKind(count, kind);
  }
  return out;
}

std::string PhasesOf(const Plan& plan) {
  size_t counts[8] = {};
  for (const plan::Step& step : plan.steps) ++counts[static_cast<size_t>(step.phase)];
  std::string out;
  for (const Phase phase : plan::kPhases) {
    const size_t count = counts[static_cast<size_t>(phase)];
    if (count == 0) continue;
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", Thousands(count), plan::NameOf(phase));
  }
  return out;
}

// "3 of 214 people of edge (at most 10), 2 of 40 accounts on edge (at most 5)": the people of each
// target, and of the objects the kind that comes nearest to its limit. All of them stand in --json.
std::string LimitsText(const Plan& plan) {
  std::string out;
  const auto add = [&](const plan::LimitUse& use, const std::string& what) {
    out += fmt::format("{}{} of {} {} (at most {})", out.empty() ? "" : ", ", Thousands(use.used),
                       what, ShortTarget(use.target), Thousands(use.allowed));
  };
  for (const TargetSummary& target : plan.targets) {
    const plan::LimitUse* nearest = nullptr;
    for (const plan::LimitUse& use : plan.limits) {
      if (use.target != target.name) continue;
      if (use.limit == "lose_people") {
        add(use, Count(use.population, "person", "people") + " of");
      } else if (use.limit == "remove_objects" &&
                 (nearest == nullptr ||
                  use.used * nearest->allowed > nearest->used * use.allowed)) {
        nearest = &use;
      }
    }
    if (nearest != nullptr) add(*nearest, CountKind(nearest->population, nearest->kind) + " on");
  }
  return out;
}

std::vector<std::string> NextCommands(const Plan& plan, const PlanOptions& options) {
  std::vector<std::string> commands;
  if (plan.empty() || options.applying) return commands;
  const std::string file = options.plan_file.empty() ? "" : " " + options.plan_file;
  if (!options.detail) commands.push_back("postern show" + file + " --detail");
  if (plan.refusals.empty()) commands.push_back("postern apply" + file);
  return commands;
}

}  // namespace

std::vector<std::string> Item(std::string_view sign, Paint paint, const std::string& text,
                              const std::string& tail, const Style& style) {
  std::vector<std::string> lines;
  const std::string head = "  " + std::string(sign) + " ";
  const std::string blank(head.size(), ' ');
  const size_t room = style.width - head.size();
  for (const std::string& piece : Wrap(text, room)) {
    lines.push_back(lines.empty() ? "  " + Painted(paint, sign, style) + " " + piece
                                  : blank + piece);
  }
  if (!tail.empty()) {
    for (const std::string& piece : Wrap(tail, room)) {
      const bool fits = lines.size() == 1 && text.size() + 2 + tail.size() <= room;
      if (fits) {
        lines.back() += "  " + Painted(Paint::kPlace, piece, style);
      } else {
        lines.push_back(blank + Painted(Paint::kPlace, piece, style));
      }
    }
  }
  return lines;
}

std::string StateOf(const TargetSummary& target) {
  if (!target.reached) {
    return "not observed" + (target.error.empty() ? std::string() : ": " + target.error);
  }
  std::string state = "complete";
  if (!target.unstable.empty()) state = "unstable: " + Some(target.unstable, 1);
  if (!target.incomplete.empty()) state = "incomplete: " + Some(target.incomplete, 1);
  if (target.unreadable_fields > 0) {
    state += ", " + Count(target.unreadable_fields, "field") + " unreadable";
  }
  return state;
}

std::string CountsOf(const TargetSummary& target, size_t most) {
  std::vector<std::pair<uint64_t, std::string>> order;
  for (const auto& [kind, count] : target.counts) {
    if (count > 0) order.push_back({count, kind});
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (size_t i = 0; i < order.size() && i < most; ++i) {
    const object::KindTable* kind = object::FindKind(order[i].second);
    out += out.empty() ? "" : ", ";
    out += kind != nullptr ? CountKind(order[i].first, kind->kind)
                           : Count(order[i].first, order[i].second);
  }
  return out;
}

Section ObservedSection(const Plan& plan, bool detail, const Style& style) {
  Section section;
  section.more = "targets: postern show --detail";
  const size_t most = detail ? SIZE_MAX : 6;
  // What wasn't observed comes first: it decides what can be said at all.
  std::vector<const TargetSummary*> order;
  for (const TargetSummary& target : plan.targets) order.push_back(&target);
  std::stable_partition(order.begin(), order.end(), [](const TargetSummary* target) {
    return !target->reached || !target->incomplete.empty() || !target->unstable.empty();
  });
  Table table({}, Table::Last::kCut);
  size_t shown = 0;
  for (const TargetSummary* target : order) {
    if (shown == most) break;
    ++shown;
    const std::string product =
        target->product + (detail && !target->version.empty() ? " " + target->version : "");
    table.Row({shown == 1 ? "Observed" : "", std::string(ShortTarget(target->name)), product,
               CountsOf(*target, detail              ? SIZE_MAX
                                 : style.width >= 90 ? 2
                                                     : 1),
               target->reached ? base::FormatDuration(target->took) : "", StateOf(*target)});
  }
  const std::string text = table.Print(style);
  for (size_t from = 0; from < text.size();) {
    const size_t end = text.find('\n', from);
    section.blocks.push_back({text.substr(from, end - from)});
    from = end + 1;
  }
  section.unseen = plan.targets.size() - shown;
  return section;
}

std::vector<std::string> TitleLines(const Plan& plan, const Style& style) {
  std::vector<std::string> parts;
  parts.push_back("Plan " + plan::ShortName(plan));
  if (!plan.revision.empty()) parts.push_back("commit " + Safe(plan.revision.substr(0, 7), style));
  parts.push_back((plan.as_of_given ? "for " : "as of ") + base::FormatHuman(plan.as_of) +
                  (plan.as_of_given ? " (--as-of)" : ""));
  std::vector<std::string> lines{Painted(Paint::kBold, parts[0], style)};
  size_t columns = parts[0].size();
  for (size_t i = 1; i < parts.size(); ++i) {
    const bool fits = columns + 3 + parts[i].size() <= style.width;
    if (fits) {
      lines.back() += fmt::format(" {} {}", style.dot(), parts[i]);
    } else {
      lines.push_back("  " + parts[i]);
      columns = 0;
    }
    columns += 3 + parts[i].size();
  }
  if (!plan.open_intents.empty()) {
    lines.push_back(Painted(
        Paint::kWarn,
        fmt::format("An interrupted apply left {} open; the next apply reads what became of {}.",
                    Count(plan.open_intents.size(), "step"),
                    plan.open_intents.size() == 1 ? "it" : "them"),
        style));
  }
  return lines;
}

Section LookSection(const Plan& plan, bool detail, const Style& style) {
  Section section;
  if (plan.looks.empty()) return section;
  section.heading = Painted(Paint::kBold, "Needs a look", style);
  section.more = "to look at: postern show --detail";
  for (const plan::Look& look : plan.looks) {
    if (!detail && section.blocks.size() == kScreenLines) break;
    std::string tail = Safe(look.detail, style);
    if (!look.place.empty()) tail += (tail.empty() ? "" : "  ") + Safe(look.place, style);
    section.blocks.push_back(Item("!", Paint::kWarn, Safe(look.what, style), tail, style));
  }
  section.unseen = plan.looks.size() - section.blocks.size();
  return section;
}

Section RefusalSection(const Plan& plan, const Style& style) {
  Section section;
  if (plan.refusals.empty()) return section;
  section.heading = Painted(Paint::kLess, "Refused by a limit", style) + ": nothing is applied";
  section.more = "refusals: postern plan --json";
  for (const plan::Refusal& refusal : plan.refusals) {
    const bool named =
        refusal.place.empty() || refusal.text.find(refusal.place) != std::string::npos;
    section.blocks.push_back(Item("!", Paint::kLess, Safe(refusal.text, style),
                                  named ? "" : Safe(refusal.place, style), style));
  }
  return section;
}

Section HeldSection(const Plan& plan, bool detail, const Style& style) {
  Section section;
  // Many objects are held for one reason: a server that can't be read.
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Change& change : plan.changes) {
    if (!change.held.empty()) {
      by_reason[change.held].push_back(Named(change));
    }
  }
  if (by_reason.empty()) return section;
  section.heading = Painted(Paint::kBold, "Held", style) + " " + style.dot() + " " +
                    Count(plan.held(), "change") + ", nothing is done about " +
                    (plan.held() == 1 ? "it" : "them") + " now";
  section.more = "reasons: postern show --detail";
  for (const auto& [reason, objects] : by_reason) {
    const std::string text = Safe(Some(objects, detail ? objects.size() : 2), style);
    section.blocks.push_back(Item("~", Paint::kWarn, text, Safe(reason, style), style));
  }
  return section;
}

std::vector<std::string> ChangeLines(const Change& change, const Style& style) {
  const std::string_view sign = PastWord(change.action);
  const Paint paint = sign == "+" ? Paint::kMore : sign[0] == '-' ? Paint::kLess : Paint::kWarn;
  std::string text = fmt::format("{} {}", plan::NameOf(change.action), Named(change));
  if (!change.old_key.empty()) {
    text += " (was " + object::DescribeSpelled(change.kind, change.old_key, change.before) + ")";
  }
  std::string tail(change.cause.empty() ? std::string(WhyOf(change.reason)) : change.cause);
  if (change.changed_at != 0 || !change.changed_by.empty()) {
    tail += "; " + ChangedBy(change.changed_by, change.changed_at, change.how_known);
  }
  if (change.retired_at != 0) tail += "; locked since " + Moment(change.retired_at);
  if (!change.place.empty()) tail += "  " + change.place;
  std::vector<std::string> lines = Item(sign, paint, Safe(text, style), Safe(tail, style), style);
  for (const object::FieldDifference& field : change.fields) {
    const auto value = [&](bool has, const std::string& raw) {
      if (!has) return std::string("(not set)");
      return field.secret ? std::string("(secret)") : ValueText(change.kind, field.name, raw);
    };
    lines.push_back("        " + Safe(field.name, style) + ": " +
                    Safe(value(field.has_before, field.before), style) + " " + style.arrow() + " " +
                    Safe(value(field.has_after, field.after), style));
  }
  if (change.fields.empty() && change.action == plan::Action::kCreate) {
    for (const std::string& line : BodyLines(change.kind, change.after)) {
      lines.push_back("        " + Safe(line, style));
    }
  }
  if (!change.held.empty()) lines.push_back("        held: " + Safe(change.held, style));
  return lines;
}

Section ChangeSection(const Plan& plan, size_t most, const Style& style) {
  Section section;
  if (plan.changes.empty()) return section;
  section.heading = Painted(Paint::kBold, "Objects", style);
  uint32_t target = UINT32_MAX;
  section.more = "objects: the plan's JSON has them all";
  for (const Change& change : plan.changes) {
    if (section.blocks.size() == most) break;
    std::vector<std::string> lines;
    if (change.target != target) {
      target = change.target;
      lines.push_back(" " + Safe(plan.targets[target].name, style));
    }
    for (std::string& line : ChangeLines(change, style)) lines.push_back(std::move(line));
    section.blocks.push_back(std::move(lines));
  }
  section.unseen = plan.changes.size() - section.blocks.size();
  return section;
}

std::string CountChanges(const Plan& plan) {
  if (plan.changes.empty()) return "no changes";
  std::string text = Count(plan.changes.size(), "change") + ": " + KindsOf(plan);
  const std::string phases = PhasesOf(plan);
  if (!phases.empty()) text += ". Steps: " + phases;
  return text + ".";
}

std::string SummaryLine(const Plan& plan) {
  std::set<std::string> lose, gain;
  for (const auto& line : plan.delta.lost) lose.insert(line.identity);
  for (const auto& line : plan.delta.gained) gain.insert(line.identity);
  if (plan.empty()) return "nothing to do";
  std::string text = Count(plan.changes.size(), "change");
  text += lose.empty()
              ? "; nobody loses access"
              : "; " + CountWho(lose) + " lose" + (lose.size() == 1 ? "s" : "") + " access";
  text += gain.empty()
              ? "; nobody gains access"
              : "; " + CountWho(gain) + " gain" + (gain.size() == 1 ? "s" : "") + " access";
  if (!plan.disclosures.empty()) text += "; files to others change";
  if (!plan.intakes.empty()) text += "; who may bring people changes";
  return text;
}

std::vector<std::string> FooterLines(const Plan& plan, const PlanOptions& options,
                                     const Style& style) {
  std::vector<std::string> lines;
  if (plan.empty()) {
    if (!plan.refusals.empty()) return lines;  // why, is said
    lines.push_back(plan.observed_all() && !plan.looks.empty()
                        ? "Nothing to do: all that is declared is live."
                    : plan.observed_all()
                        ? "Nothing to do: what is live is what is declared."
                        : "Nothing to do on what was observed; the rest could not be judged.");
    return lines;
  }
  std::string counts = CountChanges(plan);
  if (plan.refusals.empty()) {
    const std::string limits = LimitsText(plan);
    counts += limits.empty() ? "" : " Limits hold: " + limits + ".";
  }
  lines = Wrap(Safe(counts, style), style.width);
  std::string next;
  for (const std::string& command : NextCommands(plan, options)) {
    next += (next.empty() ? "" : fmt::format(" {} ", style.dot())) + Safe(command, style);
  }
  if (!next.empty()) lines.push_back(Painted(Paint::kBold, next, style));
  return lines;
}

}  // namespace postern::view
