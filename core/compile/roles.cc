#include "core/compile/roles.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

// "10:02Z" of today, with the day of any other.
std::string TimeOf(base::Instant at, base::Instant now) {
  if (at == 0) return "";
  const std::string text = base::FormatInstant(at);
  const std::string time = text.substr(11, 5) + "Z";
  return text.substr(0, 10) == base::FormatInstant(now).substr(0, 10)
             ? time
             : text.substr(0, 10) + " " + time;
}

// "Marketing (department)"
std::string Describe(Attribute attribute, std::string_view value) {
  std::string name(NameOf(attribute));
  std::replace(name.begin(), name.end(), '_', ' ');
  return fmt::format("{} ({})", value, name);
}

bool Fits(const SourceFacts& facts, uint32_t user, Attribute attribute, std::string_view folded) {
  const FactUser& one = facts.users()[user];
  if (attribute != Attribute::kMail) {
    const std::string_view value = one.text[static_cast<size_t>(attribute)];
    return !value.empty() && FoldValue(value) == folded;
  }
  const auto mail = object::Elements(one.mail);
  return std::any_of(mail.begin(), mail.end(),
                     [&](std::string_view address) { return FoldValue(address) == folded; });
}

std::string TargetOf(const decl::RoleMember& selector) {
  return selector.has_iam() ? "iam:" + selector.iam() : "directory:" + selector.directory();
}

}  // namespace

std::vector<std::pair<Attribute, std::string_view>> AsksOf(const decl::Where& where) {
  std::vector<std::pair<Attribute, std::string_view>> asks;
  const auto ask = [&](bool has, Attribute attribute, const std::string& value) {
    if (has) asks.emplace_back(attribute, value);
  };
  ask(where.has_department(), Attribute::kDepartment, where.department());
  ask(where.has_division(), Attribute::kDivision, where.division());
  ask(where.has_organization(), Attribute::kOrganization, where.organization());
  ask(where.has_cost_center(), Attribute::kCostCenter, where.cost_center());
  ask(where.has_title(), Attribute::kTitle, where.title());
  ask(where.has_user_type(), Attribute::kUserType, where.user_type());
  ask(where.has_employee_number(), Attribute::kEmployeeNumber, where.employee_number());
  ask(where.has_external_id(), Attribute::kExternalId, where.external_id());
  ask(where.has_user_name(), Attribute::kUserName, where.user_name());
  ask(where.has_mail(), Attribute::kMail, where.mail());
  return asks;
}

RecordedRoles::RecordedRoles(const Facts& facts) {
  if (facts.recorded == nullptr) return;
  for (const auto& [target, rows] : *facts.recorded) {
    for (const ledger::Recorded& row : rows) {
      // What is locked to be deleted is nobody's membership any more.
      if (row.retired_at != 0 || !row.owner.starts_with("role:")) continue;
      for (std::string_view role : RolesInOwner(row.owner)) {
        of_role_[role].insert(IdentityInOwner(row.owner));
      }
    }
  }
}

const RecordedRoles::Identities* RecordedRoles::In(std::string_view role) const {
  const auto at = of_role_.find(role);
  return at == of_role_.end() ? nullptr : &at->second;
}

RoleEvaluator::RoleEvaluator(People* people, const RecordedRoles& recorded, base::Instant now,
                             Flatten flatten, IdentityOf identity_of)
    : people_(people),
      recorded_(recorded),
      now_(now),
      flatten_(std::move(flatten)),
      identity_of_(std::move(identity_of)) {}

void RoleEvaluator::Link(const std::string& identity, FactRef ref) {
  facts_of_[identity].push_back(ref);
}

// "seen in corp 10:02Z"; said of every member.
const std::string& RoleEvaluator::Seen(uint32_t source) {
  if (seen_.empty()) {
    for (uint32_t i = 0; i < people_->size(); ++i) {
      const IdentitySource& from = people_->at(i).source();
      const std::string time = TimeOf(from.users.at, now_);
      seen_.push_back(fmt::format("seen in {}{}{}", from.name(), time.empty() ? "" : " ", time));
    }
  }
  return seen_[source];
}

RoleMembers RoleEvaluator::MembersOf(const config::Declared<decl::Role>& role) {
  Work work;
  work.recorded = recorded_.In(role.message.name());
  for (const decl::RoleMember& selector : role.message.members().values()) {
    selector.has_who() ? Name(selector.who(), &work) : Select(selector, &work);
  }
  return std::move(work.out);
}

// One identity stands once: what is certain wins, and of what is pending any one will do.
void RoleEvaluator::Add(RoleMember member, Work* work) {
  const auto [at, fresh] = work->position.try_emplace(member.identity, work->out.members.size());
  if (fresh) {
    work->out.members.push_back(std::move(member));
    return;
  }
  RoleMember& there = work->out.members[at->second];
  const bool better =
      (!there.held.empty() && member.held.empty()) ||
      (there.held.empty() == member.held.empty() && !there.needs.empty() && member.needs.empty());
  if (better) there = std::move(member);
}

void RoleEvaluator::Name(const std::string& who, Work* work) {
  if (who.starts_with("group:")) {
    for (const std::string& identity : flatten_(who.substr(6))) NameOne(identity, work);
    return;
  }
  NameOne(identity_of_(who), work);
}

// Somebody named: a member, unless a source says that it isn't active.
void RoleEvaluator::NameOne(const std::string& identity, Work* work) {
  const auto facts = facts_of_.find(identity);
  if (facts == facts_of_.end() || facts->second.empty()) {
    Add({.identity = identity, .face = {}, .cause = {}, .needs = {}, .held = {}}, work);
    return;
  }
  Candidate candidate;
  candidate.ref = facts->second.front();
  for (const FactRef ref : facts->second) {
    if (people_->StandingOf(ref).verdict == Standing::Verdict::kInactive) return;
    if (people_->StandingOf(ref).verdict == Standing::Verdict::kUndecided) candidate.ref = ref;
  }
  Take(candidate, work);
}

void RoleEvaluator::Take(const Candidate& candidate, Work* work) {
  const Standing standing = people_->StandingOf(candidate.ref);
  if (standing.verdict == Standing::Verdict::kInactive) return;
  RoleMember member;
  member.identity = people_->IdentityOf(standing.face);
  member.face = standing.face;
  if (standing.verdict == Standing::Verdict::kUndecided) {
    member.held = standing.why;
    if (work->recorded == nullptr || !work->recorded->contains(member.identity)) {
      // Nothing of it is recorded: it is no member, and that it isn't is said.
      member.face.reset();
    }
    Add(std::move(member), work);
    return;
  }
  if (!candidate.what.empty()) {
    member.cause = fmt::format("{} is in {}, {}", LabelOf(member.identity), candidate.what,
                               Seen(candidate.ref.source));
  }
  member.needs = candidate.needs;
  if (standing.pending) {
    const IdentitySource& source = people_->SourceOf(standing.told);
    member.needs.push_back({source.target,
                            {people_->at(standing.told.source).user_kind(),
                             std::string(people_->User(standing.told).key)}});
  }
  Add(std::move(member), work);
}

void RoleEvaluator::Select(const decl::RoleMember& selector, Work* work) {
  const uint32_t source = people_->SourceNamed(TargetOf(selector));
  if (source == people_->size()) return;  // the loader has said so
  SourceFacts& facts = people_->at(source);
  const Reading& users = facts.source().users;
  const Reading& memberships = facts.source().memberships;
  if (!users.held.empty()) return Hold(source, users.held, work);
  const SourceFacts::Group* group = nullptr;
  if (selector.has_group()) {
    if (!memberships.held.empty()) return Hold(source, memberships.held, work);
    group = facts.FindGroup(selector.group());
    if (group == nullptr && facts.WasOurs(selector.group())) return;  // it is gone: nobody is in it
    if (group == nullptr) {
      return Hold(
          source,
          fmt::format("there is no group \"{}\" in {}", selector.group(), facts.source().name()),
          work);
    }
  }
  if (selector.where().has_active() && !selector.where().active()) return;
  TakeFitting(selector, source, group, work);
  HoldUnread(selector, source, work);
}

void RoleEvaluator::TakeFitting(const decl::RoleMember& selector, uint32_t source,
                                const SourceFacts::Group* group, Work* work) {
  SourceFacts& facts = people_->at(source);
  const auto asks = AsksOf(selector.where());
  Candidate candidate;
  candidate.what = group != nullptr ? fmt::format("group {}", selector.group())
                   : !asks.empty()  ? Describe(asks.front().first, asks.front().second)
                                    : std::string(facts.source().name());
  std::vector<std::pair<Attribute, std::string>> folded;
  folded.reserve(asks.size());
  for (const auto& [attribute, value] : asks) folded.emplace_back(attribute, FoldValue(value));
  const auto consider = [&](uint32_t user) {
    const bool fits = std::all_of(folded.begin(), folded.end(), [&](const auto& ask) {
      return Fits(facts, user, ask.first, ask.second);
    });
    if (!fits || (group != nullptr && !group->Holds(user))) return;
    const FactUser& one = facts.users()[user];
    candidate.ref = {source, user};
    candidate.needs.clear();
    const bool had = std::all_of(asks.begin(), asks.end(), [&](const auto& ask) {
      return !one.pending || facts.HadBefore(one, ask.first, ask.second);
    });
    if (!had) {
      candidate.needs.push_back({facts.source().target, {facts.user_kind(), std::string(one.key)}});
    }
    if (group != nullptr) {
      for (const object::ObjectKey& key : group->NeedsOf(user)) {
        candidate.needs.push_back({facts.source().target, key});
      }
    }
    Take(candidate, work);
  };
  if (group == nullptr && asks.empty()) {
    for (uint32_t user = 0; user < facts.users().size(); ++user) consider(user);
    return;
  }
  // The shortest list of users decides whom to look at.
  std::span<const uint32_t> list;
  if (group != nullptr) list = group->users;
  bool first = group == nullptr;
  for (const auto& [attribute, value] : asks) {
    const auto with = facts.With(attribute, value);
    if (first || with.size() < list.size()) list = with;
    first = false;
  }
  for (const uint32_t user : list) consider(user);
}

// Whether what the ledger calls so may be a user of the source.
bool RoleEvaluator::MayBeOf(std::string_view identity, uint32_t source) const {
  const FactIdentityParts parts = SplitFactIdentity(identity);
  if (!parts.target.empty()) {
    if (parts.target == people_->at(source).source().target) return true;
    // Joined people have the name of one half.
    return people_->DecidersOf(source).size() > 1;
  }
  // A declared identity: unless it is known to be shown by other sources alone.
  const auto facts = facts_of_.find(identity);
  if (facts == facts_of_.end()) return people_->at(source).source().objects == nullptr;
  return std::any_of(facts->second.begin(), facts->second.end(),
                     [&](FactRef ref) { return ref.source == source; }) ||
         people_->DecidersOf(source).size() > 1;
}

// Nothing is decided by this selector: who was in the role by it stays.
void RoleEvaluator::Hold(uint32_t source, const std::string& why, Work* work) {
  work->out.held_sources.emplace_back(people_->at(source).source().target, why);
  if (work->recorded == nullptr) return;
  for (std::string_view identity : *work->recorded) {
    if (!MayBeOf(identity, source)) continue;
    RoleMember member;
    member.identity = identity;
    member.face = FactOf(identity);
    member.held = why;
    Add(std::move(member), work);
  }
}

// Who was in the role and whose attributes couldn't be read now.
void RoleEvaluator::HoldUnread(const decl::RoleMember& selector, uint32_t source, Work* work) {
  if (work->recorded == nullptr || people_->at(source).source().is_iam() == false) return;
  uint64_t asked = 0;
  for (const auto& [attribute, value] : AsksOf(selector.where())) {
    asked |= uint64_t{1} << static_cast<size_t>(attribute);
  }
  if (asked == 0) return;
  for (std::string_view identity : *work->recorded) {
    const auto ref = FactOf(identity);
    if (!ref || ref->source != source || (people_->User(*ref).unreadable & asked) == 0) continue;
    RoleMember member;
    member.identity = identity;
    member.face = *ref;
    member.held = fmt::format("what decides couldn't be read of {} in {}", LabelOf(identity),
                              people_->at(source).source().name());
    Add(std::move(member), work);
  }
}

std::optional<FactRef> RoleEvaluator::FactOf(std::string_view identity) const {
  const FactIdentityParts parts = SplitFactIdentity(identity);
  if (parts.target.empty()) {
    const auto facts = facts_of_.find(identity);
    if (facts == facts_of_.end() || facts->second.empty()) return std::nullopt;
    return facts->second.front();
  }
  const uint32_t source = people_->SourceNamed(parts.target);
  if (source == people_->size()) return std::nullopt;
  std::string id(parts.id);
  for (const auto& [code, plain] : {std::pair("%23", "#"), std::pair("%25", "%")}) {
    for (size_t at = 0; (at = id.find(code, at)) != std::string::npos; ++at)
      id.replace(at, 3, plain);
  }
  const auto user = people_->at(source).ById(id);
  if (!user) return std::nullopt;
  return FactRef{source, *user};
}

// "left Marketing", with "lost department Marketing" for those who count; empty: it is in there.
std::string RoleEvaluator::WhyNot(const decl::RoleMember& selector, FactRef ref,
                                  std::string* fact) {
  if (selector.has_who() || people_->SourceOf(ref).target != TargetOf(selector)) return "";
  SourceFacts& facts = people_->at(ref.source);
  for (const auto& [attribute, value] : AsksOf(selector.where())) {
    if (Fits(facts, ref.user, attribute, FoldValue(value))) continue;
    std::string name(NameOf(attribute));
    std::replace(name.begin(), name.end(), '_', ' ');
    *fact = fmt::format("lost {} {}", name, value);
    return fmt::format("left {}", value);
  }
  if (!selector.has_group()) return "";
  const SourceFacts::Group* group = facts.FindGroup(selector.group());
  if (group != nullptr && group->Holds(ref.user)) return "";
  *fact = fmt::format("left group {}", selector.group());
  return *fact;
}

Departure RoleEvaluator::WhyGone(const decl::Role& role, std::string_view identity) {
  Departure departure;
  const std::string label(LabelOf(identity));
  const auto say = [&](std::string_view what, uint32_t source, const std::string& fact) {
    departure.cause = fmt::format("{} {}, {}", label, what, Seen(source));
    departure.fact = fact;
    departure.source = people_->at(source).source().target;
  };
  const auto ref = FactOf(identity);
  if (!ref) {
    const FactIdentityParts parts = SplitFactIdentity(identity);
    const uint32_t source = people_->SourceNamed(parts.target);
    if (parts.target.empty() || source == people_->size()) return departure;
    const std::string_view name = people_->at(source).source().name();
    say("", source, "are no longer there");
    const std::string time = TimeOf(people_->at(source).source().users.at, now_);
    departure.cause =
        fmt::format("{} is no longer in {}{}{}", label, name, time.empty() ? "" : ", seen ", time);
    return departure;
  }
  const Standing standing = people_->StandingOf(*ref);
  if (standing.verdict == Standing::Verdict::kInactive) {
    say("is inactive", standing.told.source, "became inactive");
    return departure;
  }
  for (const decl::RoleMember& selector : role.members().values()) {
    std::string fact;
    const std::string why = WhyNot(selector, *ref, &fact);
    if (why.empty()) continue;
    say(why, ref->source, fact);
    return departure;
  }
  return departure;
}

}  // namespace postern::compile
