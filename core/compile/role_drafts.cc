#include "core/compile/role_drafts.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/compile/role_values.h"
#include "core/diag/codes.h"

namespace postern::compile {

const RoleDraft* AtOnce(const RoleDraft& there, const RoleDraft& draft, base::Instant now) {
  const auto with = [&](const RoleDraft& other) {
    const Interval both = other.interval.Meet(draft.interval);
    return !both.empty() && both.until >= now;
  };
  if (with(there)) return &there;
  const auto at = std::find_if(there.others.begin(), there.others.end(), with);
  return at == there.others.end() ? nullptr : &*at;
}

std::vector<const RoleDraft*> InForce(const RoleDraft& draft, base::Instant now,
                                      AccountInfo* info) {
  std::vector<const RoleDraft*> parts{&draft};
  info->interval = draft.interval;
  if (draft.others.empty()) return parts;
  std::vector<Interval> times{draft.interval};
  for (const RoleDraft& other : draft.others) {
    parts.push_back(&other);
    times.push_back(other.interval);
  }
  times = Unite(std::move(times));
  if (times.empty()) return {&draft};
  // Of those that have begun the last; they have gaps between them.
  info->interval = times.front();
  for (const Interval& time : times) {
    if (time.from <= now) info->interval = time;
  }
  if (times.size() > 1) info->times = std::move(times);
  const bool open = info->interval.Holds(now);
  std::erase_if(parts, [&](const RoleDraft* part) {
    return part->interval.empty() ||
           (open ? !part->interval.Holds(now) : part->interval.Meet(info->interval).empty());
  });
  return parts;
}

diag::Diagnostic TwoHomes(const RoleDraft& first, const RoleDraft& second) {
  constexpr int kPlace = decl::Role::kAccountFieldNumber;
  return {.code = diag::code::kSameLoginTwice,
          .summary = fmt::format("roles \"{}\" and \"{}\" give {} at {} two login folders",
                                 first.role_name(), second.role_name(), second.login,
                                 second.server_name()),
          .span = second.role->declared->At(kPlace),
          .label = second.home,
          .also = {{first.role->declared->At(kPlace), first.home}},
          .notes = {"the account keeps the first; give both roles one `home`"}};
}

diag::Diagnostic TwoPeople(const RoleDraft& first, const RoleDraft& second) {
  const auto label = [](const RoleDraft& draft) {
    return fmt::format("role \"{}\" for {}", draft.role_name(), LabelOf(draft.member->identity));
  };
  return {.code = diag::code::kSameLoginTwice,
          .summary =
              fmt::format("{} and {} have one login, {}, at {}", ShownValue(first.member->identity),
                          ShownValue(second.member->identity), second.login, second.server_name()),
          .span = second.role->declared->At(decl::Role::kAccountFieldNumber),
          .label = label(second),
          .also = {{first.role->declared->span, label(first)}},
          .notes = {"neither gets it; who has it already keeps it as recorded",
                    "take another attribute for `login`, or change one of them at its source"}};
}

diag::Diagnostic LoginDeclared(const RoleDraft& draft, const diag::Span& declared) {
  const std::string_view label = LabelOf(draft.member->identity);
  return {.code = diag::code::kLoginDeclared,
          .summary =
              fmt::format("{} in role \"{}\" would be {} at {}, which is declared",
                          ShownValue(label), draft.role_name(), draft.login, draft.server_name()),
          .span = draft.role->declared->At(decl::Role::kAccountFieldNumber),
          .label = fmt::format("the role's login for {}", label),
          .also = {{declared, "declared here"}},
          .notes = {"the declaration stands; the role gives nothing to this member there"}};
}

}  // namespace postern::compile
