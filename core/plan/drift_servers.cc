// Drift judged over all servers of a host: a row by hand gives an identity no more than another of
// its ways in gives it anyway, and takes nothing that one of those keeps.
#include <fmt/format.h>

#include <algorithm>

#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using access::AccessChange;
using object::Kind;

bool IsRow(const Drift& drift) {
  if (drift.kind == Kind::kServerMembership) return true;
  return drift.kind == Kind::kGrant && !IsBaseline(drift.kind, drift.key);
}

// Whose access the drift is about, and where: every account of a subject, below one folder; of a
// membership everywhere.
struct Reach {
  access::Place place;
  std::set<std::string> accounts;
  std::string path;

  bool Holds(const AccessChange& line) const {
    return line.place == place && accounts.contains(line.account) &&
           (path.empty() || access::IsWithin(line.path, path));
  }
  const AccessChange* FindIn(const std::vector<AccessChange>& lines) const {
    const auto at = std::find_if(lines.begin(), lines.end(),
                                 [this](const AccessChange& line) { return Holds(line); });
    return at == lines.end() ? nullptr : &*at;
  }
};

Reach ReachOf(const Drift& drift, const std::string& target, const access::World& live,
              const access::World& recorded) {
  const auto parts = object::SplitKey(drift.key);
  Reach reach{{target, std::string(parts[0])}, {}, {}};
  if (drift.kind == Kind::kServerMembership) {
    reach.accounts.insert(std::string(parts[2]));
    return reach;
  }
  reach.path = parts[1];
  const auto subject = access::ParseSubject(parts[3]);
  for (const access::World* world : {&live, &recorded}) {
    const auto server = world->servers.find(reach.place);
    if (!subject || server == world->servers.end()) continue;
    for (std::string& login : server->second.LoginsOf(*subject)) {
      reach.accounts.insert(std::move(login));
    }
  }
  return reach;
}

// What only one account has more or less by it is told as that.
void Mend(const access::AccessDelta& delta, const Reach& reach, Drift* drift) {
  const AccessChange* shared = nullptr;
  if (drift->effect == Drift::Effect::kMore && reach.FindIn(delta.gained) == nullptr) {
    shared = reach.FindIn(delta.already);
    if (shared == nullptr) return;
    drift->what += fmt::format("; no more access: already through {}", shared->elsewhere);
    const bool less = reach.FindIn(delta.lost) != nullptr;
    drift->effect = less ? Drift::Effect::kLess : Drift::Effect::kEqual;
  } else if (drift->effect == Drift::Effect::kLess && reach.FindIn(delta.lost) == nullptr) {
    shared = reach.FindIn(delta.still);
    if (shared == nullptr) return;
    drift->what += fmt::format("; no less access: still through {}", shared->elsewhere);
    drift->effect = Drift::Effect::kEqual;
  }
}

}  // namespace

// One world and one delta for all of it: costs what differs, not drifts x accounts.
void Planner::JudgeDriftOverServers() {
  if (std::none_of(plan_.drift.begin(), plan_.drift.end(), IsRow)) return;
  access::World recorded = before_;
  access::Touched touched;
  static const std::vector<ledger::Recorded> kNone;
  for (const Drift& drift : plan_.drift) {
    if (!IsRow(drift)) continue;
    const std::string& target = plan_.targets[drift.target].name;
    const auto rows = in_.recorded->find(target);
    const ledger::Recorded* was =
        FindRecorded(rows == in_.recorded->end() ? kNone : rows->second, drift.kind, drift.key);
    recorded.Put(target, drift.kind, drift.key, was == nullptr ? std::string() : was->body,
                 was != nullptr);
  }
  for (const Drift& drift : plan_.drift) {
    if (!IsRow(drift)) continue;
    access::Touch(plan_.targets[drift.target].name, drift.kind, drift.key, recorded, before_,
                  &touched);
  }
  const access::AccessDelta delta = access::Delta(
      recorded, before_, touched,
      [this](const access::Place& place, auto account) { return IdentityBefore(place, account); });
  for (Drift& drift : plan_.drift) {
    if (!IsRow(drift)) continue;
    const std::string& target = plan_.targets[drift.target].name;
    Mend(delta, ReachOf(drift, target, before_, recorded), &drift);
  }
}

}  // namespace postern::plan
