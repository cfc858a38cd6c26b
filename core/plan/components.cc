// What must wait for what. An addition belongs to the component of every removal with which it
// shares an identity or an overlapping folder; everything else runs on its own.
#include <algorithm>
#include <numeric>
#include <utility>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

class Sets {
 public:
  explicit Sets(size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), uint32_t{0});
  }
  uint32_t Find(uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void Join(uint32_t a, uint32_t b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<uint32_t> parent_;
};

}  // namespace

void Planner::FindComponents() {
  // Nothing waits where nothing is taken away: a first plan only adds.
  if (std::none_of(plan_.steps.begin(), plan_.steps.end(),
                   [](const Step& step) { return step.removes; })) {
    return;
  }
  Sets sets(plan_.steps.size());
  // Who and where each access-bearing step is about. Places are prefixed by the target.
  std::unordered_map<std::string, std::vector<uint32_t>> removals, additions;   // by identity
  std::unordered_map<std::string, std::vector<uint32_t>> removed_at, added_at;  // by folder
  for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    if (!step.removes && !step.adds) continue;
    auto& by_identity = step.removes ? removals : additions;
    auto& by_path = step.removes ? removed_at : added_at;
    const std::string& target = plan_.targets[plan_.changes[step.change].target].name;
    const auto parts = object::SplitKey(step.operation.key);
    const auto holder = [&](std::string_view server, std::string_view account) {
      by_identity[IdentityAt({target, std::string(server)}, account)].push_back(i);
    };
    switch (step.operation.kind) {
      case Kind::kUser:
        holder("", step.operation.key);
        break;
      case Kind::kMembership:
        holder("", parts[1]);
        break;
      case Kind::kAccount:
      case Kind::kSshKey:
      case Kind::kSession:
        holder(parts[0], parts[1]);
        break;
      case Kind::kServerMembership:
        holder(parts[0], parts[2]);
        break;
      case Kind::kGrant: {
        by_path[target + ":" + std::string(parts[1])].push_back(i);
        const auto subject = access::ParseSubject(parts[3]);
        const object::Operation& row = step.operation;
        if (!subject || GivesNobodyAnything(row.kind, row.before, row.after)) break;
        const access::Place place{target, std::string(parts[0])};
        for (const access::World* world : {&std::as_const(before_), &after()}) {
          const auto server = world->servers.find(place);
          if (server == world->servers.end()) continue;
          for (const std::string& login : server->second.LoginsOf(*subject)) {
            holder(parts[0], login);
          }
        }
        break;
      }
      default:
        break;
    }
  }
  for (const auto& [identity, adding] : additions) {
    const auto removing = removals.find(identity);
    if (removing == removals.end()) continue;
    for (uint32_t step : adding) sets.Join(step, removing->second.front());
    for (uint32_t step : removing->second) sets.Join(step, removing->second.front());
  }
  // Overlap: one path holds the other, so it is enough to walk up from each side.
  const auto join_up = [&](const auto& from, const auto& above) {
    for (const auto& [place, steps] : from) {
      const size_t colon = place.find(":/");
      std::string_view path = std::string_view(place).substr(colon + 1);
      for (; !path.empty(); path = access::ParentOf(path)) {
        const auto at = above.find(place.substr(0, colon + 1) + std::string(path));
        if (at == above.end()) continue;
        for (uint32_t step : steps) sets.Join(step, at->second.front());
        for (uint32_t step : at->second) sets.Join(step, at->second.front());
      }
    }
  };
  join_up(added_at, removed_at);
  join_up(removed_at, added_at);
  // A number only for components that hold both a removal and an addition.
  std::unordered_map<uint32_t, int> sides;
  for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
    sides[sets.Find(i)] |= (plan_.steps[i].removes ? 1 : 0) | (plan_.steps[i].adds ? 2 : 0);
  }
  std::unordered_map<uint32_t, uint32_t> numbers;
  for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
    const uint32_t root = sets.Find(i);
    if (sides[root] != 3) continue;
    const auto number = static_cast<uint32_t>(numbers.size() + 1);
    plan_.steps[i].component = numbers.try_emplace(root, number).first->second;
  }
}

}  // namespace postern::plan
