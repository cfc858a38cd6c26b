// Groups of a source: who is in them now and after this plan, and by which of its changes.
#include <algorithm>
#include <deque>

#include "core/compile/facts.h"

namespace postern::compile {
namespace {

using object::Kind;
using object::ObjectView;

std::vector<uint32_t> SortedUnique(std::vector<uint32_t> list) {
  if (!std::is_sorted(list.begin(), list.end())) std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

// "cn=ops" of "cn=ops,ou=groups,dc=x"
std::string_view FirstPart(std::string_view dn) {
  for (size_t i = 0; i < dn.size(); ++i) {
    if (dn[i] == ',') return dn.substr(0, i);
    if (dn[i] == '\\') ++i;
  }
  return dn;
}

}  // namespace

// Key of the sets' nodes; empty: no such group is there.
std::string SourceFacts::GroupKey(std::string_view name) {
  if (source_.is_iam()) {
    const std::string key = object::MakeKey(Kind::kIamGroup, {name});
    std::string set = "group:" + key;
    const bool there = source_.objects->Find(Kind::kIamGroup, key) != nullptr;
    return there || nodes_.contains(set) ? set : std::string();
  }
  std::string dn = object::Normalise(object::Comparator::kDn, name);
  if (source_.objects->Find(Kind::kDirectoryGroup, dn) != nullptr || nodes_.contains(dn)) return dn;
  // By its first name: the one group of that name.
  if (!first_names_) {
    first_names_.emplace();
    for (const ObjectView& group : source_.objects->OfKind(Kind::kDirectoryGroup)) {
      const auto [at, fresh] = first_names_->try_emplace(FirstPart(group.key), group.key);
      if (!fresh) at->second = {};
    }
    for (const auto& [set, node] : nodes_) {  // those that this plan makes
      const auto [at, fresh] = first_names_->try_emplace(FirstPart(set), set);
      if (!fresh && at->second != set) at->second = {};
    }
  }
  const auto at = first_names_->find("cn=" + FoldValue(name));
  return at == first_names_->end() ? std::string() : std::string(at->second);
}

bool SourceFacts::WasOurs(std::string_view group) {
  if (recorded_ == nullptr) return false;
  const Kind kind = source_.is_iam() ? Kind::kIamGroup : Kind::kDirectoryGroup;
  if (!ours_) {
    ours_.emplace();
    for (const ledger::Recorded& row : *recorded_) {
      if (row.kind != kind) continue;
      ours_->insert(row.key);
      if (!source_.is_iam()) ours_->emplace(FirstPart(row.key));
    }
  }
  return ours_->contains(object::MakeKey(kind, {group})) ||
         (!source_.is_iam() && ours_->contains("cn=" + FoldValue(group)));
}

// Users of the node by memberships that are there and stay. Both lists are in the order of users.
template <class Each>
void SourceFacts::ForStanding(const Node& node, const Each& each) {
  auto fresh = node.new_users.begin();
  for (const uint32_t user : node.users) {
    if (fresh != node.new_users.end() && fresh->first == user) {
      ++fresh;
    } else {
      each(user);
    }
  }
}

// From a group down to who is in it after this plan. By memberships that stand first: whoever is
// reached by one that this plan adds has no way without it. Groups in a circle are walked once.
class SourceFacts::Walk {
 public:
  Walk(const SourceFacts& facts, std::string_view group) : facts_(facts) {
    Visit({group, {kNone, {}}, {}});
    while (!open_.empty()) {
      const Open next = open_.front();
      open_.pop_front();
      Visit(next);
    }
  }
  // Of several ways to a user one that stands.
  void TakeUsers(Group* group) {
    std::stable_sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
      if (a.user != b.user) return a.user < b.user;
      return a.way.membership != nullptr && b.way.membership == nullptr;
    });
    for (const Found& one : found_) {
      if (!group->users.empty() && group->users.back() == one.user) continue;
      group->users.push_back(one.user);
      group->of_users.push_back(one.way);
    }
    group->sets = std::move(sets_);
  }
  bool any_pending() const { return !pending_.empty(); }

  // Who isn't among `before`, with what brings him there.
  std::vector<std::pair<uint32_t, std::vector<object::ObjectKey>>> Newcomers(
      const std::vector<uint32_t>& before) {
    std::stable_sort(pending_.begin(), pending_.end(),
                     [](const Pending& a, const Pending& b) { return a.user < b.user; });
    std::vector<std::pair<uint32_t, std::vector<object::ObjectKey>>> out;
    for (const Pending& one : pending_) {
      if (!out.empty() && out.back().first == one.user) continue;
      if (std::binary_search(before.begin(), before.end(), one.user)) continue;
      out.emplace_back(one.user, KeysOf(one.way));
    }
    return out;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  // The last new membership on the way here, and the one above it; none: all of them stand.
  struct Way {
    uint32_t above = kNone;  // in ways_
    std::string_view by;
  };
  struct Pending {
    uint32_t user = 0;
    Way way;
  };
  struct Found {
    uint32_t user = 0;
    Group::Way way;
  };
  struct Open {
    std::string_view set;
    Way way;
    Group::Way from;  // as all of it was observed
  };

  void Visit(const Open& open) {
    const Way& way = open.way;
    if (!seen_.insert(open.set).second) return;
    const auto at = facts_.nodes_.find(open.set);
    if (at == facts_.nodes_.end()) return;
    const Node& node = at->second;
    const auto set = static_cast<uint32_t>(sets_.size());
    sets_.push_back(open.from);
    for (size_t i = 0; i < node.users.size(); ++i) {
      found_.push_back({node.users[i], {node.memberships[i], set}});
    }
    uint32_t here = kNone;
    if (!way.by.empty()) {
      here = static_cast<uint32_t>(ways_.size());
      ways_.push_back(way);
      ForStanding(node, [&](uint32_t user) { pending_.push_back({user, way}); });
    }
    for (const auto& [user, by] : node.new_users) pending_.push_back({user, {here, by}});
    for (const Inner& inner : node.groups) {
      if (inner.by.empty()) {
        open_.push_front({inner.set, way, {inner.membership, set}});
      } else {
        open_.push_back({inner.set, {here, inner.by}, {nullptr, set}});
      }
    }
  }

  std::vector<object::ObjectKey> KeysOf(Way way) const {
    const Kind kind = facts_.source_.is_iam() ? Kind::kIamMembership : Kind::kMembership;
    std::vector<object::ObjectKey> keys;
    for (;;) {
      keys.push_back({kind, std::string(way.by)});
      if (way.above == kNone) return keys;
      way = ways_[way.above];
    }
  }

  const SourceFacts& facts_;
  absl::flat_hash_set<std::string_view> seen_;
  std::deque<Open> open_;
  std::vector<Found> found_;
  std::vector<Group::Way> sets_;
  std::vector<Way> ways_;
  std::vector<Pending> pending_;
};

// Who is in the group now.
std::vector<uint32_t> SourceFacts::UsersBefore(std::string_view group) const {
  std::vector<uint32_t> users;
  absl::flat_hash_set<std::string_view> seen{group};
  std::vector<std::string_view> open{group};
  while (!open.empty()) {
    const auto at = nodes_.find(open.back());
    open.pop_back();
    if (at == nodes_.end()) continue;
    const Node& node = at->second;
    ForStanding(node, [&](uint32_t user) { users.push_back(user); });
    users.insert(users.end(), node.gone_users.begin(), node.gone_users.end());
    for (const Inner& inner : node.groups) {
      if (inner.by.empty() && seen.insert(inner.set).second) open.push_back(inner.set);
    }
    for (std::string_view inner : node.gone_groups) {
      if (seen.insert(inner).second) open.push_back(inner);
    }
  }
  return SortedUnique(std::move(users));
}

bool SourceFacts::Group::Holds(uint32_t user) const {
  return std::binary_search(users.begin(), users.end(), user);
}

std::span<const object::ObjectKey> SourceFacts::Group::NeedsOf(uint32_t user) const {
  const auto at = std::partition_point(newcomers.begin(), newcomers.end(),
                                       [&](const auto& one) { return one.first < user; });
  if (at == newcomers.end() || at->first != user) return {};
  return at->second;
}

std::vector<const ObjectView*> SourceFacts::Group::WayTo(uint32_t user) const {
  std::vector<const ObjectView*> out;
  const auto at = std::lower_bound(users.begin(), users.end(), user);
  if (at == users.end() || *at != user) return out;
  Way way = of_users[static_cast<size_t>(at - users.begin())];
  for (;;) {
    if (way.membership != nullptr) out.push_back(way.membership);
    if (way.above == UINT32_MAX) return out;
    way = sets[way.above];
  }
}

const SourceFacts::Group* SourceFacts::FindGroup(std::string_view name) {
  const auto [at, fresh] = groups_.try_emplace(std::string(name));
  if (!fresh) return at->second ? &*at->second : nullptr;
  if (source_.objects == nullptr) return nullptr;
  const std::string key = GroupKey(name);
  if (key.empty()) return nullptr;
  Group group;
  Walk walk(*this, key);
  if (walk.any_pending()) group.newcomers = walk.Newcomers(UsersBefore(key));
  walk.TakeUsers(&group);
  at->second = std::move(group);
  return &*at->second;
}

}  // namespace postern::compile
