#include "core/view/plan_text.h"

#include <algorithm>
#include <iterator>

#include "core/view/access_lines.h"
#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {
namespace {

using plan::Plan;

Section NoAccessChanges(const Plan& plan, const Section& lost, const Section& gained) {
  Section section;
  if (plan.empty() || !lost.blocks.empty() || !gained.blocks.empty()) return section;
  const bool ways = std::any_of(plan.steps.begin(), plan.steps.end(), [](const plan::Step& step) {
    const bool is_way = step.operation.kind != object::Kind::kSession &&
                        step.operation.kind != object::Kind::kGrant &&
                        step.operation.kind != object::Kind::kIamMembership &&
                        step.operation.kind != object::Kind::kJob &&
                        step.operation.kind != object::Kind::kJobRun;
    return is_way && (step.removes || step.adds);
  });
  const bool to = !plan.disclosures.empty(), from = !plan.intakes.empty();
  section.heading = ways         ? "Nobody's rights change; ways into accounts do."
                    : to && from ? "Nobody's rights change; files to others and from others do."
                    : to         ? "Nobody's rights change; files to others do."
                    : from       ? "Nobody's rights change; who may bring people does."
                                 : "Nobody loses or gains access.";
  return section;
}

size_t LinesOf(const std::string& text) {
  size_t lines = 0;
  for (const char c : text) lines += c == '\n';
  return lines;
}

}  // namespace

std::string RenderPlan(const Plan& plan, const PlanOptions& options, const Style& style) {
  std::string head;
  PrintSections({ObservedSection(plan, options.detail, style)}, 0, &head);
  PrintSections({FactSection(plan, options.detail, style)}, 0, &head);
  if (!head.empty()) head += '\n';
  for (const std::string& line : TitleLines(plan, style)) head += line + "\n";
  std::string foot;
  for (const std::string& line : FooterLines(plan, options, style)) foot += line + "\n";

  std::vector<Section> sections;
  sections.push_back(RefusalSection(plan, style));
  // What is lost and gained stands above what only seems so.
  std::vector<Section> access;
  for (const Side side : kSides) {
    access.push_back(AccessSection(FoldAccess(plan, side), side, options.detail, style));
  }
  Section none = NoAccessChanges(plan, access[0], access[2]);
  if (!none.heading.empty()) access.insert(access.begin(), std::move(none));
  std::move(access.begin(), access.end(), std::back_inserter(sections));
  sections.push_back(DisclosureSection(plan, options.detail, style));
  sections.push_back(IntakeSection(plan, options.detail, style));
  sections.push_back(HeldSection(plan, options.detail, style));
  sections.push_back(RoleNoteSection(plan, options.detail, style));
  sections.push_back(LookSection(plan, options.detail, style));
  if (options.detail) sections.push_back(ChangeSection(plan, SIZE_MAX, style));

  const size_t taken = LinesOf(head) + LinesOf(foot) + 2;  // and a blank line on either side
  const size_t room = options.detail ? 0 : kScreenLines - std::min(taken, kScreenLines - 12);
  std::string body;
  PrintSections(sections, room, &body);
  std::string out = head + "\n" + body;
  if (!body.empty()) out += "\n";
  return out + foot;
}

}  // namespace postern::view
