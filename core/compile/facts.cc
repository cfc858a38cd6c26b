#include "core/compile/facts.h"

#include <algorithm>
#include <set>

#include "core/compile/desired.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::compile {
namespace {

using object::Kind;
using object::ObjectView;

constexpr std::string_view kNames[] = {"department", "division",  "organization",    "cost_center",
                                       "title",      "user_type", "employee_number", "external_id",
                                       "user_name",  "mail"};

// Number of the attribute's field in the kind's message; 0: it has none.
uint32_t FieldOf(bool iam, Attribute attribute) {
  using I = kinds::IamUser;
  using D = kinds::User;
  static constexpr uint32_t kIam[] = {I::kDepartmentFieldNumber,     I::kDivisionFieldNumber,
                                      I::kOrganizationFieldNumber,   I::kCostCenterFieldNumber,
                                      I::kTitleFieldNumber,          I::kUserTypeFieldNumber,
                                      I::kEmployeeNumberFieldNumber, I::kExternalIdFieldNumber,
                                      I::kUserNameFieldNumber,       I::kMailFieldNumber};
  static constexpr uint32_t kDirectory[] = {
      0, 0, 0, 0, 0, 0, D::kEmployeeNumberFieldNumber, 0, D::kUidFieldNumber, D::kMailFieldNumber};
  return (iam ? kIam : kDirectory)[static_cast<size_t>(attribute)];
}

uint32_t ActiveField(bool iam) {
  if (iam) return kinds::IamUser::kActiveFieldNumber;
  return kinds::User::kEnabledFieldNumber;
}

// Field number -> attribute, for one walk over a body.
std::array<int8_t, 32> AttributesByField(bool iam) {
  std::array<int8_t, 32> out;
  out.fill(-1);
  for (size_t i = 0; i <= kTextAttributes; ++i) {
    const uint32_t field = FieldOf(iam, static_cast<Attribute>(i));
    if (field != 0) out[field] = static_cast<int8_t>(i);
  }
  return out;
}

bool HasValue(std::string_view collection, std::string_view folded) {
  const auto elements = object::Elements(collection);
  return std::any_of(elements.begin(), elements.end(),
                     [&](std::string_view one) { return FoldValue(one) == folded; });
}

// Calls `each(key, observed, desired, recorded)` for every key of the kind, in order.
template <class Each>
void MergeKind(Kind kind, const object::ObjectSet& observed, const DesiredTarget* desired,
               const std::vector<ledger::Recorded>* recorded, const Each& each) {
  const auto live = observed.OfKind(kind);
  const auto first = [&](const auto& list) {
    return std::partition_point(list.begin(), list.end(),
                                [&](const auto& one) { return one.kind < kind; });
  };
  static const std::vector<DesiredObject> kNoDesired;
  static const std::vector<ledger::Recorded> kNoRecorded;
  const auto& wanted = desired == nullptr ? kNoDesired : desired->objects;
  const auto& known = recorded == nullptr ? kNoRecorded : *recorded;
  auto l = live.begin();
  auto w = first(wanted);
  auto r = first(known);
  const auto here = [&](const auto& at, const auto& end) { return at != end && at->kind == kind; };
  for (;;) {
    std::optional<std::string_view> key;
    const auto consider = [&](std::string_view other) {
      key = key ? std::min(*key, other) : other;
    };
    if (here(l, live.end())) consider(l->key);
    if (here(w, wanted.end())) consider(w->key);
    if (here(r, known.end())) consider(r->key);
    if (!key) return;
    const std::string_view at = *key;
    const ObjectView* observed_one = here(l, live.end()) && l->key == at ? &*l++ : nullptr;
    const DesiredObject* desired_one = nullptr;
    while (here(w, wanted.end()) && w->key == at) desired_one = &*w++;
    const ledger::Recorded* recorded_one = nullptr;
    while (here(r, known.end()) && r->key == at) recorded_one = &*r++;
    each(at, observed_one, desired_one, recorded_one);
  }
}

std::string_view ContainerOf(std::string_view membership) {
  return membership.substr(0, membership.find(object::kKeySeparator));
}

}  // namespace

std::string FoldValue(std::string_view value) {
  return object::Normalise(object::Comparator::kCaseIgnore, value);
}

std::string_view NameOf(Attribute attribute) {
  return kNames[static_cast<size_t>(attribute)];
}

bool Has(bool iam, Attribute attribute) {
  return FieldOf(iam, attribute) != 0;
}

SourceFacts::SourceFacts(const IdentitySource& source, const DesiredTarget* desired,
                         const std::vector<ledger::Recorded>* recorded, const OwnerOf& owner_of)
    : source_(source), recorded_(recorded) {
  if (source.objects == nullptr) return;
  TakeUsers(desired, recorded, owner_of);
  TakeMemberships(desired, recorded);
  if (desired != nullptr) TakeNewGroups(desired);
}

object::Kind SourceFacts::user_kind() const {
  return source_.is_iam() ? Kind::kIamUser : Kind::kUser;
}

// As the plan finds them (core/plan/renames.cc): the declaration stands and asks for another key,
// or other hands have moved what is ours.
SourceFacts::Renamed SourceFacts::FindRenamed(const DesiredTarget* desired,
                                              const std::vector<ledger::Recorded>* recorded,
                                              const OwnerOf& owner_of) const {
  Renamed renamed;
  if (desired == nullptr || recorded == nullptr || !owner_of) return renamed;
  std::map<std::string_view, const ObjectView*> by_owner;  // of who isn't wanted by that key
  std::map<std::string_view, std::pair<const DesiredObject*, const ledger::Recorded*>> missing;
  std::set<std::string_view> strangers;
  MergeKind(user_kind(), *source_.objects, desired, recorded,
            [&](std::string_view key, const ObjectView* live, const DesiredObject* wanted,
                const ledger::Recorded* known) {
              if (wanted != nullptr && live == nullptr) missing[key] = {wanted, known};
              if (wanted != nullptr || live == nullptr || live->id.empty()) return;
              if (known == nullptr) strangers.insert(live->id);
              if (known != nullptr && known->retired_at == 0) by_owner[known->owner] = live;
            });
  if (missing.empty() || (by_owner.empty() && strangers.empty())) return renamed;
  std::map<std::string_view, const ObjectView*> by_id;
  for (const ObjectView& user : source_.objects->OfKind(user_kind())) {
    if (strangers.contains(user.id)) by_id[user.id] = &user;
  }
  for (const auto& [key, one] : missing) {
    const auto& [wanted, known] = one;
    if (known != nullptr && !known->id.empty()) {
      if (const auto moved = by_id.find(known->id); moved != by_id.end()) {
        renamed[wanted->key] = moved->second;
      }
      continue;
    }
    const auto same = by_owner.find(owner_of(*wanted));
    if (known == nullptr && same != by_owner.end()) renamed[wanted->key] = same->second;
  }
  return renamed;
}

void SourceFacts::TakeUsers(const DesiredTarget* desired,
                            const std::vector<ledger::Recorded>* recorded,
                            const OwnerOf& owner_of) {
  users_.reserve(source_.objects->OfKind(user_kind()).size());
  const Renamed renamed = FindRenamed(desired, recorded, owner_of);
  std::set<const ObjectView*> moving;
  for (const auto& [key, live] : renamed) moving.insert(live);
  MergeKind(user_kind(), *source_.objects, desired, recorded,
            [&](std::string_view key, const ObjectView* live, const DesiredObject* wanted,
                const ledger::Recorded* known) {
              if (live != nullptr && moving.contains(live)) return;  // told by the new key
              if (const auto moved = renamed.find(key); moved != renamed.end()) {
                return AddUser(moved->second, wanted->body, wanted->key, false);
              }
              if (live == nullptr && wanted == nullptr) return;
              // Ours and declared no longer: disabled by this plan.
              const bool retired = wanted == nullptr && known != nullptr;
              AddUser(live, wanted == nullptr ? std::string_view() : wanted->body, key, retired);
            });
  by_key_.reserve(users_.size());
  for (uint32_t i = 0; i < users_.size(); ++i) {
    by_key_.emplace(users_[i].key, i);
    // Memberships have the old name until it goes.
    if (users_[i].observed != nullptr) by_key_.emplace(users_[i].observed->key, i);
  }
}

void SourceFacts::AddUser(const ObjectView* observed, std::string_view wanted, std::string_view key,
                          bool retired) {
  static const std::array<int8_t, 32> kOfIam = AttributesByField(true);
  static const std::array<int8_t, 32> kOfDirectory = AttributesByField(false);
  const bool iam = source_.is_iam();
  const auto& attributes = iam ? kOfIam : kOfDirectory;
  FactUser user;
  user.key = observed != nullptr && observed->key == key ? observed->key : key;
  user.observed = observed;
  std::string_view body = observed != nullptr ? observed->body : wanted;
  if (observed != nullptr) {
    user.id = observed->id;
    if (!wanted.empty() && !object::Satisfies(user_kind(), wanted, body)) {
      bodies_.push_back(object::Overlay(user_kind(), body, wanted));
      body = bodies_.back();
      user.pending = true;
    }
  } else {
    user.pending = true;
  }
  const uint32_t active = ActiveField(iam);
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == active) user.active = field.varint != 0;
    if (iam && field.number == kinds::IamUser::kSshKeysFieldNumber) user.ssh_keys = field.bytes;
    if (field.number >= attributes.size() || attributes[field.number] < 0) continue;
    const auto attribute = size_t{static_cast<uint8_t>(attributes[field.number])};
    (attribute == kTextAttributes ? user.mail : user.text[attribute]) = field.bytes;
  }
  if (observed != nullptr && observed->unreadable != 0) {
    const uint64_t missing = observed->unreadable & ~object::FieldsSet(wanted);
    user.active_known = (missing >> active & 1) == 0;
    user.keys_known = !iam || (missing >> kinds::IamUser::kSshKeysFieldNumber & 1) == 0;
    for (size_t i = 0; i <= kTextAttributes; ++i) {
      const uint32_t number = FieldOf(iam, static_cast<Attribute>(i));
      if (number == 0 || (missing >> number & 1) == 0) continue;
      user.unreadable |= uint64_t{1} << i;
      unread_[i].push_back(static_cast<uint32_t>(users_.size()));
    }
  }
  if (retired) {
    user.pending = user.pending || user.active;
    user.active = false;
    user.active_known = true;
  }
  user.name = user.text[static_cast<size_t>(Attribute::kUserName)];
  if (user.name.empty()) user.name = user.key;
  users_.push_back(user);
}

void SourceFacts::TakeMemberships(const DesiredTarget* desired,
                                  const std::vector<ledger::Recorded>* recorded) {
  const Kind kind = source_.is_iam() ? Kind::kIamMembership : Kind::kMembership;
  MergeKind(kind, *source_.objects, desired, recorded,
            [&](std::string_view key, const ObjectView* live, const DesiredObject* wanted,
                const ledger::Recorded* known) {
              bool after = wanted != nullptr;
              if (!after && live != nullptr && known == nullptr) {
                // By other hands: it goes where the set is ours entirely.
                const auto authority =
                    desired == nullptr
                        ? std::map<std::pair<Kind, std::string>, Authority>::const_iterator()
                        : desired->authority.find({kind, std::string(ContainerOf(key))});
                after = desired == nullptr || authority == desired->authority.end() ||
                        authority->second != Authority::kExact;
              }
              if (live != nullptr || after) AddEdge(live != nullptr ? live->key : key, live, after);
            });
}

// Also one that nobody is in yet is there after this plan.
void SourceFacts::TakeNewGroups(const DesiredTarget* desired) {
  const Kind kind = source_.is_iam() ? Kind::kIamGroup : Kind::kDirectoryGroup;
  for (const DesiredObject& group : desired->objects) {
    if (group.kind != kind || source_.objects->Find(kind, group.key) != nullptr) continue;
    std::string_view set = group.key;
    if (source_.is_iam()) set = bodies_.emplace_back("group:" + std::string(group.key));
    nodes_.try_emplace(set);
  }
}

void SourceFacts::AddEdge(std::string_view key, const ObjectView* live, bool after) {
  const bool before = live != nullptr;
  const std::string_view set = ContainerOf(key);
  std::string_view member = key.substr(set.size() + 1);
  const std::string_view by = before ? std::string_view() : key;
  Node& node = nodes_[set];
  std::optional<uint32_t> user;
  if (!source_.is_iam()) {
    user = ByKey(member);  // in a directory a member may be a group; whoever is neither is nobody
  } else if (member.starts_with("user:")) {
    user = ByKey(member.substr(5));
    if (!user) return;
  }
  if (user) {
    if (after) node.users.push_back(*user);
    if (after) node.memberships.push_back(live);
    if (after && !before) node.new_users.emplace_back(*user, by);
    if (!after) node.gone_users.push_back(*user);
    return;
  }
  if (after) node.groups.push_back({member, by, live});
  if (!after) node.gone_groups.push_back(member);
}

std::optional<uint32_t> SourceFacts::ByKey(std::string_view key) const {
  const auto at = by_key_.find(key);
  if (at == by_key_.end()) return std::nullopt;
  return at->second;
}

std::optional<uint32_t> SourceFacts::ById(std::string_view id) {
  if (!by_id_) {
    by_id_.emplace();
    by_id_->reserve(users_.size());
    for (uint32_t i = 0; i < users_.size(); ++i) {
      if (!users_[i].id.empty()) by_id_->try_emplace(users_[i].id, i);
    }
  }
  const auto at = by_id_->find(id);
  if (at == by_id_->end()) return std::nullopt;
  return at->second;
}

std::span<const uint32_t> SourceFacts::With(Attribute attribute, std::string_view value) {
  auto& index = indexes_[static_cast<size_t>(attribute)];
  if (!index) {
    index.emplace();
    for (uint32_t i = 0; i < users_.size(); ++i) {
      if (attribute == Attribute::kMail) {
        for (std::string_view one : object::Elements(users_[i].mail)) {
          auto& list = (*index)[FoldValue(one)];
          if (list.empty() || list.back() != i) list.push_back(i);
        }
      } else if (const auto text = users_[i].text[static_cast<size_t>(attribute)]; !text.empty()) {
        (*index)[FoldValue(text)].push_back(i);
      }
    }
  }
  const auto at = index->find(FoldValue(value));
  if (at == index->end()) return {};
  return at->second;
}

bool SourceFacts::HadBefore(const FactUser& user, Attribute attribute,
                            std::string_view value) const {
  if (user.observed == nullptr) return false;
  const uint32_t number = FieldOf(source_.is_iam(), attribute);
  object::FieldWalker walker(user.observed->body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number != number) continue;
    const std::string folded = FoldValue(value);
    return attribute == Attribute::kMail ? HasValue(field.bytes, folded)
                                         : FoldValue(field.bytes) == folded;
  }
  return false;
}

bool SourceFacts::WasActive(const FactUser& user) const {
  if (user.observed == nullptr) return false;
  const uint32_t number = ActiveField(source_.is_iam());
  object::FieldWalker walker(user.observed->body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == number) return field.varint != 0;
  }
  return true;
}

}  // namespace postern::compile
