// What must wait for what. An addition belongs to the component of every removal with which it
// shares an identity or an overlapping folder; everything else runs on its own.
#include <algorithm>
#include <numeric>
#include <utility>

#include "core/jobs/spec.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

class Sets {
 public:
  explicit Sets(size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), uint32_t{0});
  }
  uint32_t Find(uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void Join(uint32_t a, uint32_t b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<uint32_t> parent_;
};

// Steps that take away and steps that give, by whom or where they are about.
struct Sides {
  using Steps = std::unordered_map<std::string, std::vector<uint32_t>>;
  Steps removing, adding;
  void Note(bool removes, const std::string& what, uint32_t step) {
    (removes ? removing : adding)[what].push_back(step);
  }
};

void JoinSame(const Sides& sides, Sets* sets) {
  for (const auto& [what, adding] : sides.adding) {
    const auto removing = sides.removing.find(what);
    if (removing == sides.removing.end()) continue;
    for (const uint32_t step : adding) sets->Join(step, removing->second.front());
    for (const uint32_t step : removing->second) sets->Join(step, removing->second.front());
  }
}

// Overlap: one path holds the other, so it is enough to walk up from each side. Places are
// "TARGET:/PATH".
void JoinUp(const Sides::Steps& from, const Sides::Steps& above, Sets* sets) {
  for (const auto& [place, steps] : from) {
    const size_t colon = place.find(":/");
    std::string_view path = std::string_view(place).substr(colon + 1);
    for (; !path.empty(); path = access::ParentOf(path)) {
      const auto at = above.find(place.substr(0, colon + 1) + std::string(path));
      if (at == above.end()) continue;
      for (const uint32_t step : steps) sets->Join(step, at->second.front());
      for (const uint32_t step : at->second) sets->Join(step, at->second.front());
    }
  }
}

// A number only for components that hold both a removal and an addition.
void Number(Sets* sets, std::vector<Step>* steps) {
  std::unordered_map<uint32_t, int> sides;
  for (uint32_t i = 0; i < steps->size(); ++i) {
    sides[sets->Find(i)] |= ((*steps)[i].removes ? 1 : 0) | ((*steps)[i].adds ? 2 : 0);
  }
  std::unordered_map<uint32_t, uint32_t> numbers;
  for (uint32_t i = 0; i < steps->size(); ++i) {
    const uint32_t root = sets->Find(i);
    if (sides[root] != 3) continue;
    const auto number = static_cast<uint32_t>(numbers.size() + 1);
    (*steps)[i].component = numbers.try_emplace(root, number).first->second;
  }
}

}  // namespace

// Logins or entries whose access the step bears on, with the server they are at ("": a directory).
std::vector<std::pair<std::string, std::string>> Planner::HoldersOf(const Step& step) const {
  const object::Operation& row = step.operation;
  const auto parts = object::SplitKey(row.key);
  const auto one = [](std::string_view server, std::string_view account) {
    return std::vector{std::pair(std::string(server), std::string(account))};
  };
  switch (row.kind) {
    case Kind::kUser:
    case Kind::kMembership:
    case Kind::kIamUser:
    case Kind::kIamMembership:
    case Kind::kOauthClient:
      return EntriesOf(step);
    case Kind::kAccount:
    case Kind::kSshKey:
    case Kind::kSession:
      return one(parts[0], parts[1]);
    case Kind::kServerMembership:
      return one(parts[0], parts[2]);
    case Kind::kGrant:
      break;
    default:
      return {};
  }
  std::vector<std::pair<std::string, std::string>> out;
  const auto subject = access::ParseSubject(parts[3]);
  if (!subject || GivesNobodyAnything(row.kind, row.before, row.after)) return out;
  const access::Place place{plan_.targets[plan_.changes[step.change].target].name,
                            std::string(parts[0])};
  for (const access::World* world : {&before_, &after()}) {
    const auto server = world->servers.find(place);
    if (server == world->servers.end()) continue;
    for (const std::string& login : server->second.LoginsOf(*subject)) {
      out.emplace_back(parts[0], login);
    }
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> Planner::EntriesOf(const Step& step) const {
  const object::Operation& row = step.operation;
  std::vector<std::pair<std::string, std::string>> out;
  if (std::string entry = access::EntryOf(row.kind, row.key); !entry.empty()) {
    out.emplace_back("", std::move(entry));
    return out;
  }
  const std::string_view member = object::SplitKey(row.key)[1];
  for (const access::World* world : {&before_, &after()}) {
    const auto at = world->directories.find(plan_.targets[plan_.changes[step.change].target].name);
    if (at == world->directories.end()) continue;
    for (std::string& entry : at->second.EntriesIn(member)) out.emplace_back("", std::move(entry));
  }
  return out;
}

// What it is after the plan, or was before.
std::string_view Planner::SpecOfJob(const Step& step) const {
  const Change& change = plan_.changes[step.change];
  const std::string& body = change.after.empty() ? change.before : change.after;
  return TextIn(body, kinds::Job::kSpecFieldNumber);
}

void Planner::FindComponents() {
  // Nothing waits where nothing is taken away: a first plan only adds.
  if (std::none_of(plan_.steps.begin(), plan_.steps.end(),
                   [](const Step& step) { return step.removes; })) {
    return;
  }
  Sides people, places;
  for (uint32_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    if (!step.removes && !step.adds) continue;
    const std::string& target = plan_.targets[plan_.changes[step.change].target].name;
    for (const auto& [server, account] : HoldersOf(step)) {
      people.Note(step.removes, IdentityAt({target, server}, account), i);
      if (handed_over_.contains(std::pair(access::Place{target, server}, account))) {
        people.Note(step.removes, IdentityBefore({target, server}, account), i);
      }
    }
    if (step.operation.kind == Kind::kJob) {
      // Whom it runs as, and where it reads or writes: nothing runs there before all revocations.
      const auto spec = jobs::ParseSpec(SpecOfJob(step));
      if (!spec) continue;
      const std::string as = spec->has_export_() ? spec->export_().as() : spec->import().as();
      people.Note(step.removes, as, i);
      const auto [host, path] = PlaceOfJob(*spec);
      if (!host.empty()) places.Note(step.removes, host + ":" + path, i);
      continue;
    }
    if (step.operation.kind != Kind::kGrant) continue;
    const auto parts = object::SplitKey(step.operation.key);
    places.Note(step.removes, target + ":" + std::string(parts[1]), i);
  }
  Sets sets(plan_.steps.size());
  JoinSame(people, &sets);
  JoinUp(places.adding, places.removing, &sets);
  JoinUp(places.removing, places.adding, &sets);
  Number(&sets, &plan_.steps);
}

}  // namespace postern::plan
