// What the touched accounts lose and gain between two worlds, folded to the fewest true lines.
#include <algorithm>

#include "core/access/effective.h"

namespace postern::access {
namespace {

const ServerWorld kNoServer;
const DirectoryWorld kNoDirectory;

const ServerWorld& ServerAt(const World& world, const Place& place) {
  const auto at = world.servers.find(place);
  return at == world.servers.end() ? kNoServer : at->second;
}

const DirectoryWorld& DirectoryAt(const World& world, const std::string& target) {
  const auto at = world.directories.find(target);
  return at == world.directories.end() ? kNoDirectory : at->second;
}

struct Cell {
  std::string path;
  bool deeper = false;
  auto operator<=>(const Cell&) const = default;
};

// Every (path, deeper) at which the account's rows change what it may do, in path order.
std::set<Cell> CellsOf(const std::vector<GrantRow>& before, const std::vector<GrantRow>& after) {
  std::set<Cell> cells;
  for (const std::vector<GrantRow>* rows : {&before, &after}) {
    for (const GrantRow& row : *rows) {
      cells.insert({row.path, false});
      cells.insert({row.path, true});
    }
  }
  return cells;
}

std::string Through(const std::vector<GrantRow>& rows, const Cell& cell, Rights rights) {
  for (const GrantRow& row : rows) {
    if (row.subject.type == Subject::Type::kAccount || !IsWithin(cell.path, row.path)) continue;
    if ((row.rights & rights).empty()) continue;
    return Format(row.subject);
  }
  return "";
}

// The identity's other accounts on the same host keep these rights at the cell in `world`.
Rights KeptElsewhere(const World& world, const Place& place, const std::string& login,
                     const Cell& cell, const std::string& identity,
                     const std::map<std::string, std::vector<std::pair<Place, std::string>>>& of) {
  Rights rights;
  const auto accounts = of.find(identity);
  if (accounts == of.end()) return rights;
  for (const auto& [other_place, other] : accounts->second) {
    if (other_place.target != place.target || (other_place == place && other == login)) continue;
    rights |= ServerAt(world, other_place).RightsAt(other, cell.path, cell.deeper);
  }
  return rights;
}

class DeltaMaker {
 public:
  DeltaMaker(const World& before, const World& after, const Touched& touched,
             const IdentityOf& identity_of)
      : before_(before), after_(after), touched_(touched), identity_of_(identity_of) {}

  AccessDelta Make() {
    CollectAccounts();
    for (const auto& [place, account] : touched_.accounts) {
      if (place.server.empty()) {
        Entry(place, account);
      } else {
        Account(place, account);
      }
    }
    const auto order = [](const AccessChange& a, const AccessChange& b) {
      return std::tie(a.identity, a.place, a.path, a.depth, a.account) <
             std::tie(b.identity, b.place, b.path, b.depth, b.account);
    };
    std::sort(delta_.lost.begin(), delta_.lost.end(), order);
    std::sort(delta_.gained.begin(), delta_.gained.end(), order);
    return std::move(delta_);
  }

 private:
  // Accounts by identity, only for identities that are touched: who else could keep the right?
  void CollectAccounts() {
    std::set<std::string> identities;
    std::set<std::string> targets;
    for (const auto& [place, account] : touched_.accounts) {
      if (place.server.empty()) continue;
      identities.insert(identity_of_(place, account));
      targets.insert(place.target);
    }
    for (const World* world : {&before_, &after_}) {
      for (const auto& [place, server] : world->servers) {
        if (!targets.contains(place.target)) continue;
        for (const auto& [login, state] : server.accounts()) {
          const std::string identity = identity_of_(place, login);
          if (!identities.contains(identity)) continue;
          auto& list = accounts_[identity];
          const std::pair<Place, std::string> entry(place, login);
          if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
        }
      }
    }
  }

  void Account(const Place& place, const std::string& login) {
    const ServerWorld& before = ServerAt(before_, place);
    const ServerWorld& after = ServerAt(after_, place);
    const std::string identity = identity_of_(place, login);
    const AccountState* was = before.FindAccount(login);
    const AccountState* is = after.FindAccount(login);
    const auto rows_before = before.RowsOf(login), rows_after = after.RowsOf(login);
    const bool was_open = was != nullptr && was->open(), is_open = is != nullptr && is->open();
    Rights lost_above, gained_above;
    std::string lost_path, gained_path;
    for (const Cell& cell : CellsOf(rows_before, rows_after)) {
      const Rights had = was_open ? Covered(rows_before, cell.path, cell.deeper) : Rights();
      const Rights has = is_open ? Covered(rows_after, cell.path, cell.deeper) : Rights();
      if (had == has) continue;
      const Rights lost =
          (had - has) - KeptElsewhere(after_, place, login, cell, identity, accounts_);
      const Rights gained =
          (has - had) - KeptElsewhere(before_, place, login, cell, identity, accounts_);
      Line(&delta_.lost, identity, place, login, cell, lost, was_open && !is_open, rows_before,
           &lost_path, &lost_above);
      Line(&delta_.gained, identity, place, login, cell, gained, is_open && !was_open, rows_after,
           &gained_path, &gained_above);
    }
  }

  // Adds a line unless the one for a folder above says the same already.
  void Line(std::vector<AccessChange>* lines, const std::string& identity, const Place& place,
            const std::string& login, const Cell& cell, Rights rights, bool everything,
            const std::vector<GrantRow>& rows, std::string* path_above, Rights* above) {
    if (rights.empty()) return;
    const bool below = !path_above->empty() && IsWithin(cell.path, *path_above);
    if (below && *above == rights) {
      // Same rights at the same path also deeper: it holds for the whole subtree.
      if (cell.deeper && !lines->empty() && lines->back().path == cell.path) {
        lines->back().depth = Depth::kSubtree;
      }
      return;
    }
    AccessChange change;
    change.identity = identity;
    change.place = place;
    change.account = login;
    change.path = cell.path;
    change.depth = cell.deeper ? Depth::kSubtree : Depth::kThis;
    change.rights = rights;
    change.everything = everything;
    change.through = Through(rows, cell, rights);
    lines->push_back(std::move(change));
    *path_above = cell.path;
    *above = rights;
  }

  void Entry(const Place& place, const std::string& dn) {
    const DirectoryWorld& before = DirectoryAt(before_, place.target);
    const DirectoryWorld& after = DirectoryAt(after_, place.target);
    AccessChange change;
    change.identity = identity_of_(place, dn);
    change.place = place;
    change.account = dn;
    const bool could = before.CanLogIn(dn), can = after.CanLogIn(dn);
    if (could != can) {
      change.everything = true;
      (could ? delta_.lost : delta_.gained).push_back(change);
      change.everything = false;
    }
    for (const std::string& group : before.GroupsOf(dn)) {
      change.path = group;
      if (!after.IsMember(group, dn)) delta_.lost.push_back(change);
    }
    for (const std::string& group : after.GroupsOf(dn)) {
      change.path = group;
      if (!before.IsMember(group, dn)) delta_.gained.push_back(change);
    }
  }

  const World& before_;
  const World& after_;
  const Touched& touched_;
  const IdentityOf& identity_of_;
  std::map<std::string, std::vector<std::pair<Place, std::string>>> accounts_;
  AccessDelta delta_;
};

}  // namespace

AccessDelta Delta(const World& before, const World& after, const Touched& touched,
                  const IdentityOf& identity_of) {
  return DeltaMaker(before, after, touched, identity_of).Make();
}

}  // namespace postern::access
