// What roles read, and what of it waits: the sources on a plan's first screen.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {

using plan::Plan;

// Which sources roles read, and what waits for those that decide nothing.
Section FactSection(const Plan& plan, bool detail, const Style& style) {
  Section section;
  section.more = "sources: postern show --detail";
  size_t shown = 0;
  for (const plan::FactSummary& fact : plan.facts) {
    if (!detail && shown == kScreenLines) break;
    ++shown;
    const std::string name(ShortTarget(fact.target));
    if (fact.held.empty()) {
      std::string text = fmt::format("{}: {}, stable", name, Count(fact.count, "user"));
      if (fact.at != 0) text += ", seen " + base::FormatHuman(fact.at);
      section.blocks.push_back(
          {fmt::format("{:<9} ", shown == 1 ? "Facts" : "") + Safe(text, style)});
      continue;
    }
    std::string text = fact.held;
    if (fact.roles > 0) {
      text +=
          fmt::format("; {} of {} stay{} as recorded", Count(fact.identities, "person", "people"),
                      Count(fact.roles, "role"), fact.identities == 1 ? "s" : "");
    }
    std::vector<std::string> lines;
    for (const std::string& piece : Wrap(Safe(text, style), style.width - 10)) {
      lines.push_back(fmt::format("{:<9} ", shown == 1 && lines.empty() ? "Facts" : "") +
                      Painted(Paint::kWarn, piece, style));
    }
    section.blocks.push_back(std::move(lines));
  }
  section.unseen = plan.facts.size() - shown;
  return section;
}

// People whom a role names and who get nothing, or no more, by it.
Section RoleNoteSection(const Plan& plan, bool detail, const Style& style) {
  Section section;
  if (plan.role_notes.empty()) return section;
  const auto held =
      static_cast<size_t>(std::count_if(plan.role_notes.begin(), plan.role_notes.end(),
                                        [](const plan::RoleNote& note) { return note.held; }));
  const size_t refused = plan.role_notes.size() - held;
  std::string counts = refused == 0 ? "" : Count(refused, "member") + " refused";
  if (held > 0) {
    counts += (counts.empty() ? "" : ", ") + Count(held, "member") + " as recorded";
  }
  section.heading =
      Painted(Paint::kBold, "Roles", style) + " " + style.dot() + " " + Safe(counts, style);
  section.more = "members: postern show --detail";
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> by_reason;
  for (const plan::RoleNote& note : plan.role_notes) {
    by_reason[{note.why, note.place}].push_back(WhoIs(note.identity).name + " in " + note.role);
  }
  for (const auto& [reason, who] : by_reason) {
    if (!detail && section.blocks.size() == kScreenLines) break;
    section.blocks.push_back(Item("~", Paint::kWarn,
                                  Safe(Some(who, detail ? who.size() : 2), style),
                                  Safe(reason.first + "  " + reason.second, style), style));
  }
  section.unseen = by_reason.size() - section.blocks.size();
  return section;
}

}  // namespace postern::view
