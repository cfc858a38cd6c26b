#include "core/view/access_servers.h"

#include <vector>

#include "core/view/style.h"

namespace postern::view {

constexpr size_t kNamed = 3;

ServersOfPaths::ServersOfPaths(std::span<const access::AccessChange> changes) {
  for (const access::AccessChange& change : changes) {
    if (change.place.server.empty() || change.path.empty()) continue;
    servers_[change.place.target].insert(change.place.server);
  }
  for (const access::AccessChange& change : changes) {
    if (!AtSeveral(change)) continue;
    for (int i = 0; i < access::kRightCount; ++i) {
      const auto right = static_cast<access::Right>(i);
      if (change.rights.Has(right)) givers_[KeyOf(change)][right].insert(change.place.server);
    }
  }
}

std::map<std::string, access::Rights> ServersOfPaths::Split(
    const access::AccessChange& change) const {
  if (!AtSeveral(change)) return {{"", change.rights}};
  std::map<std::string, access::Rights> out;
  const auto givers = givers_.find(KeyOf(change));
  if (givers == givers_.end()) return out;
  for (const auto& [right, servers] : givers->second) {
    if (!change.rights.Has(right)) continue;
    const bool all = servers == servers_.at(change.place.target);
    const std::vector<std::string> names(servers.begin(), servers.end());
    out[all ? "" : " at " + Some(names, kNamed)] |= right;
  }
  return out;
}

bool ServersOfPaths::AtSeveral(const access::AccessChange& change) const {
  const auto at = servers_.find(change.place.target);
  return !change.path.empty() && at != servers_.end() && at->second.size() > 1;
}

}  // namespace postern::view
