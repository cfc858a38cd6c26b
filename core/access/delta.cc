// What the touched accounts lose and gain between two worlds, folded to the fewest true lines.
#include <algorithm>

#include "core/access/at_cell.h"
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

// What an identity's other accounts on the same host may do at a cell, and one of those.
struct Elsewhere {
  Rights rights;
  std::string name;  // of the first that has any of it
};

using AccountsOfIdentity = std::map<std::string, std::vector<std::pair<Place, std::string>>>;

Elsewhere HeldElsewhere(const World& world, const Place& place, const std::string& login,
                        const Cell& cell, const std::string& identity,
                        const AccountsOfIdentity& of) {
  Elsewhere out;
  const auto accounts = of.find(identity);
  if (accounts == of.end()) return out;
  for (const auto& [other_place, other] : accounts->second) {
    if (other_place.target != place.target || (other_place == place && other == login)) continue;
    const ServerWorld& server = ServerAt(world, other_place);
    if (!server.IsOpen(other)) continue;
    const Rights rights = RightsAt(server, other, server.RowsOf(other), cell);
    if (rights.empty()) continue;
    const bool here = other_place == place;
    if (out.name.empty())
      out.name = here ? other + " at " + place.server : "server " + other_place.server;
    out.rights |= rights;
  }
  return out;
}

// One direction of what an account's rights do at the three cells of a path.
struct Moved {
  Rights own[3];     // the identity loses or gains it
  Rights shared[3];  // another account of the identity has it before and after
  std::string elsewhere;

  void Set(size_t at, Rights moved, const Elsewhere& before, const Elsewhere& after, bool loses) {
    if (moved.empty()) return;
    own[at] = moved - (loses ? after : before).rights;
    shared[at] = moved & before.rights & after.rights;
    if (elsewhere.empty() && !shared[at].empty()) elsewhere = after.name;
  }
};

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
    for (auto* lines : {&delta_.lost, &delta_.gained, &delta_.still, &delta_.already}) {
      std::sort(lines->begin(), lines->end(), order);
    }
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
    Side still{&delta_.still, false, rows_before, {}};
    Side already{&delta_.already, false, rows_after, {}};
    for (const std::string& path : PathsOf(before, after, rows_before, rows_after)) {
      Moved lose, gain;
      for (const Part part : kParts) {
        const Cell cell{path, part};
        const Rights had = was_open ? RightsAt(before, login, rows_before, cell) : Rights();
        const Rights has = is_open ? RightsAt(after, login, rows_after, cell) : Rights();
        if (had == has) continue;
        const auto at = static_cast<size_t>(part);
        const auto then = HeldElsewhere(before_, place, login, cell, identity, accounts_);
        const auto later = HeldElsewhere(after_, place, login, cell, identity, accounts_);
        lose.Set(at, had - has, then, later, true);
        gain.Set(at, has - had, then, later, false);
      }
      AccessChange line;
      line.identity = identity;
      line.place = place;
      line.account = login;
      line.path = path;
      Lines(lose.own, line, &lost);
      Lines(gain.own, line, &gained);
      line.elsewhere = lose.elsewhere;
      Lines(lose.shared, line, &still);
      line.elsewhere = gain.elsewhere;
      Lines(gain.shared, line, &already);
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
    const auto had = before.GroupsOf(dn), has = after.GroupsOf(dn);
    for (const std::string& group : had) {
      if (has.contains(group)) continue;
      change.path = group;
      change.through = before.Through(group, dn);
      delta_.lost.push_back(change);
    }
    for (const std::string& group : has) {
      if (had.contains(group)) continue;
      change.path = group;
      change.through = after.Through(group, dn);
      delta_.gained.push_back(change);
    }
  }

  const World& before_;
  const World& after_;
  const Touched& touched_;
  const IdentityOf& identity_of_;
  AccountsOfIdentity accounts_;
  AccessDelta delta_;
};

}  // namespace

AccessDelta Delta(const World& before, const World& after, const Touched& touched,
                  const IdentityOf& identity_of) {
  return DeltaMaker(before, after, touched, identity_of).Make();
}

}  // namespace postern::access
