// A plan as a comment in a merge request: the verdict, who loses and gains, the rest folded away.
#include <fmt/format.h>

#include <set>

#include "core/view/access_lines.h"
#include "core/view/plan_parts.h"
#include "core/view/plan_text.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using plan::Plan;

// GitLab and GitHub end a comment at 65,535 characters.
constexpr size_t kMostCharacters = 60'000;
constexpr size_t kMostObjects = 1'000;  // more would not fit in a comment
const Style kStyle{.colour = false, .unicode = true, .width = 200};

// Text that markdown takes as it is: what would start a table cell, a tag or a link is escaped.
std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : Safe(text, kStyle)) {
    if (std::string_view("\\`*_{}[]<>|#~@").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// A code fence that the text can't close.
std::string Fenced(const std::string& text) {
  std::string fence = "```";
  while (text.find(fence) != std::string::npos) fence += '`';
  return fence + "text\n" + text + fence + "\n";
}

void AddAccess(const Plan& plan, Side side, std::string* out) {
  const std::vector<AccessGroup> groups = FoldAccess(plan, side);
  if (groups.empty()) return;
  std::set<std::string> identities;
  for (const AccessGroup& group : groups) {
    identities.insert(group.identities.begin(), group.identities.end());
  }
  *out +=
      fmt::format("\n### {} · {}\n\n| who | {} | because | where it says so |\n|---|---|---|---|\n",
                  HeadingOf(side), CountWho(identities), VerbOf(side));
  size_t shown = 0;
  for (const AccessGroup& group : groups) {
    if (out->size() > kMostCharacters / 2) break;
    std::string who = "**" + Plain(group.name) + "**";
    if (!group.type.empty()) who += " (" + Plain(group.type) + ")";
    for (const AccessLine& line : group.lines) {
      std::string effect = Plain(line.effect);
      if (!line.until.empty()) effect += ", " + Plain(line.until);
      if (!line.detail.empty()) effect += "<br>" + Plain(line.detail);
      *out +=
          fmt::format("| {} | {} | {} | {} |\n", who, effect, Plain(line.why), Plain(line.place));
      who.clear();
    }
    ++shown;
  }
  if (shown < groups.size()) {
    *out += fmt::format("\n... and {} more lines in the job's plan file.\n",
                        Thousands(groups.size() - shown));
  }
}

void AddFolded(const std::string& title, const std::vector<Section>& sections, std::string* out) {
  std::string text;
  PrintSections(sections, 0, &text);
  if (text.empty()) return;
  const size_t room = kMostCharacters - std::min(kMostCharacters, out->size());
  if (room < 500) return;
  if (text.size() > room - 200) {
    text.resize(text.rfind('\n', room - 200) + 1);
    text += "... the rest is in the job's plan file.\n";
  }
  *out += fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n", title, Fenced(text));
}

}  // namespace

std::string RenderPlanMarkdown(const Plan& plan, const PlanOptions& options) {
  std::string out = fmt::format("## Postern plan {}\n\n**{}**\n\n", plan::ShortName(plan),
                                Plain(SummaryLine(plan)));
  const std::string when = base::FormatHuman(plan.as_of);
  out += plan.revision.empty()
             ? fmt::format("As of {}.\n", when)
             : fmt::format("Commit `{}`, as of {}.\n", Plain(plan.revision.substr(0, 12)), when);
  if (!plan.observed_all()) out += "\n**Incomplete: not every target was observed.**\n";
  for (const plan::Refusal& refusal : plan.refusals) {
    out += fmt::format("\n**Refused by a limit:** {}\n", Plain(refusal.text));
  }
  for (const Side side : kSides) AddAccess(plan, side, &out);
  if (!plan.disclosures.empty() || !plan.intakes.empty()) {
    std::string text;
    PrintSections({DisclosureSection(plan, true, kStyle), IntakeSection(plan, true, kStyle)}, 0,
                  &text);
    out += "\n" + Fenced(text);
  }
  AddFolded("Held", {HeldSection(plan, true, kStyle)}, &out);
  AddFolded("Roles", {RoleNoteSection(plan, true, kStyle)}, &out);
  AddFolded(Count(plan.looks.size(), "thing") + " to look at", {LookSection(plan, true, kStyle)},
            &out);
  AddFolded(Count(plan.changes.size(), "changed object"),
            {ChangeSection(plan, kMostObjects, kStyle)}, &out);
  AddFolded("Observed", {ObservedSection(plan, true, kStyle), FactSection(plan, true, kStyle)},
            &out);
  if (!options.plan_file.empty() && !plan.empty() && plan.refusals.empty()) {
    out += fmt::format("\n`postern apply {}` carries it out.\n", Plain(options.plan_file));
  }
  return out;
}

}  // namespace postern::view
