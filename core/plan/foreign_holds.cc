// What rules by other hands do to a plan: which grants they stand in the way of, and which
// revocations they undo.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using access::Cell;
using access::CellEffect;
using access::Overlay;
using access::Part;
using access::Rights;
using object::Kind;

bool IsOfServer(const Change& change, uint32_t target, const std::string& server) {
  if (change.target != target || !WritesTarget(change.action)) return false;
  if (static_cast<int>(change.kind) < static_cast<int>(Kind::kAccount)) return false;
  return change.kind != Kind::kFolder && object::SplitKey(change.key)[0] == server;
}

// The cells that a row reaches, at its own path and where other hands' rules name more.
std::vector<Cell> CellsOf(const object::KeyParts& grant, const Overlay& overlay) {
  const std::string path(grant[1]);
  const bool subtree = grant[2] == "subtree";
  std::vector<Cell> cells = {{path, Part::kNode}, {path, Part::kEntries}};
  if (subtree) cells.push_back({path, Part::kDeeper});
  for (const std::string& other : overlay.paths()) {
    if (other == path || !access::IsWithin(other, path)) continue;
    if (!subtree && access::ParentOf(other) != path) continue;
    for (const Part part : access::kParts) {
      if (subtree || part == Part::kNode) cells.push_back({other, part});
    }
  }
  return cells;
}

}  // namespace

bool AddsAccess(const Change& change) {
  if (change.kind != Kind::kGrant || IsBaseline(change.kind, change.key)) return false;
  if (change.action == Action::kCreate) return true;
  if (change.action != Action::kUpdate) return false;
  const Rights was(object::DecodeAs<kinds::Grant>(change.before).rights());
  const Rights is(object::DecodeAs<kinds::Grant>(change.after).rights());
  return !(is - was).empty();
}

// The server after these changes, without those that are held.
access::ServerWorld Planner::ServerAfter(uint32_t target, const std::string& server,
                                         const access::ServerWorld& live, bool* rewritten) const {
  const std::string& name = plan_.targets[target].name;
  access::World world;
  world.servers.emplace(access::Place{name, server}, live);
  for (const Change& change : plan_.changes) {
    if (!change.held.empty() || !IsOfServer(change, target, server)) continue;
    PutChange(WithLiveBody(change), name, &world);
    *rewritten = *rewritten || change.kind == Kind::kGrant;
  }
  return std::move(world.servers.begin()->second);
}

std::optional<RaisedServer> Planner::RaiseAfter(uint32_t target, const std::string& server,
                                                const ForeignServer& foreign,
                                                access::ServerWorld* world) const {
  bool rewritten = false;
  *world = ServerAfter(target, server, foreign.live, &rewritten);
  ServerState state = StateOf(target, server, *world);
  state.rewritten = rewritten;
  auto raised = foreign.rules.Raise(state);
  if (!raised) return std::nullopt;
  return *std::move(raised);
}

// A grant that wouldn't give exactly what is declared is held; what removes access goes on.
void Planner::HoldConflicts() {
  for (auto& [at, foreign] : foreign_) {
    const uint32_t target = at.first;
    const std::string& server = at.second;
    const bool touched =
        std::any_of(plan_.changes.begin(), plan_.changes.end(), [&](const Change& change) {
          return change.held.empty() && IsOfServer(change, target, server);
        });
    if (!touched) continue;
    access::ServerWorld world;
    std::optional<RaisedServer> raised;
    if (foreign.computed) raised = RaiseAfter(target, server, foreign, &world);
    bool held = false;
    for (Change& change : plan_.changes) {
      if (!change.held.empty() || !AddsAccess(change) || !IsOfServer(change, target, server))
        continue;
      if (raised) {
        HoldIfInexact(foreign, *raised, world, &change);
      } else {
        HoldIfNear(foreign, &change);
      }
      held = held || !change.held.empty();
    }
    if (!raised) continue;
    foreign.prospective = raised->All();
    if (held) raised = RaiseAfter(target, server, foreign, &world);
    if (!raised) continue;
    foreign.after = raised->All();
    foreign.raised_after = std::make_shared<const RaisedServer>(*std::move(raised));
  }
}

// Nothing is known but where the rule stands.
void Planner::HoldIfNear(const ForeignServer& foreign, Change* change) {
  const auto parts = object::SplitKey(change->key);
  for (const ForeignRule& one : foreign.rules.rules()) {
    const std::string& path = one.rule.path();
    if (!access::IsWithin(parts[1], path) && !access::IsWithin(path, parts[1])) continue;
    Hold(one, one.rule.effect(), change);
    return;
  }
}

void Planner::HoldIfInexact(const ForeignServer& foreign, const RaisedServer& raised,
                            const access::ServerWorld& world, Change* change) {
  const auto parts = object::SplitKey(change->key);
  const auto subject = access::ParseSubject(parts[3]);
  if (!subject) return;
  for (const Cell& cell : CellsOf(parts, *raised.All())) {
    for (const std::string& login : world.LoginsOf(*subject)) {
      const CellEffect effect = raised.All()->At(login, cell);
      if (effect.empty()) continue;
      std::string why =
          !effect.unknown.empty()
              ? fmt::format("{} couldn't be computed there: {}", access::Format(effect.unknown),
                            ReasonText(*effect.reason))
          : !effect.less.empty() ? fmt::format("{} would not get {} on {}", login,
                                               access::Format(effect.less), cell.path)
                                 : fmt::format("{} would get {} on {} as well", login,
                                               access::Format(effect.more), cell.path);
      Hold(*Blame(foreign, raised, login, cell), why, change);
      return;
    }
  }
}

// The rule without which there is no such effect; the first of all when it takes several.
const ForeignRule* Planner::Blame(const ForeignServer& foreign, const RaisedServer& raised,
                                  const std::string& login, const Cell& cell) {
  for (const RuleUnit& unit : foreign.units) {
    const auto effect = raised.Of(unit);
    if (effect && !(*effect)->At(login, cell).empty()) return &foreign.rules.rules()[unit.front()];
  }
  return &foreign.rules.rules().front();
}

void Planner::Hold(const ForeignRule& rule, const std::string& why, Change* change) {
  change->held = fmt::format("{} stands in the way: {}",
                             rule.IsWay() ? "another path of the folder" : "a rule by other hands",
                             rule.Place());
  diagnostics_->Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kForeignRule,
       .summary = fmt::format("{} is held: {}", object::Describe(change->kind, change->key), why),
       .subject = rule.Place(),
       .label = rule.rule.text(),
       .notes = {rule.WayOut()}});
}

// A revocation that a rule by other hands undoes is no loss; it is said.
void Planner::WarnUndone(const access::Touched& touched) {
  if (!after_) return;
  for (const auto& [at, foreign] : foreign_) {
    if (foreign.raised_after == nullptr) continue;
    const access::Place place{plan_.targets[at.first].name, at.second};
    access::World before, after;
    before.servers.emplace(place, before_.servers.at(place)).first->second.SetOverlay(nullptr);
    after.servers.emplace(place, after_->servers.at(place)).first->second.SetOverlay(nullptr);
    access::Touched here;
    for (const auto& account : touched.accounts) {
      if (account.first == place) here.accounts.insert(account);
    }
    const auto delta = access::Delta(before, after, here, [this](const auto& where, auto account) {
      return IdentityAt(where, account);
    });
    for (const access::AccessChange& line : delta.lost) WarnKept(foreign, line);
  }
}

void Planner::WarnKept(const ForeignServer& foreign, const access::AccessChange& line) {
  for (const Part part : access::kParts) {
    if (part == Part::kDeeper && line.depth == access::Depth::kThis) continue;
    const Cell cell{line.path, part};
    const Rights kept = foreign.after->At(line.account, cell).more & line.rights;
    if (kept.empty()) continue;
    const ForeignRule* rule = Blame(foreign, *foreign.raised_after, line.account, cell);
    diagnostics_->Add({.severity = diag::Severity::kWarning,
                       .code = diag::code::kForeignRule,
                       .summary = fmt::format(
                           "{} keeps {} on {}: {} gives it, so that taking the grant away "
                           "doesn't end it",
                           ShortIdentity(line.identity), access::Format(kept), line.path,
                           rule->IsWay() ? "another path of the folder" : "a rule by other hands"),
                       .subject = rule->Place(),
                       .label = rule->rule.text(),
                       .notes = {rule->WayOut()}});
    return;
  }
}

}  // namespace postern::plan
