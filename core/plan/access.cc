// What the changes mean for people: worlds before and after, and who loses or gains.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

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

void Planner::RaiseWorlds() {
  for (size_t i = 0; i < plan_.targets.size(); ++i) {
    if (!plan_.targets[i].reached) continue;
    for (const object::ObjectView& object : observed_[i]->objects.all()) {
      before_.Put(plan_.targets[i].name, object.kind, object.key, object.body, true);
    }
  }
  access::Touched touched, touched_held;
  std::optional<access::World> held;
  // A world is copied only for a plan that changes it: most plans change nothing.
  const auto world_for = [this](std::optional<access::World>& world) {
    if (!world) world = before_;
    return &*world;
  };
  for (const Change& change : plan_.changes) {
    if (!WritesTarget(change.action)) continue;
    PutChange(WithLiveBody(change), plan_.targets[change.target].name,
              world_for(change.held.empty() ? after_ : held));
  }
  for (const Change& change : plan_.changes) {
    if (!WritesTarget(change.action)) continue;
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
  if (after_) plan_.delta = access::Delta(before_, *after_, touched, identity_of);
  if (held) plan_.held_delta = access::Delta(before_, *held, touched_held, identity_of);
  WarnUndone(touched);
  NameWays();
  ExplainDelta();
}

// Until when and by which declaration, for each line of the delta.
void Planner::ExplainDelta() {
  const access::AccessDelta& delta = plan_.delta;
  if (delta.empty() && delta.still.empty() && delta.already.empty()) return;
  std::map<std::pair<std::string, std::string>, const compile::GrantLine*> lines;
  for (const compile::GrantLine& line : in_.desired->grants) {
    lines[{line.identity, line.path}] = &line;
  }
  std::unordered_map<std::string_view, const Change*> causes;  // by account's or entry's key
  for (const Change& change : plan_.changes) {
    if (EnabledFieldOf(change.kind) != 0) causes[change.key] = &change;
  }
  const auto explain = [&](const access::AccessChange& change, auto* into) {
    const std::pair<std::string, std::string> key(change.identity, change.path);
    auto at = lines.find(key);
    if (at == lines.end() && change.through.starts_with("group:")) {
      at = lines.find({change.through, change.path});
    }
    if (at == lines.end()) at = lines.find({"account:" + change.account, change.path});
    if (at != lines.end()) {
      (*into)[key] = in_.desired->provenance[at->second->source];
      return;
    }
    const std::string holder =
        change.place.server.empty()
            ? change.account
            : object::MakeKey(Kind::kAccount, {change.place.server, change.account});
    const auto cause = causes.find(holder);
    if (cause == causes.end()) return;
    compile::Provenance provenance;
    provenance.owner = cause->second->owner;
    provenance.reason = cause->second->cause.empty() ? std::string(NameOf(cause->second->reason))
                                                     : cause->second->cause;
    (*into)[key] = provenance;
  };
  // Large first plans have a line for everybody; an explanation is looked up for the first few.
  constexpr size_t kExplained = 2000;
  const auto explain_first = [&](const std::vector<access::AccessChange>& some, auto* into) {
    for (size_t i = 0; i < std::min(kExplained, some.size()); ++i) explain(some[i], into);
  };
  explain_first(delta.gained, &plan_.gained_by);
  explain_first(delta.already, &plan_.gained_by);
  explain_first(delta.lost, &plan_.lost_by);
  explain_first(delta.still, &plan_.lost_by);
}

void Planner::CountPeople() {
  std::map<std::string, std::unordered_set<std::string>> people;
  for (const auto& [place, server] : before_.servers) {
    for (const auto& [login, state] : server.accounts()) {
      if (server.IsOpen(login)) people[place.target].insert(IdentityAt(place, login));
    }
  }
  for (const auto& [target, directory] : before_.directories) {
    for (const auto& [dn, enabled] : directory.users()) {
      if (enabled) people[target].insert(IdentityAt({target, ""}, dn));
    }
  }
  for (TargetSummary& target : plan_.targets) {
    const auto at = people.find(target.name);
    target.people = at == people.end() ? 0 : at->second.size();
  }
}

}  // namespace postern::plan
