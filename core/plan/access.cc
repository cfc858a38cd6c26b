// What the changes mean for people: worlds before and after, and who loses or gains.
#include <algorithm>
#include <unordered_set>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

// A membership that isn't under that name any more: the set was renamed, or it is gone already.
bool LeavesWorld(const Change& change) {
  return change.action == Action::kForget && change.kind == Kind::kIamMembership;
}

bool ChangesWorld(const Change& change) {
  return WritesTarget(change.action) || LeavesWorld(change);
}

// What says whether somebody can come in: as many people as those are counted for every plan.
constexpr Kind kLogins[] = {Kind::kUser, Kind::kAccount, Kind::kSshKey, Kind::kIamUser,
                            Kind::kOauthClient};

}  // namespace

bool WritesTarget(Action action) {
  return action != Action::kAdopt && action != Action::kRelease && action != Action::kForget;
}

void PutChange(const Change& change, const std::string& target, access::World* world) {
  switch (change.action) {
    case Action::kCreate:
    case Action::kUpdate:
    case Action::kReplace: {
      const std::string body = change.action == Action::kUpdate
                                   ? object::Overlay(change.kind, change.before, change.after)
                                   : change.after;
      world->Put(target, change.kind, change.key, body, true);
      return;
    }
    case Action::kRename:
      world->Put(target, change.kind, change.old_key, "", false);
      world->Put(target, change.kind, change.key,
                 object::Overlay(change.kind, change.before, change.after), true);
      return;
    case Action::kForget:
      if (!LeavesWorld(change)) return;
      [[fallthrough]];
    case Action::kDelete:
      world->Put(target, change.kind, change.key, "", false);
      return;
    case Action::kDisable:
      world->Put(target, change.kind, change.key,
                 WithFlag(change.kind, change.before, OpenField(change.kind), false), true);
      return;
    default:
      return;
  }
}

// The password that decides whether an account is open is stripped from a change's `before`; what
// the observed body says of it is put back here.
Change Planner::WithLiveBody(const Change& change) const {
  Change full = change;
  if (const object::ObjectView* live = observed_[change.target]->objects.Find(
          change.kind, change.old_key.empty() ? change.key : change.old_key)) {
    full.before = live->body;
  }
  return full;
}

// Rules by other hands stand on both sides alike.
void Planner::SetOverlays(std::optional<access::World>* held) {
  for (const auto& [at, foreign] : foreign_) {
    const access::Place place{plan_.targets[at.first].name, at.second};
    before_.servers[place].SetOverlay(foreign.before);
    if (after_) after_->servers[place].SetOverlay(foreign.after);
    if (!*held) continue;
    (*held)->servers[place].SetOverlay(foreign.prospective ? foreign.prospective : foreign.before);
  }
}

// Most plans change nothing: who can come in is all that they ask of the world. Rows and sets are
// raised where something is compared.
void Planner::RaiseBefore() {
  const bool compares = !foreign_.empty() || !plan_.drift.empty() || !handovers_.empty() ||
                        std::any_of(plan_.changes.begin(), plan_.changes.end(), ChangesWorld);
  for (size_t i = 0; i < plan_.targets.size(); ++i) {
    if (!plan_.targets[i].reached) continue;
    const auto put = [&](std::span<const object::ObjectView> objects) {
      for (const object::ObjectView& object : objects) {
        before_.Put(plan_.targets[i].name, object.kind, object.key, object.body, true);
      }
    };
    if (compares) {
      put(observed_[i]->objects.all());
      continue;
    }
    for (const Kind kind : kLogins) put(observed_[i]->objects.OfKind(kind));
  }
}

void Planner::RaiseWorlds() {
  TakeHandovers();
  RaiseBefore();
  access::Touched touched, touched_held;
  std::optional<access::World> held;
  // A world is copied only for a plan that changes it: most plans change nothing.
  const auto world_for = [this](std::optional<access::World>& world) {
    if (!world) world = before_;
    return &*world;
  };
  for (const Change& change : plan_.changes) {
    if (!ChangesWorld(change)) continue;
    PutChange(WithLiveBody(change), plan_.targets[change.target].name,
              world_for(change.held.empty() ? after_ : held));
  }
  for (const Change& change : plan_.changes) {
    const bool passes =
        !handovers_.empty() && handovers_.contains({change.target, change.kind, change.key});
    if (!ChangesWorld(change) && !passes) continue;
    // A deny-all is a row of everyone that opens nothing: nobody is touched by it.
    if (GivesNobodyAnything(change.kind, change.before, change.after)) continue;
    const std::string& target = plan_.targets[change.target].name;
    const bool is_held = !change.held.empty();
    for (const std::string& key : {change.key, change.old_key}) {
      if (key.empty()) continue;
      access::Touch(target, change.kind, key, before_, is_held ? *held : after(),
                    is_held ? &touched_held : &touched);
    }
  }
  SetOverlays(&held);
  JudgeDriftOverServers();
  const access::IdentityOf identity_of = [this](const access::Place& place,
                                                std::string_view account) {
    return IdentityAt(place, account);
  };
  const access::IdentityOf identity_before = [this](const access::Place& place,
                                                    std::string_view account) {
    return IdentityBefore(place, account);
  };
  if (!handed_over_.empty()) {
    plan_.delta = access::Delta(before_, after(), touched, identity_before, identity_of);
  } else if (after_) {
    plan_.delta = access::Delta(before_, *after_, touched, identity_of);
  }
  if (held) plan_.held_delta = access::Delta(before_, *held, touched_held, identity_of);
  WarnUndone(touched);
  NameWays();
  ExplainDelta();
  ExplainHandovers();
}

void Planner::CountPeople() {
  std::map<std::string, std::unordered_set<std::string>> people;
  for (const auto& [place, server] : before_.servers) {
    for (const auto& [login, state] : server.accounts()) {
      if (server.IsOpen(login)) people[place.target].insert(IdentityBefore(place, login));
    }
  }
  for (const auto& [target, directory] : before_.directories) {
    for (const auto& [dn, enabled] : directory.users()) {
      if (enabled) people[target].insert(IdentityBefore({target, ""}, dn));
    }
  }
  for (TargetSummary& target : plan_.targets) {
    const auto at = people.find(target.name);
    target.people = at == people.end() ? 0 : at->second.size();
  }
}

}  // namespace postern::plan
