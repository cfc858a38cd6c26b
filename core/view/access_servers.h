// core/view/access_servers.h: where an identity's rights change, when it has accounts at several
// servers of a host: what all of them do alike needs no server's name, the rest does. Internal to
// core/view.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include "core/access/effective.h"

namespace postern::view {

class ServersOfPaths {
 public:
  // Of one identity and one direction.
  explicit ServersOfPaths(std::span<const access::AccessChange> changes);
  // The change's rights by what a line says of servers: "" where all do the same, else " at sftp".
  std::map<std::string, access::Rights> Split(const access::AccessChange& change) const;

 private:
  using Key = std::tuple<std::string, std::string, access::Depth>;  // target, path
  static Key KeyOf(const access::AccessChange& change) {
    return {change.place.target, change.path, change.depth};
  }
  bool AtSeveral(const access::AccessChange& change) const;

  std::map<std::string, std::set<std::string>> servers_;  // by target
  std::map<Key, std::map<access::Right, std::set<std::string>>> givers_;
};

}  // namespace postern::view
