// How much one plan may take away before it is refused (design §7). Losses that a declared end
// brings were approved when the end was declared, so they don't count.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

constexpr uint64_t kPeople = 5, kPeoplePercent = 5;
constexpr uint64_t kObjects = 5, kObjectsPercent = 10;
constexpr uint64_t kChangedPercent = 30;
// Below this population percentages say nothing; the rule of halves stands instead.
constexpr uint64_t kSmall = 10;

// More than half of three or more, or both of two; a single one never.
bool TooManyOfFew(uint64_t lost, uint64_t population) {
  if (population <= 1) return false;
  if (population == 2) return lost >= 2;
  return lost * 2 > population;
}

struct Bound {
  uint64_t count, percent;
  bool given;  // by the operator: then it holds for few, too
  uint64_t For(uint64_t population) const { return std::max(count, population * percent / 100); }
};

// "account:SERVER/LOGIN" that a change is about; empty: about no single account.
std::string AccountOf(const Change& change) {
  const auto parts = object::SplitKey(change.key);
  std::string_view login;
  switch (change.kind) {
    case object::Kind::kAccount:
    case object::Kind::kSshKey:
    case object::Kind::kSession:
      login = parts[1];
      break;
    case object::Kind::kServerMembership:
      login = parts[2];
      break;
    case object::Kind::kGrant:
      if (!parts[3].starts_with("account:")) return "";
      login = parts[3].substr(8);
      break;
    default:
      return "";
  }
  return fmt::format("account:{}/{}", parts[0], login);
}

bool Exceeds(uint64_t lost, uint64_t population, const Bound& bound) {
  if (population < kSmall && !bound.given) return TooManyOfFew(lost, population);
  return lost > bound.For(population);
}

}  // namespace

void Planner::CheckLimits() {
  struct Count {
    uint64_t removed = 0, changed = 0;
  };
  std::map<std::pair<uint32_t, object::Kind>, Count> counts;
  for (const Change& change : plan_.changes) {
    if (!change.held.empty() || change.reason == Reason::kExpired) continue;
    if (change.reason == Reason::kRetention || change.reason == Reason::kForeign) continue;
    Count& count = counts[{change.target, change.kind}];
    const bool removes = change.action == Action::kDelete || change.action == Action::kDisable ||
                         change.action == Action::kReplace;
    if (removes && !(change.action == Action::kDisable && change.reason == Reason::kDrift)) {
      ++count.removed;
    }
    if (change.action == Action::kUpdate || removes) ++count.changed;
  }
  const auto refuse = [&](uint32_t target, const char* code, const char* limit, std::string text) {
    const diag::Span span = LimitsPlace(target);
    Refusal refusal{plan_.targets[target].name, limit, std::move(text), in_.sources->Place(span)};
    diagnostics_->Add({.code = code,
                       .summary = refusal.text,
                       .span = span,
                       .subject = refusal.target,
                       .label = fmt::format("limits.{} of this target", limit),
                       .notes = {fmt::format("if it is meant, raise `limits = {{ {} = ... }}` here "
                                             "for this change, or split the change",
                                             limit)}});
    plan_.refusals.push_back(std::move(refusal));
  };
  for (const auto& [key, count] : counts) {
    const auto& [target, kind] = key;
    const decl::Limits& limits = LimitsOf(target);
    const uint64_t population = observed_[target]->objects.OfKind(kind).size();
    const Bound removed{limits.has_remove_objects() ? limits.remove_objects() : kObjects,
                        limits.has_remove_percent() ? limits.remove_percent() : kObjectsPercent,
                        limits.has_remove_objects() || limits.has_remove_percent()};
    const std::string name = plan_.targets[target].name;
    if (Exceeds(count.removed, population, removed)) {
      refuse(target, diag::code::kLimitRemoved, "remove_objects",
             fmt::format("{} of {} {} objects would be removed or disabled on {}; the limit is {}",
                         count.removed, population, object::NameOf(kind), name,
                         population < kSmall && !removed.given
                             ? std::string("half of them")
                             : fmt::format("{}", removed.For(population))));
    }
    const uint64_t percent =
        limits.has_change_percent() ? limits.change_percent() : kChangedPercent;
    if (population >= kSmall && count.changed * 100 > population * percent) {
      refuse(target, diag::code::kLimitChanged, "change_percent",
             fmt::format("{} of {} {} objects would change on {}; the limit is {} %", count.changed,
                         population, object::NameOf(kind), name, percent));
    }
  }
  // People: whoever loses access here by other than a declared end.
  std::set<std::pair<std::string, std::string>> by_expiry;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> ended;  // its folders
  for (const Change& change : plan_.changes) {
    if (change.reason != Reason::kExpired) continue;
    const auto parts = object::SplitKey(change.key);
    if (change.kind == object::Kind::kAccount) {
      by_expiry.insert({std::string(parts[0]), std::string(parts[1])});
    } else if (change.kind == object::Kind::kUser) {
      by_expiry.insert({plan_.targets[change.target].name, change.key});
    } else if (change.kind == object::Kind::kGrant) {
      const auto subject = access::ParseSubject(parts[3]);
      const auto server =
          before_.servers.find({plan_.targets[change.target].name, std::string(parts[0])});
      if (!subject || server == before_.servers.end()) continue;
      for (const std::string& login : server->second.LoginsOf(*subject)) {
        ended[{std::string(parts[0]), login}].emplace_back(parts[1]);
      }
    }
  }
  std::map<std::string, std::set<std::string>> losers;
  for (const access::AccessChange& lost : plan_.delta.lost) {
    const std::string& where = lost.place.server.empty() ? lost.place.target : lost.place.server;
    if (by_expiry.contains({where, lost.account})) continue;
    const auto folders = ended.find({where, lost.account});
    if (folders != ended.end() &&
        std::any_of(folders->second.begin(), folders->second.end(), [&](const std::string& folder) {
          return access::IsWithin(lost.path, folder);
        })) {
      continue;
    }
    losers[lost.place.target].insert(lost.identity);
  }
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    const auto at = losers.find(plan_.targets[i].name);
    if (at == losers.end()) continue;
    const decl::Limits& limits = LimitsOf(i);
    const Bound people{limits.has_lose_people() ? limits.lose_people() : kPeople,
                       limits.has_lose_percent() ? limits.lose_percent() : kPeoplePercent,
                       limits.has_lose_people() || limits.has_lose_percent()};
    const uint64_t population = plan_.targets[i].people;
    if (Exceeds(at->second.size(), population, people)) {
      refuse(i, diag::code::kLimitPeople, "lose_people",
             fmt::format("{} of {} people would lose access on {}; the limit is {}",
                         at->second.size(), population, plan_.targets[i].name,
                         population < kSmall && !people.given
                             ? std::string("half of them")
                             : fmt::format("{}", people.For(population))));
    }
  }
  CheckFloor();
}

// No plan leaves all administrators without access, and none touches a break-glass account.
void Planner::CheckFloor() {
  const auto& administrators = in_.declarations->operator_file.message.administrators().values();
  const std::set<std::string> floor(administrators.begin(), administrators.end());
  bool had = false, keep = false;
  const auto count = [&](const access::World& world, bool* any) {
    for (const auto& [place, server] : world.servers) {
      for (const auto& [login, state] : server.accounts()) {
        *any = *any || (state.open() && floor.contains(IdentityAt(place, login)));
      }
    }
    for (const auto& [target, directory] : world.directories) {
      for (const auto& [dn, enabled] : directory.users()) {
        *any = *any || (enabled && floor.contains(IdentityAt({target, ""}, dn)));
      }
    }
  };
  if (!floor.empty() && !plan_.delta.lost.empty()) {
    count(before_, &had);
    count(after(), &keep);
  }
  const diag::Span span =
      in_.declarations->operator_file.At(decl::Operator::kAdministratorsFieldNumber);
  if (had && !keep) {
    Refusal refusal{"", "administrators", "no administrator would keep access",
                    in_.sources->Place(span)};
    diagnostics_->Add({.code = diag::code::kFloor,
                       .summary = refusal.text,
                       .span = span,
                       .label = "at least one of these must keep access"});
    plan_.refusals.push_back(std::move(refusal));
  }
  for (const std::string& glass : in_.declarations->operator_file.message.break_glass().values()) {
    std::set<uint32_t> seen;
    for (const Step& step : plan_.steps) {
      const Change& change = plan_.changes[step.change];
      if (AccountOf(change) != glass || !seen.insert(step.change).second) continue;
      Refusal refusal{plan_.targets[change.target].name, "break_glass",
                      fmt::format("{} is a break-glass account", glass),
                      in_.sources->Place(in_.declarations->operator_file.At(
                          decl::Operator::kBreakGlassFieldNumber))};
      diagnostics_->Add(
          {.code = diag::code::kBreakGlass,
           .summary = refusal.text + " and would be changed",
           .span = in_.declarations->operator_file.At(decl::Operator::kBreakGlassFieldNumber),
           .label = "no plan touches these"});
      plan_.refusals.push_back(std::move(refusal));
    }
  }
}

}  // namespace postern::plan
