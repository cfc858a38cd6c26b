#include "core/compile/roles.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

// "Marketing (department)"
std::string Describe(Attribute attribute, std::string_view value) {
  std::string name(NameOf(attribute));
  std::replace(name.begin(), name.end(), '_', ' ');
  return fmt::format("{} ({})", value, name);
}

}  // namespace

std::string TimeOf(base::Instant at, base::Instant now) {
  if (at == 0) return "";
  const std::string text = base::FormatInstant(at);
  const std::string time = text.substr(11, 5) + "Z";
  return text.substr(0, 10) == base::FormatInstant(now).substr(0, 10)
             ? time
             : text.substr(0, 10) + " " + time;
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

void RoleEvaluator::Declare(const std::string& identity, uint32_t source) {
  auto& homes = homes_of_[identity];
  if (std::find(homes.begin(), homes.end(), source) == homes.end()) homes.push_back(source);
}

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

bool RoleMember::Shows(FactRef ref) const {
  return std::find(halves.begin(), halves.end(), ref) != halves.end();
}

bool RoleMember::IsSame(const RoleMember& other) const {
  return identity == other.identity ||
         std::any_of(halves.begin(), halves.end(), [&](FactRef ref) { return other.Shows(ref); });
}

bool RoleMember::Was(std::string_view other, const People& people) const {
  if (other == identity || (!recorded.empty() && other == recorded)) return true;
  const FactIdentityParts had = SplitFactIdentity(other);
  if (had.target.empty()) return false;
  const auto is = [&](const std::string& name) {
    const FactIdentityParts has = SplitFactIdentity(name);
    return had.target == has.target && had.id == has.id;
  };
  return is(identity) || std::any_of(halves.begin(), halves.end(), [&](FactRef half) {
           const FactUser& user = people.User(half);
           return is(FactIdentity(people.SourceOf(half).target, user.name, user.id));
         });
}

RoleMembers RoleEvaluator::MembersOf(const config::Declared<decl::Role>& role) {
  Work work;
  const auto& selectors = role.message.members().values();
  for (int i = 0; i < selectors.size(); ++i) {
    selectors[i].has_who() ? Name(selectors[i].who(), &work) : Select(selectors[i], i, &work);
  }
  HoldRecorded(role.message, &work);
  return std::move(work.out);
}

// One identity stands once: what is certain wins, and of what is pending any one will do.
void RoleEvaluator::Add(RoleMember member, Work* work) {
  if (!member.held.empty()) {
    work->doubtful.push_back(std::move(member));
    return;
  }
  const auto [at, fresh] = work->position.try_emplace(member.identity, work->out.members.size());
  if (fresh) {
    work->out.members.push_back(std::move(member));
    return;
  }
  RoleMember& there = work->out.members[at->second];
  if (!there.needs.empty() && member.needs.empty()) there = std::move(member);
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
  RoleMember member;
  member.identity = identity;
  const auto homes = homes_of_.find(identity);
  if (homes != homes_of_.end()) {
    for (const uint32_t home : homes->second) {
      const std::string& held = people_->at(home).source().users.held;
      if (member.held.empty() && people_->Asks(home)) member.held = held;
    }
  }
  const auto facts = facts_of_.find(identity);
  if (facts != facts_of_.end()) {
    for (const FactRef ref : facts->second) {
      const Standing standing = people_->StandingOf(ref);
      if (standing.verdict == Standing::Verdict::kInactive) return;
      if (standing.verdict == Standing::Verdict::kUndecided) member.held = standing.why;
      if (standing.pending) member.needs.push_back(ChangeOf(standing.told));
      const bool iam = people_->SourceOf(standing.face).is_iam();
      if (!member.face || (iam && !people_->SourceOf(*member.face).is_iam())) {
        member.face = standing.face;
      }
      for (const FactRef half : standing.halves) {
        if (!member.Shows(half)) member.halves.push_back(half);
      }
    }
  }
  for (const FactRef half : member.halves) Read(half, &member.reads);
  Add(std::move(member), work);
}

PendingFact RoleEvaluator::ChangeOf(FactRef ref) const {
  return {people_->SourceOf(ref).target,
          {people_->at(ref.source).user_kind(), std::string(people_->User(ref).key)}};
}

void RoleEvaluator::Take(const Candidate& candidate, Work* work) {
  Standing standing = people_->StandingOf(candidate.ref);
  if (standing.verdict == Standing::Verdict::kInactive) return;
  RoleMember member;
  member.identity = people_->IdentityOf(standing.named);
  member.face = standing.face;
  member.halves = std::move(standing.halves);
  member.by = candidate.ref.source;
  if (standing.verdict == Standing::Verdict::kUndecided) {
    member.held = standing.why;
    return Add(std::move(member), work);
  }
  if (!candidate.what.empty()) {
    member.cause = fmt::format("{} is in {}, {}", LabelOf(member.identity), candidate.what,
                               Seen(candidate.ref.source));
  }
  member.needs = candidate.needs;
  member.asked = candidate.asked;
  for (const FactRef half : member.halves) Read(half, &member.reads);
  for (const object::ObjectView* membership : candidate.memberships) {
    member.reads.push_back({candidate.ref.source, membership});
  }
  if (standing.pending) member.needs.push_back(ChangeOf(standing.told));
  Add(std::move(member), work);
}

// What this plan makes itself is among its own changes.
void RoleEvaluator::Read(FactRef ref, FactReads* reads) const {
  const object::ObjectView* user = people_->User(ref).observed;
  if (user != nullptr) reads->push_back({ref.source, user});
}

std::string RoleEvaluator::NoSuchGroup(const decl::RoleMember& selector, uint32_t source) const {
  return fmt::format("there is no group \"{}\" in {}", selector.group(),
                     people_->at(source).source().name());
}

void RoleEvaluator::Select(const decl::RoleMember& selector, int position, Work* work) {
  const uint32_t source = people_->SourceNamed(TargetOf(selector));
  if (source == people_->size()) return;  // the loader has said so
  if (selector.where().has_active() && !selector.where().active()) return;
  SourceFacts& facts = people_->at(source);
  const auto wait = [&](std::string why) {
    work->out.held_sources.emplace_back(facts.source().target, std::move(why));
  };
  if (!facts.source().users.held.empty()) return wait(facts.source().users.held);
  const SourceFacts::Group* group = nullptr;
  if (selector.has_group()) {
    const Reading& memberships = facts.source().memberships;
    if (!memberships.held.empty()) return wait(memberships.held);
    group = facts.FindGroup(selector.group());
    if (group == nullptr && facts.WasOurs(selector.group())) return;  // it is gone: nobody is in it
    if (group == nullptr) {
      work->out.missing_groups.push_back(position);
      return wait(NoSuchGroup(selector, source));
    }
  }
  TakeFitting(selector, source, group, work);
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
  for (const auto& [attribute, value] : asks) {
    folded.emplace_back(attribute, FoldValue(value));
    candidate.asked |= static_cast<uint16_t>(1U << static_cast<unsigned>(attribute));
  }
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
      candidate.needs.push_back(ChangeOf(candidate.ref));
    }
    if (group != nullptr) {
      for (const object::ObjectKey& key : group->NeedsOf(user)) {
        candidate.needs.push_back({facts.source().target, key});
      }
      candidate.memberships = group->WayTo(user);
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

}  // namespace postern::compile
