#include "core/access/invariants.h"

#include <algorithm>
#include <unordered_map>

#include "core/access/doors.h"
#include "schemas/kinds.pb.h"

namespace postern::access {
namespace {

using object::Kind;

// A named path and which part of it: 0 the folder itself, 1 its direct entries, 2 all below those,
// the last two as far as no longer named path has them.
using CellKey = std::pair<std::string, int>;

// What one account may do at the places its rows name: enough to compare three worlds.
using Held = std::map<CellKey, Rights>;

// Told anew from the definition of depth, not shared with the delta: a mistake there is seen here.
bool Reaches(const GrantRow& row, const CellKey& cell) {
  const auto& [path, part] = cell;
  if (row.depth == Depth::kSubtree) {
    return path == row.path || row.path == "/" || path.starts_with(row.path + "/");
  }
  if (path == row.path) return part < 2;
  if (part != 0 || path.size() < 2) return false;
  const std::string parent = path.substr(0, path.rfind('/'));
  return (parent.empty() ? "/" : parent) == row.path;
}

void InsertParts(const std::string& path, std::set<CellKey>* cells) {
  for (int part = 0; part < 3; ++part) cells->insert({path, part});
}

Held HeldBy(const World& world, const Place& place, const std::string& account,
            const std::set<CellKey>& cells) {
  Held held;
  if (place.server.empty()) {
    const auto at = world.directories.find(place.target);
    if (at == world.directories.end()) return held;
    if (at->second.CanLogIn(account)) held[{"login", 0}] = Rights::All();
    for (const std::string& group : at->second.GroupsOf(account)) {
      held[{group, 0}] = Rights::All();
    }
    return held;
  }
  const auto at = world.servers.find(place);
  if (at == world.servers.end()) return held;
  const AccountState* state = at->second.FindAccount(account);
  if (state == nullptr || !state->open()) return held;
  const auto rows = at->second.RowsOf(account);
  for (const CellKey& cell : cells) {
    Rights& rights = held[cell];
    for (const GrantRow& row : rows) {
      if (Reaches(row, cell)) rights |= row.rights;
    }
  }
  return held;
}

void CellsIn(const World& world, const Place& place, const std::string& account,
             std::set<CellKey>* cells) {
  const auto at = world.servers.find(place);
  if (at == world.servers.end()) return;
  for (const GrantRow& row : at->second.RowsOf(account)) {
    InsertParts(row.path, cells);
  }
}

// True when `left` holds something that neither `a` nor `b` does; says what.
bool Exceeds(const Held& left, const Held& a, const Held& b, std::string* what) {
  for (const auto& [cell, rights] : left) {
    Rights allowed;
    for (const Held* held : {&a, &b}) {
      if (const auto at = held->find(cell); at != held->end()) allowed |= at->second;
    }
    if (allowed.Includes(rights)) continue;
    *what = Format(rights - allowed) + " on " + cell.first;
    return true;
  }
  return false;
}

class Judge {
 public:
  Judge(const World& before, const World& after, const IdentityOf& identity_of)
      : before_(before), after_(after), identity_of_(identity_of), now_(before) {}

  std::vector<Violation> Run(std::span<const OrderedStep> steps) {
    for (const OrderedStep& step : steps) Play(step);
    CheckComponents(steps);
    CheckIdentities(steps);
    return std::move(violations_);
  }

 private:
  struct Effect {
    bool adds = false, removes = false;
    std::vector<std::pair<Place, std::string>> gain, lose;  // accounts
  };

  // Of a group in a group everybody whom the inner one holds.
  std::vector<std::pair<Place, std::string>> Entries(const OrderedStep& step) const {
    std::vector<std::pair<Place, std::string>> entries;
    if (std::string entry = EntryOf(step.kind, step.key); !entry.empty()) {
      entries.emplace_back(Place{step.target, ""}, std::move(entry));
      return entries;
    }
    const auto at = now_.directories.find(step.target);
    if (at == now_.directories.end()) return entries;
    for (std::string& entry : at->second.EntriesIn(object::SplitKey(step.key)[1])) {
      entries.emplace_back(Place{step.target, ""}, std::move(entry));
    }
    return entries;
  }

  std::vector<std::pair<Place, std::string>> Affected(const OrderedStep& step) const {
    const auto parts = object::SplitKey(step.key);
    const Place server{step.target, std::string(parts[0])};
    switch (step.kind) {
      case Kind::kUser:
      case Kind::kMembership:
      case Kind::kIamUser:
      case Kind::kIamMembership:
      case Kind::kOauthClient:
        return Entries(step);
      case Kind::kAccount:
      case Kind::kSshKey:
        return {{server, std::string(parts[1])}};
      case Kind::kServerMembership:
        return {{server, std::string(parts[2])}};
      case Kind::kGrant: {
        std::vector<std::pair<Place, std::string>> affected;
        const auto subject = ParseSubject(parts[3]);
        const auto world = now_.servers.find(server);
        if (!subject || world == now_.servers.end()) return affected;
        // Without rights before and after, nobody holds anything by this row.
        const auto depth = ParseDepth(parts[2]).value_or(Depth::kSubtree);
        const auto row = world->second.rows().find({parts[1], static_cast<uint8_t>(depth)});
        const bool held = row != world->second.rows().end() && row->second.contains(*subject) &&
                          !row->second.at(*subject).empty();
        const bool gives =
            !step.after.empty() && object::DecodeAs<kinds::Grant>(step.after).rights() != 0;
        if (!held && !gives) return affected;
        for (const std::string& login : world->second.LoginsOf(*subject)) {
          affected.emplace_back(server, login);
        }
        return affected;
      }
      default:
        return {};
    }
  }

  bool IsOpen(const Place& place, const std::string& account) const {
    if (place.server.empty()) {
      const auto at = now_.directories.find(place.target);
      return at != now_.directories.end() &&
             (at->second.CanLogIn(account) || !at->second.GroupsOf(account).empty());
    }
    const auto at = now_.servers.find(place);
    const AccountState* state =
        at == now_.servers.end() ? nullptr : at->second.FindAccount(account);
    return state != nullptr && state->open();
  }

  // Where the step can change what the account holds.
  std::set<CellKey> CellsFor(const OrderedStep& step, const Place& place,
                             const std::string& account) const {
    std::set<CellKey> cells;
    for (const World* world : {&before_, &after_, static_cast<const World*>(&now_)}) {
      CellsIn(*world, place, account, &cells);
    }
    if (step.kind != Kind::kGrant) return cells;
    // A row reaches what lies below its folder, nothing else.
    const std::string path(object::SplitKey(step.key)[1]);
    std::erase_if(cells, [&](const auto& cell) { return !IsWithin(cell.first, path); });
    // Its own path too: a row that appears for the first time.
    InsertParts(path, &cells);
    return cells;
  }

  void Play(const OrderedStep& step) {
    const auto affected = Affected(step);
    std::vector<std::set<CellKey>> cells(affected.size());
    std::vector<Held> was(affected.size());
    std::vector<Doors> doors(affected.size());
    // Who comes in, and whence, only these change.
    const bool of_doors = step.kind == Kind::kAccount || step.kind == Kind::kSshKey;
    for (size_t i = 0; i < affected.size(); ++i) {
      const auto& [place, account] = affected[i];
      if (of_doors) doors[i] = DoorsOf(now_, place, account);
      if (!IsOpen(place, account)) continue;
      cells[i] = CellsFor(step, place, account);
      was[i] = HeldBy(now_, place, account, cells[i]);
    }
    now_.Put(step.target, step.kind, step.key, step.after, !step.after.empty());
    if (step.kind == Kind::kSshKey) CheckService(step, affected.front());
    Effect effect;
    for (size_t i = 0; i < affected.size(); ++i) {
      const auto& [place, account] = affected[i];
      // Who is closed before and after the step holds nothing on either side of it: the rows of a
      // first plan are written while every account is still closed.
      if (!IsOpen(place, account) && was[i].empty()) continue;
      if (cells[i].empty()) cells[i] = CellsFor(step, place, account);
      Compare(step, place, account, cells[i], was[i], &effect);
      if (of_doors) CompareDoors(step, place, account, doors[i], &effect);
    }
    effects_.push_back(effect);
  }

  bool IsService(const Place& place, const std::string& account) const {
    return identity_of_ && identity_of_(place, account).starts_with("service:");
  }
  static const ServerWorld::Keys* KeysIn(const World& world, const Place& place,
                                         const std::string& account) {
    const auto at = world.servers.find(place);
    return at == world.servers.end() ? nullptr : &at->second.KeysOf(account);
  }

  // A key of a service account that goes when one that stays is there: the identity loses nothing.
  bool Rotates(const OrderedStep& step, const Place& place, const std::string& account) const {
    if (step.kind != Kind::kSshKey || !step.after.empty()) return false;
    if (!IsService(place, account)) return false;
    const auto* now = KeysIn(now_, place, account);
    const auto* then = KeysIn(after_, place, account);
    if (now == nullptr || then == nullptr) return false;
    return std::any_of(now->begin(), now->end(),
                       [&](const auto& key) { return then->contains(key.first); });
  }

  // Locked out between two steps is what a rotation must never be.
  void CheckService(const OrderedStep& step, const std::pair<Place, std::string>& whose) {
    const auto& [place, account] = whose;
    if (!IsService(place, account)) return;
    for (const World* world : {&before_, &after_}) {
      const auto* keys = KeysIn(*world, place, account);
      if (keys == nullptr || keys->empty() || !world->servers.at(place).IsOpen(account)) return;
    }
    if (!KeysIn(now_, place, account)->empty()) return;
    violations_.push_back({step.id, 'C', account + " is left without a key that opens it"});
  }

  void CompareDoors(const OrderedStep& step, const Place& place, const std::string& account,
                    const Doors& was, Effect* effect) {
    const Doors is = DoorsOf(now_, place, account);
    const std::string opened = Beyond(is, was, {}), shut = Beyond(was, is, {});
    if (!opened.empty()) {
      effect->adds = true;
      effect->gain.emplace_back(place, account);
    }
    if (!shut.empty() && !Rotates(step, place, account)) {
      effect->removes = true;
      effect->lose.emplace_back(place, account);
    }
    if (!opened.empty() && !shut.empty()) {
      violations_.push_back(
          {step.id, 'B',
           account + " is opened by " + opened + " in the same step that shuts " + shut});
    }
    const std::string beyond =
        Beyond(is, DoorsOf(before_, place, account), DoorsOf(after_, place, account));
    if (!beyond.empty()) {
      violations_.push_back(
          {step.id, 'A',
           account + " is opened by " + beyond + ", which neither the start nor the end does"});
    }
  }

  void Compare(const OrderedStep& step, const Place& place, const std::string& account,
               const std::set<CellKey>& cells, const Held& was, Effect* effect) {
    const Held is = HeldBy(now_, place, account, cells);
    std::string what;
    if (Exceeds(is, was, {}, &what)) {
      effect->adds = true;
      effect->gain.emplace_back(place, account);
    }
    if (Exceeds(was, is, {}, &what)) {
      effect->removes = true;
      effect->lose.emplace_back(place, account);
    }
    if (Exceeds(is, HeldBy(before_, place, account, cells), HeldBy(after_, place, account, cells),
                &what)) {
      violations_.push_back(
          {step.id, 'A',
           account + " holds " + what + ", which neither the start nor the end gives"});
    }
  }

  void CheckComponents(std::span<const OrderedStep> steps) {
    std::unordered_map<uint32_t, size_t> first_addition;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].component == 0) continue;
      const auto seen = first_addition.find(steps[i].component);
      if (effects_[i].removes && seen != first_addition.end()) {
        violations_.push_back({steps[i].id, 'B',
                               "removes after step " + std::to_string(steps[seen->second].id) +
                                   " of the same component added"});
      }
      if (effects_[i].adds && seen == first_addition.end()) {
        first_addition[steps[i].component] = i;
      }
    }
  }

  // By identity and target: what it gains at one server doesn't run before, or beside, what it
  // loses at another. Told anew from the steps' effects: nothing of how components were found.
  void CheckIdentities(std::span<const OrderedStep> steps) {
    if (!identity_of_) return;
    using Whose = std::pair<std::string, std::string>;
    const auto whose = [&](const std::pair<Place, std::string>& account) {
      return Whose(account.first.target, identity_of_(account.first, account.second));
    };
    std::map<Whose, size_t> last_loss;
    const std::set<uint64_t> renames = RenamesAmong(steps);
    for (size_t i = 0; i < steps.size(); ++i) {
      if (renames.contains(steps[i].id)) continue;
      for (const auto& account : effects_[i].lose) last_loss[whose(account)] = i;
    }
    if (last_loss.empty()) return;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (renames.contains(steps[i].id)) continue;
      for (const auto& account : effects_[i].gain) {
        const auto loss = last_loss.find(whose(account));
        if (loss == last_loss.end()) continue;
        const OrderedStep& lost = steps[loss->second];
        if (steps[i].component != 0 && steps[i].component == lost.component) continue;
        violations_.push_back({steps[i].id, 'B',
                               account.second + " gains while step " + std::to_string(lost.id) +
                                   " still takes from the same identity, in another component"});
        break;
      }
    }
  }

  // A move to another name is two entries of one step: nothing is lost or gained by it.
  static std::set<uint64_t> RenamesAmong(std::span<const OrderedStep> steps) {
    std::set<uint64_t> out;
    for (size_t i = 1; i < steps.size(); ++i) {
      if (steps[i].id == steps[i - 1].id) out.insert(steps[i].id);
    }
    return out;
  }

  const World& before_;
  const World& after_;
  const IdentityOf& identity_of_;
  World now_;
  std::vector<Effect> effects_;
  std::vector<Violation> violations_;
};

}  // namespace

std::vector<Violation> CheckOrder(const World& before, const World& after,
                                  std::span<const OrderedStep> steps,
                                  const IdentityOf& identity_of) {
  if (steps.empty()) return {};
  return Judge(before, after, identity_of).Run(steps);
}

}  // namespace postern::access
