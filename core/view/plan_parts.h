// core/view/plan_parts.h: the sections that a plan's screen is put together from. Internal to
// core/view.
#pragma once
#include <string>
#include <vector>

#include "core/plan/plan.h"
#include "core/view/plan_text.h"

namespace postern::view {

// "corp  openldap  12,408 entries  0.6 s  complete", one block a target.
Section ObservedSection(const plan::Plan& plan, bool detail, const Style& style);
// Which sources roles read: "corp: 12,408 users, stable", or what waits for it.
Section FactSection(const plan::Plan& plan, bool detail, const Style& style);
// Members of roles who get nothing, or no more, by them, and why.
Section RoleNoteSection(const plan::Plan& plan, bool detail, const Style& style);
// What jobs give to, or no longer give to, whoever reads at foreign places.
Section DisclosureSection(const plan::Plan& plan, bool detail, const Style& style);
// What files of others may do to people, and no longer may.
Section IntakeSection(const plan::Plan& plan, bool detail, const Style& style);
// Plan 7f3a quiet-heron · commit 4f1c9e2 · as of 2026-11-21 18:40Z
std::vector<std::string> TitleLines(const plan::Plan& plan, const Style& style);
Section LookSection(const plan::Plan& plan, bool detail, const Style& style);
Section RefusalSection(const plan::Plan& plan, const Style& style);
Section HeldSection(const plan::Plan& plan, bool detail, const Style& style);
// The first `most` changed objects.
Section ChangeSection(const plan::Plan& plan, size_t most, const Style& style);
// Counts, limits, next commands.
std::vector<std::string> FooterLines(const plan::Plan& plan, const PlanOptions& options,
                                     const Style& style);

// Text wrapped behind a sign, further lines indented under it.
std::vector<std::string> Item(std::string_view sign, Paint paint, const std::string& text,
                              const std::string& tail, const Style& style);
// One change as lines: sign and address, then what differs.
std::vector<std::string> ChangeLines(const plan::Change& change, const Style& style);
// "complete", "complete, 3 fields unreadable", "not reached: connection refused"
std::string StateOf(const plan::TargetSummary& target);
// "214 accounts, 38 folders"
std::string CountsOf(const plan::TargetSummary& target, size_t most);

}  // namespace postern::view
