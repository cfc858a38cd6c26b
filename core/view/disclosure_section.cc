// What jobs give to people elsewhere: beside the change of access, since it is one.
#include <fmt/format.h>

#include <set>

#include "core/view/lists.h"
#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {

using plan::Disclosure;

namespace {

std::string WhatOf(const Disclosure& line) {
  std::string text = fmt::format("file {} at {}: ", line.file, line.endpoint);
  for (size_t i = 0; i < line.columns.size(); ++i) text += (i > 0 ? ", " : "") + line.columns[i];
  if (!line.columns.empty()) text += " of ";
  text += line.rows;
  if (line.count) text += fmt::format(" ({} now)", Count(*line.count, "row"));
  return text;
}

}  // namespace

Section DisclosureSection(const plan::Plan& plan, bool detail, const Style& style) {
  Section section;
  if (plan.disclosures.empty()) return section;
  std::set<std::string> identities;
  for (const Disclosure& line : plan.disclosures) identities.insert(line.identity);
  section.heading = Painted(Paint::kBold, "Files to others", style) + " " + style.dot() + " " +
                    CountWho(identities);
  section.more = "files to others: postern show --detail";
  for (const Disclosure& line : plan.disclosures) {
    if (!detail && section.blocks.size() == kScreenLines) break;
    const std::string text = fmt::format("{} {} {}", WhoIs(line.identity).name,
                                         line.gained ? "gains" : "loses", WhatOf(line));
    std::string tail = fmt::format("{}, {}", line.job, WhyOf(line.reason));
    if (!line.place.empty()) tail += "  " + line.place;
    section.blocks.push_back(Item(line.gained ? "+" : "-",
                                  line.gained ? Paint::kMore : Paint::kLess, Safe(text, style),
                                  Safe(tail, style), style));
  }
  section.unseen = plan.disclosures.size() - section.blocks.size();
  return section;
}

}  // namespace postern::view
