// What files of others may do to people.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "core/view/lists.h"
#include "core/view/plan_parts.h"
#include "core/view/words.h"

namespace postern::view {

using plan::Intake;

namespace {

constexpr size_t kMostNames = 3;

// "acme may create, update people of directory:corp below ou=acme,dc=corp: mail, uid"
std::string TextOf(const Intake& line) {
  return fmt::format("{} {} {} {}: {}", WhoIs(line.owner).name,
                     line.gained ? "may" : "may no longer", fmt::join(line.may, ", "), line.people,
                     fmt::join(line.attributes, ", "));
}

// "by files acme-drop:/out/roster_*.csv of acme, by sftp ..., signed by nobody; held beyond ..."
std::string TailOf(const Intake& line, bool detail) {
  std::vector<std::string> names;
  for (const std::string& writer : line.writers) names.push_back(WhoIs(writer).name);
  std::string tail = fmt::format("files {}", line.from);
  tail += names.empty() ? ", nobody may write there"
                        : " of " + Some(names, detail ? names.size() : kMostNames);
  tail += " by " + line.address;
  if (!line.trust.empty()) tail += ", " + line.trust;
  tail += "; signed by " + (line.signer.empty() ? "nobody" : line.signer);
  tail += fmt::format("; held beyond {}", fmt::join(line.held_beyond, ", "));
  tail += fmt::format("; {}, {}", line.job, WhyOf(line.reason));
  if (!line.place.empty()) tail += "  " + line.place;
  return tail;
}

}  // namespace

Section IntakeSection(const plan::Plan& plan, bool detail, const Style& style) {
  Section section;
  if (plan.intakes.empty()) return section;
  std::set<std::string> owners;
  for (const Intake& line : plan.intakes) owners.insert(line.owner);
  section.heading = Painted(Paint::kBold, "Files from others", style) + " " + style.dot() + " " +
                    CountWho(owners);
  section.more = "files from others: postern show --detail";
  for (const Intake& line : plan.intakes) {
    if (!detail && section.blocks.size() == kScreenLines) break;
    section.blocks.push_back(
        Item(line.gained ? "+" : "-", line.gained ? Paint::kMore : Paint::kLess,
             Safe(TextOf(line), style), Safe(TailOf(line, detail), style), style));
  }
  section.unseen = plan.intakes.size() - section.blocks.size();
  return section;
}

}  // namespace postern::view
