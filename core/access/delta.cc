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

bool Covers(const std::string& path, Depth depth, const Cell& cell) {
  if (depth == Depth::kSubtree) return IsWithin(cell.path, path);
  if (cell.path == path) return cell.part != Part::kDeeper;
  // A named folder among the direct entries: the folder itself, nothing in it.
  return cell.part == Part::kNode && ParentOf(cell.path) == path;
}

Rights RightsIn(const std::vector<GrantRow>& rows, const Cell& cell) {
  Rights rights;
  for (const GrantRow& row : rows) {
    if (Covers(row.path, row.depth, cell)) rights |= row.rights;
  }
  return rights;
}

// What the account may do there: what its rows say, and what other hands' rules make of it.
Rights RightsAt(const ServerWorld& server, const std::string& login,
                const std::vector<GrantRow>& rows, const Cell& cell) {
  const Rights rights = RightsIn(rows, cell);
  if (server.overlay() == nullptr) return rights;
  const CellEffect effect = server.overlay()->At(login, cell);
  return (rights | effect.more) - effect.less;
}

// Every path that the account's rows or other hands' rules name, in path order.
std::set<std::string> PathsOf(const ServerWorld& before, const ServerWorld& after,
                              const std::vector<GrantRow>& rows_before,
                              const std::vector<GrantRow>& rows_after) {
  std::set<std::string> paths;
  for (const std::vector<GrantRow>* rows : {&rows_before, &rows_after}) {
    for (const GrantRow& row : *rows) paths.insert(row.path);
  }
  for (const ServerWorld* server : {&before, &after}) {
    if (server->overlay() == nullptr) continue;
    paths.insert(server->overlay()->paths().begin(), server->overlay()->paths().end());
  }
  return paths;
}

std::string Through(const std::vector<GrantRow>& rows, const Cell& cell, Rights rights) {
  for (const GrantRow& row : rows) {
    if (row.subject.type == Subject::Type::kAccount) continue;
    if (!Covers(row.path, row.depth, cell) || (row.rights & rights).empty()) continue;
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
    const ServerWorld& server = ServerAt(world, other_place);
    if (server.IsOpen(other)) rights |= RightsAt(server, other, server.RowsOf(other), cell);
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
    const auto rows_before = before.RowsOf(login), rows_after = after.RowsOf(login);
    const bool was_open = before.IsOpen(login), is_open = after.IsOpen(login);
    Side lost{&delta_.lost, was_open && !is_open, rows_before, {}};
    Side gained{&delta_.gained, is_open && !was_open, rows_after, {}};
    for (const std::string& path : PathsOf(before, after, rows_before, rows_after)) {
      Rights lose[3], gain[3];
      for (const Part part : {Part::kNode, Part::kEntries, Part::kDeeper}) {
        const Cell cell{path, part};
        const Rights had = was_open ? RightsAt(before, login, rows_before, cell) : Rights();
        const Rights has = is_open ? RightsAt(after, login, rows_after, cell) : Rights();
        if (had == has) continue;
        const auto at = static_cast<size_t>(part);
        lose[at] = (had - has) - KeptElsewhere(after_, place, login, cell, identity, accounts_);
        gain[at] = (has - had) - KeptElsewhere(before_, place, login, cell, identity, accounts_);
      }
      AccessChange line;
      line.identity = identity;
      line.place = place;
      line.account = login;
      line.path = path;
      Lines(lose, line, &lost);
      Lines(gain, line, &gained);
    }
  }

  // One direction of an account's change, with what its lines have said so far.
  struct Side {
    std::vector<AccessChange>* lines;
    bool everything;
    const std::vector<GrantRow>& rows;
    std::vector<AccessChange> said;
  };

  // Whether the innermost line that reaches the cell already says the same.
  static bool Said(const Side& side, const Cell& cell, Rights rights) {
    for (auto line = side.said.rbegin(); line != side.said.rend(); ++line) {
      if (!Covers(line->path, line->depth, cell)) continue;
      return cell.part == Part::kNode ? line->rights.Includes(rights) : line->rights == rights;
    }
    return false;
  }

  void Lines(const Rights (&rights)[3], const AccessChange& like, Side* side) {
    const auto [node, entries, deeper] = rights;
    const auto say = [&](Part part, Depth depth, Rights what) {
      const Cell cell{like.path, part};
      if (what.empty() || Said(*side, cell, what)) return;
      AccessChange line = like;
      line.depth = depth;
      line.rights = what;
      line.everything = side->everything;
      line.through = Through(side->rows, cell, what);
      side->said.push_back(line);
      side->lines->push_back(std::move(line));
    };
    say(Part::kEntries, entries == deeper ? Depth::kSubtree : Depth::kThis, entries);
    say(Part::kDeeper, Depth::kSubtree, deeper);
    say(Part::kNode, Depth::kThis, node);
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
