// core/view/access_lines.h: a plan's access delta as the lines that people read.
//
// Two foldings: paths of one identity with the same rights become one line; identities with the
// same lines become one ("ops, 12 people"). Losses and gains alike. Pure. Cost: linear in the delta
// and in the plan's changes, with one sort.
#pragma once
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "core/view/style.h"

namespace postern::view {

// What one or more identities lose or gain, with its cause.
struct AccessLine {
  std::string effect;  // "overwrite on /out/acme", "everything on edge"
  std::string until;   // "until 2026-12-31"
  std::string why;     // "contract ended 2026-11-20", a ticket
  std::string place;   // "access/folders.toml:31"
  std::string detail;  // "2 accounts locked, 3 keys removed, 1 open session ended"
  auto operator<=>(const AccessLine&) const = default;
};
struct AccessGroup {
  std::string name;                     // "acme-print"; of folded ones the group, or the first
  std::string type;                     // "partner", "2 people"
  std::vector<std::string> identities;  // sorted
  std::vector<AccessLine> lines;
};

// kStill, kAlready: what an account loses or gains and another of the identity's on that host has
// all the same.
enum class Side : uint8_t { kLost, kGained, kStill, kAlready };
inline constexpr Side kSides[] = {Side::kLost, Side::kStill, Side::kGained, Side::kAlready};
std::string_view HeadingOf(Side side);
std::string_view VerbOf(Side side);  // "loses"

// Folded groups, in order of the identities; more than one path in a line are joined.
std::vector<AccessGroup> FoldAccess(const plan::Plan& plan, Side side);

// Printed blocks for `groups`: columns aligned within the style's width. Names every identity of a
// folded group when `detail`.
Section AccessSection(const std::vector<AccessGroup>& groups, Side side, bool detail,
                      const Style& style);

}  // namespace postern::view
