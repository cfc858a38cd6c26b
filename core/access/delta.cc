// What the touched accounts lose and gain between two worlds, folded to the fewest true lines.
#include <algorithm>
#include <iterator>

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
  DeltaMaker(const World& before, const World& after, const Touched& touched, const IdentityOf& was,
             const IdentityOf& is)
      : before_(before), after_(after), touched_(touched), was_(was), is_(is) {}

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
      identities.insert(was_(place, account));
      identities.insert(is_(place, account));
      targets.insert(place.target);
    }
    CollectIn(before_, was_, identities, targets, &accounts_before_);
    CollectIn(after_, is_, identities, targets, &accounts_after_);
  }

  static void CollectIn(const World& world, const IdentityOf& identity_of,
                        const std::set<std::string>& identities,
                        const std::set<std::string>& targets, AccountsOfIdentity* out) {
    for (const auto& [place, server] : world.servers) {
      if (!targets.contains(place.target)) continue;
      for (const auto& [login, state] : server.accounts()) {
        const std::string identity = identity_of(place, login);
        if (identities.contains(identity)) (*out)[identity].emplace_back(place, login);
      }
    }
  }

  void Account(const Place& place, const std::string& login) {
    const std::string was = was_(place, login);
    const std::string is = &was_ == &is_ ? was : is_(place, login);
    if (was == is) return Account(place, login, is, true, true);
    Account(place, login, was, true, false);
    Account(place, login, is, false, true);
  }

  // What the identity has by the account, which is its own before or after, or on both sides.
  void Account(const Place& place, const std::string& login, const std::string& identity,
               bool had_it, bool has_it) {
    const ServerWorld& before = ServerAt(before_, place);
    const ServerWorld& after = ServerAt(after_, place);
    const auto rows_before = before.RowsOf(login), rows_after = after.RowsOf(login);
    const bool was_open = had_it && before.IsOpen(login), is_open = has_it && after.IsOpen(login);
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
        const auto then = HeldElsewhere(before_, place, login, cell, identity, accounts_before_);
        const auto later = HeldElsewhere(after_, place, login, cell, identity, accounts_after_);
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
    const bool could = before.CanLogIn(dn), can = after.CanLogIn(dn);
    const auto had = before.GroupsOf(dn), has = after.GroupsOf(dn);
    const std::string was = was_(place, dn), is = is_(place, dn);
    const auto tell = [&](const std::string& identity, const DirectoryWorld& world, bool login,
                          const DirectoryWorld::Sets& groups, std::vector<AccessChange>* lines) {
      AccessChange change;
      change.identity = identity;
      change.place = place;
      change.account = dn;
      change.everything = true;
      if (login) lines->push_back(change);
      change.everything = false;
      for (const std::string& group : groups) {
        change.path = group;
        change.through = world.Through(group, dn);
        lines->push_back(change);
      }
    };
    const auto beyond = [&](const DirectoryWorld::Sets& some, const DirectoryWorld::Sets& others) {
      if (was != is) return some;
      DirectoryWorld::Sets out;
      std::set_difference(some.begin(), some.end(), others.begin(), others.end(),
                          std::inserter(out, out.end()));
      return out;
    };
    tell(was, before, could && (!can || was != is), beyond(had, has), &delta_.lost);
    tell(is, after, can && (!could || was != is), beyond(has, had), &delta_.gained);
  }

  const World& before_;
  const World& after_;
  const Touched& touched_;
  const IdentityOf& was_;
  const IdentityOf& is_;
  AccountsOfIdentity accounts_before_, accounts_after_;
  AccessDelta delta_;
};

}  // namespace

AccessDelta Delta(const World& before, const World& after, const Touched& touched,
                  const IdentityOf& was, const IdentityOf& is) {
  return DeltaMaker(before, after, touched, was, is).Make();
}

}  // namespace postern::access
