// What jobs give to people elsewhere: beside the change of access, since it is one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/view/lists.h"
#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {

using plan::Disclosure;

namespace {

constexpr size_t kMostNames = 3;

// Lines of one file in a folder of a managed server differ by who reads there.
struct Told {
  const Disclosure* line = nullptr;  // the first
  std::set<std::string> identities;
};

bool InFolder(const Disclosure& line) {
  return line.endpoint.starts_with('/');
}

std::vector<Told> Fold(const std::vector<Disclosure>& lines) {
  std::vector<Told> out;
  for (const Disclosure& line : lines) {
    const bool more = !out.empty() && InFolder(line) && out.back().line->job == line.job &&
                      out.back().line->gained == line.gained &&
                      out.back().line->endpoint == line.endpoint;
    if (!more) out.push_back({&line, {}});
    out.back().identities.insert(line.identity);
  }
  return out;
}

std::string WhatOf(const Disclosure& line) {
  std::string text = InFolder(line) ? fmt::format("file {}: ", line.file)
                                    : fmt::format("file {} at {}: ", line.file, line.endpoint);
  for (size_t i = 0; i < line.columns.size(); ++i) text += (i > 0 ? ", " : "") + line.columns[i];
  if (!line.columns.empty()) text += " of ";
  text += line.rows;
  if (line.count) text += fmt::format(" ({} now)", Count(*line.count, "row"));
  return text;
}

// "acme gains file ...", "people who can read /srv/out at edge-ftp gain file ..."
std::string TextOf(const Told& told) {
  const Disclosure& line = *told.line;
  if (InFolder(line)) {
    return fmt::format("people who can read {} {} {}", line.endpoint, line.gained ? "gain" : "lose",
                       WhatOf(line));
  }
  return fmt::format("{} {} {}", WhoIs(line.identity).name, line.gained ? "gains" : "loses",
                     WhatOf(line));
}

// Who can decrypt it stands whole: a key that is cut short could be anybody's.
// "in the clear into /in by sftp wong@files.acme.test:2222, host key SHA256:..."
std::string HowOf(const Disclosure& line) {
  std::string text = line.recipients.empty()
                         ? "in the clear"
                         : fmt::format("encrypted for {}", fmt::join(line.recipients, ", "));
  if (!line.folder.empty()) text += " into " + line.folder;
  if (!line.address.empty()) text += " by " + line.address;
  if (!line.trust.empty()) text += ", " + line.trust;
  return text;
}

// "2 people: ann, li.wong; in the clear by ...; export.users, declared  access/jobs.toml:5"
std::string TailOf(const Told& told, bool detail) {
  const Disclosure& line = *told.line;
  std::string tail = fmt::format("{}; {}, {}", HowOf(line), line.job, WhyOf(line.reason));
  if (InFolder(line)) {
    std::vector<std::string> names;
    for (const std::string& identity : told.identities) names.push_back(WhoIs(identity).name);
    tail = fmt::format("{}: {}; {}", CountWho(told.identities),
                       Some(names, detail ? names.size() : kMostNames), tail);
  }
  if (!line.place.empty()) tail += "  " + line.place;
  return tail;
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
  const std::vector<Told> lines = Fold(plan.disclosures);
  for (const Told& told : lines) {
    if (!detail && section.blocks.size() == kScreenLines) break;
    const bool gained = told.line->gained;
    section.blocks.push_back(Item(gained ? "+" : "-", gained ? Paint::kMore : Paint::kLess,
                                  Safe(TextOf(told), style), Safe(TailOf(told, detail), style),
                                  style));
  }
  section.unseen = lines.size() - section.blocks.size();
  return section;
}

}  // namespace postern::view
