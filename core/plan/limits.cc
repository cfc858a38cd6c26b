// How much one plan may take away before it is refused (design §7). Losses that a declared end
// brings were approved when the end was declared, so they don't count.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/plan/looks.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

constexpr uint64_t kPeople = 5, kPeoplePercent = 5;
constexpr uint64_t kObjects = 5, kObjectsPercent = 10;
constexpr uint64_t kChangedPercent = 30;
// Below this population percentages say nothing; the rule of halves stands instead.
constexpr uint64_t kSmall = 10;

// Most that may go of a few: half of three or more, one of two; a single one always.
uint64_t AllowedOfFew(uint64_t population) {
  return std::max<uint64_t>(1, population / 2);
}

struct Bound {
  uint64_t count, percent;
  bool given;  // by the operator: then it holds for few, too
  void Apply(LimitUse* use) const {
    use->given = given;
    if (use->population < kSmall && !given) {
      use->allowed = AllowedOfFew(use->population);
      use->rule = "half of them";
      return;
    }
    use->allowed = std::max(count, use->population * percent / 100);
    use->rule = fmt::format("max({}, {} %)", count, percent);
  }
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

bool Removes(const Change& change) {
  if (change.action == Action::kDisable) return change.reason != Reason::kDrift;
  return change.action == Action::kDelete || change.action == Action::kReplace;
}

// What a declared end or a lapsed retention takes away was approved before.
bool Counts(const Change& change) {
  return change.held.empty() && change.reason != Reason::kExpired &&
         change.reason != Reason::kRetention;
}

// "3 of 5 people of edge lose access", "6 of 20 accounts on edge are removed or disabled".
std::string UseText(const LimitUse& use) {
  const std::string_view target = std::string_view(use.target).substr(use.target.find(':') + 1);
  if (use.limit == "lose_people") {
    return fmt::format("{} of {} people of {} lose access", use.used, use.population, target);
  }
  std::string kind(object::NameOf(use.kind));
  std::replace(kind.begin(), kind.end(), '_', ' ');
  return fmt::format("{} of {} {} objects on {} {}", use.used, use.population, kind, target,
                     use.limit == "remove_objects" ? "are removed or disabled" : "change");
}

}  // namespace

// "; 412 people lost department Marketing in corp": the fact behind most of what is taken away.
std::string Planner::FactBehindLosses() const {
  std::map<std::string, std::set<std::string_view>> people;
  for (const Change& change : plan_.changes) {
    if (change.reason != Reason::kFact || !change.held.empty()) continue;
    const std::string_view identity = compile::IdentityInOwner(change.owner);
    for (std::string_view role : compile::RolesInOwner(change.owner)) {
      const auto at = in_.desired->departures.find({std::string(role), std::string(identity)});
      if (at == in_.desired->departures.end()) continue;
      const std::string source = at->second.source.substr(at->second.source.find(':') + 1);
      people[fmt::format("{} in {}", at->second.fact, source)].insert(identity);
    }
  }
  const auto most = std::max_element(
      people.begin(), people.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (most == people.end()) return "";
  return fmt::format("; {} {} {}", most->second.size(),
                     most->second.size() == 1 ? "person" : "people", most->first);
}

void Planner::Weigh(LimitUse use, uint32_t target, const char* code) {
  if (use.used == 0) return;
  const diag::Span span = LimitsPlace(target);
  use.target = plan_.targets[target].name;
  use.place = in_.sources->Place(span);
  if (use.exceeded()) {
    Refusal refusal{use.target, use.limit,
                    fmt::format("{}; the limit is {} ({}{}){}", UseText(use), use.allowed, use.rule,
                                use.given                  ? ""
                                : use.population >= kSmall ? ", the default"
                                                           : ", the default for fewer than 10",
                                FactBehindLosses()),
                    use.place};
    diagnostics_->Add({.code = code,
                       .summary = refusal.text,
                       .span = span,
                       .subject = refusal.target,
                       .label = fmt::format("limits.{} of this target", use.limit),
                       .notes = {fmt::format("if it is meant, raise `limits = {{ {} = ... }}` here "
                                             "for this change, or split the change",
                                             use.limit)}});
    plan_.refusals.push_back(std::move(refusal));
  }
  plan_.limits.push_back(std::move(use));
}

void Planner::WeighObjects(uint32_t target, const std::map<object::Kind, Touched>& kinds) {
  const decl::Limits& limits = LimitsOf(target);
  for (const auto& [kind, count] : kinds) {
    LimitUse use{.limit = "remove_objects", .kind = kind, .used = count.removed};
    use.population = observed_[target]->objects.OfKind(kind).size();
    const Bound bound{limits.has_remove_objects() ? limits.remove_objects() : kObjects,
                      limits.has_remove_percent() ? limits.remove_percent() : kObjectsPercent,
                      limits.has_remove_objects() || limits.has_remove_percent()};
    bound.Apply(&use);
    Weigh(use, target, diag::code::kLimitRemoved);
    if (use.population < kSmall) continue;
    use.limit = "change_percent";
    use.used = count.changed;
    use.given = limits.has_change_percent();
    const uint64_t percent = use.given ? limits.change_percent() : kChangedPercent;
    use.allowed = use.population * percent / 100;
    use.rule = fmt::format("{} %", percent);
    Weigh(std::move(use), target, diag::code::kLimitChanged);
  }
}

void Planner::WeighPeople(uint32_t target, uint64_t losers) {
  const decl::Limits& limits = LimitsOf(target);
  LimitUse use{.limit = "lose_people", .used = losers, .population = plan_.targets[target].people};
  const Bound bound{limits.has_lose_people() ? limits.lose_people() : kPeople,
                    limits.has_lose_percent() ? limits.lose_percent() : kPeoplePercent,
                    limits.has_lose_people() || limits.has_lose_percent()};
  bound.Apply(&use);
  Weigh(std::move(use), target, diag::code::kLimitPeople);
}

// By target: whoever loses access there by other than a declared end.
std::map<std::string, std::set<std::string>> Planner::Losers() const {
  std::set<std::pair<std::string, std::string>> by_expiry;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> ended;  // its folders
  for (const Change& change : plan_.changes) {
    if (change.reason != Reason::kExpired) continue;
    const auto parts = object::SplitKey(change.key);
    if (change.kind == object::Kind::kAccount) {
      by_expiry.insert({std::string(parts[0]), std::string(parts[1])});
    } else if (change.kind == object::Kind::kUser || change.kind == object::Kind::kIamUser) {
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
  return losers;
}

void Planner::CheckLimits() {
  std::vector<std::map<object::Kind, Touched>> touched(plan_.targets.size());
  const auto renamed = RenamedMemberships(plan_, /*of_users=*/true);
  for (const Change& change : plan_.changes) {
    if (!Counts(change)) continue;
    if (!renamed.empty() && renamed.contains({change.target, change.key})) continue;
    if (change.kind == object::Kind::kJob && change.reason == Reason::kConsequence) {
      continue;  // off for a moment, and on again
    }
    Touched& kind = touched[change.target][change.kind];
    const bool removes = change.action == Action::kDelete || change.action == Action::kDisable ||
                         change.action == Action::kReplace;
    if (Removes(change)) ++kind.removed;
    if (change.action == Action::kUpdate || removes) ++kind.changed;
  }
  const auto losers = Losers();
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    const auto at = losers.find(plan_.targets[i].name);
    if (at != losers.end()) WeighPeople(i, at->second.size());
    WeighObjects(i, touched[i]);
  }
  CheckFloor();
}

// No plan leaves all administrators without access, and none touches a break-glass account.
void Planner::CheckFloor() {
  const auto& administrators = in_.declarations->operator_file.message.administrators().values();
  const std::set<std::string> floor(administrators.begin(), administrators.end());
  bool had = false, keep = false;
  const auto count = [&](const access::World& world, bool before, bool* any) {
    const auto counts = [&](const access::Place& place, std::string_view account) {
      return floor.contains(before ? IdentityBefore(place, account) : IdentityAt(place, account));
    };
    for (const auto& [place, server] : world.servers) {
      for (const auto& [login, state] : server.accounts()) {
        *any = *any || (state.open() && counts(place, login));
      }
    }
    for (const auto& [target, directory] : world.directories) {
      for (const auto& [dn, enabled] : directory.users()) {
        *any = *any || (enabled && counts({target, ""}, dn));
      }
    }
  };
  if (!floor.empty() && !plan_.delta.lost.empty()) {
    count(before_, true, &had);
    count(after(), false, &keep);
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
