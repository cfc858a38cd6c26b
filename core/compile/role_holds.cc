// Who stays in a role as recorded: whom the ledger knows in it, no selector takes for certain, and
// a source leaves open. And why somebody isn't in it any more.
#include <fmt/format.h>

#include <algorithm>

#include "core/compile/roles.h"

namespace postern::compile {
namespace {

std::string Spelled(Attribute attribute) {
  std::string name(NameOf(attribute));
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

bool Contains(const auto& list, const auto& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

RoleEvaluator::Known RoleEvaluator::KnownOf(std::string_view identity) const {
  Known known;
  known.identity = identity;
  const FactIdentityParts parts = SplitFactIdentity(identity);
  if (parts.target.empty()) {
    const auto homes = homes_of_.find(identity);
    if (homes != homes_of_.end()) known.homes.assign(homes->second.begin(), homes->second.end());
    const auto facts = facts_of_.find(identity);
    if (facts != facts_of_.end()) known.own = facts->second;
    return known;
  }
  const uint32_t source = people_->SourceNamed(parts.target);
  if (source == people_->size()) return known;
  known.homes.push_back(source);
  const auto user = people_->at(source).ById(IdOf(parts));
  if (user) known.own.push_back({source, *user});
  return known;
}

std::optional<std::string> RoleEvaluator::KnownAs(std::string_view identity) {
  const Known known = KnownOf(identity);
  if (known.own.empty()) return std::nullopt;
  return people_->IdentityOf(people_->StandingOf(known.own.front()).named);
}

void RoleEvaluator::HoldRecorded(const decl::Role& role, Work* work) {
  const auto* recorded = recorded_.In(role.name());
  std::vector<Known> open;
  if (recorded != nullptr) open = OpenOf(*recorded, work);
  if (!open.empty()) {
    HoldDoubtful(work, &open);
    for (const decl::RoleMember& selector : role.members().values()) {
      if (!selector.has_who()) HoldBy(selector, &open);
    }
  }
  const size_t certain = work->out.members.size();
  for (Known& known : open) {
    if (known.held.empty()) continue;
    RoleMember member;
    member.identity = known.identity;
    member.recorded = known.identity;
    member.halves = std::move(known.own);
    member.held = std::move(known.held);
    member.by = known.by;
    work->out.members.push_back(std::move(member));
  }
  TellNewcomers(certain, work);
}

// Whom the ledger knows and no selector took. Who was taken is known by its name, or by a user that
// shows it: people get other names.
std::vector<RoleEvaluator::Known> RoleEvaluator::OpenOf(const RecordedRoles::Identities& recorded,
                                                        Work* work) {
  std::vector<Known> open;
  auto& members = work->out.members;
  for (std::string_view identity : recorded) {
    const auto at = work->position.find(std::string(identity));
    if (at == work->position.end()) {
      open.push_back(KnownOf(identity));
    } else {
      members[at->second].recorded = identity;
    }
  }
  if (open.empty()) return open;
  absl::flat_hash_map<FactRef, size_t> taken;
  for (size_t i = 0; i < members.size(); ++i) {
    for (const FactRef half : members[i].halves) taken.try_emplace(half, i);
  }
  std::erase_if(open, [&](const Known& known) {
    for (const FactRef ref : known.own) {
      const auto at = taken.find(ref);
      if (at == taken.end()) continue;
      RoleMember& member = members[at->second];
      if (member.recorded.empty()) member.recorded = known.identity;
      return true;
    }
    return false;
  });
  return open;
}

// Whom a selector finds, and whether they are active is open.
void RoleEvaluator::HoldDoubtful(Work* work, std::vector<Known>* open) {
  if (work->doubtful.empty()) return;
  absl::flat_hash_map<FactRef, const RoleMember*> by_half;
  absl::flat_hash_map<std::string_view, const RoleMember*> by_name;
  for (const RoleMember& member : work->doubtful) {
    by_name.try_emplace(member.identity, &member);
    for (const FactRef half : member.halves) by_half.try_emplace(half, &member);
  }
  const auto hold = [](const RoleMember& by, Known* known) {
    known->held = by.held;
    known->by = by.by;
  };
  for (Known& known : *open) {
    if (const auto at = by_name.find(known.identity); at != by_name.end())
      hold(*at->second, &known);
    for (const FactRef ref : known.own) {
      const auto at = by_half.find(ref);
      if (at != by_half.end() && known.held.empty()) hold(*at->second, &known);
    }
  }
}

void RoleEvaluator::HoldBy(const decl::RoleMember& selector, std::vector<Known>* open) {
  const uint32_t source = people_->SourceNamed(TargetOf(selector));
  if (source == people_->size()) return;
  if (selector.where().has_active() && !selector.where().active()) return;
  std::optional<std::string> unjoined;
  for (Known& known : *open) {
    if (!known.held.empty() || IsOut(source, known)) continue;
    known.by = source;
    known.held = Doubt(selector, source, known);
    if (!known.held.empty() || !people_->joined() || Contains(known.homes, source)) continue;
    if (!ShownIn(source, known, &known.held).empty()) continue;
    if (!unjoined) unjoined = UnjoinedFitting(selector, source);
    known.held = *unjoined;
  }
}

// A source that was read whole and says no decides, whatever else is open: he isn't active, or no
// longer there.
bool RoleEvaluator::IsOut(uint32_t source, const Known& known) {
  if (known.homes.empty()) return true;  // declared no longer
  if (known.own.empty()) {
    return !SplitFactIdentity(known.identity).target.empty() &&
           people_->at(known.homes.front()).source().users.held.empty();
  }
  return std::any_of(known.own.begin(), known.own.end(), [&](FactRef ref) {
    return (people_->joined() || ref.source == source) &&
           people_->StandingOf(ref).verdict == Standing::Verdict::kInactive;
  });
}

// Why a source leaves open whether somebody is in the role by the selector; empty: he isn't.
std::string RoleEvaluator::Doubt(const decl::RoleMember& selector, uint32_t source,
                                 const Known& known) {
  if (!people_->joined() && !Contains(known.homes, source)) return "";
  const std::string& held = people_->at(source).source().users.held;
  if (!held.empty()) return held;
  std::string open;
  for (const FactRef ref : ShownIn(source, known, &open)) {
    std::string why;
    if (FitOf(selector, ref, &why) == Fit::kUnknown) return why;
  }
  return open;
}

// The users of a source that was read which show somebody. `open`: why there may be one that isn't
// known for his.
FactRefs RoleEvaluator::ShownIn(uint32_t source, const Known& known, std::string* open) {
  FactRefs shown;
  for (const FactRef ref : known.own) {
    if (ref.source == source) shown.push_back(ref);
  }
  if (!shown.empty() || !people_->joined()) return shown;
  std::string why;
  for (const uint32_t home : known.homes) {
    if (home != source && why.empty()) why = people_->at(home).source().users.held;
  }
  for (const FactRef ref : known.own) {
    const Standing standing = people_->StandingOf(ref);
    for (const FactRef half : standing.halves) {
      if (half.source == source) shown.push_back(half);
    }
    if (!why.empty()) continue;
    why = standing.ambiguous ? standing.why : people_->WhyUnjoined(ref);
  }
  if (shown.empty()) *open = std::move(why);
  return shown;
}

// Of users that may be anybody, as what joins them couldn't be read: whether one fits.
std::string RoleEvaluator::UnjoinedFitting(const decl::RoleMember& selector, uint32_t source) {
  const auto unjoined = people_->Unjoined(source);
  const bool any = std::any_of(unjoined.begin(), unjoined.end(), [&](uint32_t user) {
    std::string why;
    return FitOf(selector, {source, user}, &why) != Fit::kNo;
  });
  return any ? people_->UnjoinedText(source) : "";
}

// One condition that is read and isn't met decides, whatever of the others is open.
RoleEvaluator::Fit RoleEvaluator::FitOf(const decl::RoleMember& selector, FactRef ref,
                                        std::string* why) {
  SourceFacts& facts = people_->at(ref.source);
  const FactUser& user = people_->User(ref);
  for (const auto& [attribute, value] : AsksOf(selector.where())) {
    if (Fits(facts, ref.user, attribute, FoldValue(value))) continue;
    if (!IsUnread(user, attribute)) return Fit::kNo;
    *why =
        fmt::format("what decides couldn't be read of {} in {}", user.name, facts.source().name());
  }
  if (selector.has_group()) {
    const Reading& memberships = facts.source().memberships;
    const SourceFacts::Group* group = facts.FindGroup(selector.group());
    if (!memberships.held.empty()) {
      *why = memberships.held;
    } else if (group != nullptr) {
      if (!group->Holds(ref.user)) return Fit::kNo;
    } else if (facts.WasOurs(selector.group())) {
      return Fit::kNo;
    } else {
      *why = NoSuchGroup(selector, ref.source);
    }
  }
  return why->empty() ? Fit::kYes : Fit::kUnknown;
}

// Who comes to the role and has to wait: said once of a person, also where the source that is
// silent would show it by another name.
void RoleEvaluator::TellNewcomers(size_t certain, Work* work) {
  absl::flat_hash_set<std::string> said;
  absl::flat_hash_set<FactRef> held;
  for (size_t i = certain; i < work->out.members.size(); ++i) {
    const RoleMember& member = work->out.members[i];
    said.emplace(LabelOf(member.identity));
    held.insert(member.halves.begin(), member.halves.end());
  }
  for (RoleMember& member : work->doubtful) {
    if (work->position.contains(member.identity)) continue;
    const bool known = std::any_of(member.halves.begin(), member.halves.end(),
                                   [&](FactRef half) { return held.contains(half); });
    if (known || !said.emplace(LabelOf(member.identity)).second) continue;
    member.face.reset();
    work->out.members.push_back(std::move(member));
  }
}

// "left Marketing", with "lost department Marketing" for those who count; empty: it is in there.
std::string RoleEvaluator::WhyNot(const decl::RoleMember& selector, FactRef ref,
                                  std::string* fact) {
  if (selector.has_who() || people_->SourceOf(ref).target != TargetOf(selector)) return "";
  SourceFacts& facts = people_->at(ref.source);
  for (const auto& [attribute, value] : AsksOf(selector.where())) {
    if (Fits(facts, ref.user, attribute, FoldValue(value))) continue;
    if (IsUnread(people_->User(ref), attribute)) continue;
    *fact = fmt::format("lost {} {}", Spelled(attribute), value);
    return fmt::format("left {}", value);
  }
  if (!selector.has_group() || !facts.source().memberships.held.empty()) return "";
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
  const Known known = KnownOf(identity);
  if (known.own.empty()) {
    if (SplitFactIdentity(identity).target.empty() || known.homes.empty()) return departure;
    const IdentitySource& source = people_->at(known.homes.front()).source();
    if (!source.users.held.empty()) return departure;
    say("", known.homes.front(), "are no longer there");
    const std::string time = TimeOf(source.users.at, now_);
    departure.cause = fmt::format("{} is no longer in {}{}{}", label, source.name(),
                                  time.empty() ? "" : ", seen ", time);
    return departure;
  }
  FactRefs halves;
  for (const FactRef ref : known.own) {
    const Standing standing = people_->StandingOf(ref);
    for (const FactRef half : standing.halves) Read(half, &departure.reads);
    if (standing.verdict == Standing::Verdict::kInactive) {
      say("is inactive", standing.told.source, "became inactive");
      return departure;
    }
    halves.insert(halves.end(), standing.halves.begin(), standing.halves.end());
  }
  for (const decl::RoleMember& selector : role.members().values()) {
    for (const FactRef half : halves) {
      std::string fact;
      const std::string why = WhyNot(selector, half, &fact);
      if (why.empty()) continue;
      say(why, half.source, fact);
      return departure;
    }
  }
  return departure;
}

}  // namespace postern::compile
