// Rules by other hands as access: what each does to whom, which grants it stands in the way of,
// and which revocations it undoes.
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

constexpr size_t kSaid = 3;  // lines of access that a sentence holds

// "acme" of "partner:acme".
std::string_view ShortIdentity(std::string_view identity) {
  return identity.substr(identity.find(':') + 1);
}

// "overwrite on /srv/in", "list on /srv, not below".
std::string LineText(const access::AccessChange& line) {
  return fmt::format("{} on {}{}", access::Format(line.rights), line.path,
                     line.depth == access::Depth::kThis ? ", not below" : "");
}

// "jo.hart, li.wong"; of many the first three.
std::string Names(const std::vector<std::string_view>& identities) {
  std::string text;
  for (size_t i = 0; i < std::min(kSaid, identities.size()); ++i) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", ShortIdentity(identities[i]));
  }
  if (identities.size() > kSaid) text += fmt::format(" and {} others", identities.size() - kSaid);
  return text;
}

// "acme also has overwrite on /srv/in; jo.hart, li.wong no longer have list on /srv"; without names
// where all lines are one identity's.
std::string Sentence(const access::AccessDelta& delta, bool with_names) {
  std::string text;
  size_t said = 0, all = 0;
  const auto say = [&](const std::vector<access::AccessChange>& lines, std::string_view verb) {
    std::vector<std::pair<std::string, std::vector<std::string_view>>> facts;
    for (const access::AccessChange& line : lines) {
      const std::string fact = LineText(line);
      auto same = std::find_if(facts.begin(), facts.end(),
                               [&](const auto& known) { return known.first == fact; });
      if (same == facts.end()) same = facts.insert(facts.end(), {fact, {}});
      if (same->second.empty() || same->second.back() != line.identity) {
        same->second.push_back(line.identity);
      }
    }
    all += facts.size();
    for (const auto& [fact, who] : facts) {
      if (said == kSaid) return;
      ++said;
      text += text.empty() ? "" : "; ";
      if (with_names) text += Names(who) + " ";
      text += fmt::format("{} {} {}", verb, with_names && who.size() > 1 ? "have" : "has", fact);
    }
  };
  say(delta.gained, "also");
  say(delta.lost, "no longer");
  if (all > said) text += fmt::format("; and {} more", all - said);
  return text;
}

// The one identity of all lines; empty: there are several.
std::string OnlyIdentity(const access::AccessDelta& delta) {
  std::set<std::string> all;
  for (const auto* lines : {&delta.gained, &delta.lost}) {
    for (const access::AccessChange& line : *lines) all.insert(line.identity);
  }
  return all.size() == 1 ? *all.begin() : "";
}

// "/etc/x.conf:12: <Directory /srv/in>"; of several the first three.
std::string NoteOf(const ServerRules& rules, const RuleUnit& unit) {
  std::string note;
  for (size_t i = 0; i < std::min(kSaid, unit.size()); ++i) {
    const ForeignRule& rule = rules.rules()[unit[i]];
    note += fmt::format("{}{}:{}: {}", note.empty() ? "" : "; ", rule.rule.file(), rule.rule.line(),
                        rule.rule.text());
  }
  if (unit.size() > kSaid) note += fmt::format("; and {} rules more", unit.size() - kSaid);
  return note;
}

std::string ReasonText(const access::Reason& reason) {
  if (reason.file.empty()) return fmt::format("{} ({})", reason.why, reason.text);
  return fmt::format("{} ({}:{}: {})", reason.why, reason.file, reason.line, reason.text);
}

// A grant that comes or gets wider; the deny-all and a narrowing only take away.
bool Adds(const Change& change) {
  if (change.kind != Kind::kGrant || IsBaseline(change.kind, change.key)) return false;
  if (change.action == Action::kCreate) return true;
  if (change.action != Action::kUpdate) return false;
  const Rights was(object::DecodeAs<kinds::Grant>(change.before).rights());
  const Rights is(object::DecodeAs<kinds::Grant>(change.after).rights());
  return !(is - was).empty();
}

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

// Rules are judged where they stand: before the join, so that drift comes in the order of keys.
void Planner::NoteNativeRules(uint32_t index, const observe::ObservedTarget& target) {
  const auto rules = target.objects.OfKind(Kind::kNativeRule);
  if (rules.empty()) return;
  access::World world;
  for (const object::ObjectView& object : target.objects.all()) {
    world.Put(target.name, object.kind, object.key, object.body, true);
  }
  std::vector<std::string> servers;
  for (const object::ObjectView& rule : rules) {
    const std::string server(object::SplitKey(rule.key)[0]);
    if (servers.empty() || servers.back() != server) servers.push_back(server);
    foreign_[{index, server}].rules.AddRule(rule);
  }
  for (const std::string& server : servers) {
    ForeignServer& foreign = foreign_.at({index, server});
    foreign.rules.SetProduct(ProductOf(server));
    const auto state = scopes_.find({index, Kind::kServerConfig, server});
    const bool complete = state == scopes_.end() || state->second.complete;
    for (const object::ObjectView& object : target.objects.OfKind(Kind::kServerConfig)) {
      if (complete && object::SplitKey(object.key)[0] == server) {
        foreign.rules.AddFile(object::DecodeAs<kinds::ServerConfig>(object.body));
      }
    }
    if (!complete) foreign.why = state->second.reason;
    NoteForeignRules(index, server, world, &foreign);
  }
}

const access::Product* Planner::ProductOf(const std::string& server) const {
  if (in_.products == nullptr) return nullptr;
  for (const auto& declared : in_.declarations->servers) {
    if (declared.message.name() != server) continue;
    const auto product = in_.products->find(declared.message.product());
    return product == in_.products->end() ? nullptr : product->second;
  }
  return nullptr;
}

// Rows, roots and accounts of a server as a raise takes them.
ServerState Planner::StateOf(uint32_t target, const std::string& server,
                             const access::ServerWorld& world) const {
  ServerState state;
  const decl::Host* host = HostOf(target);
  for (const auto& [place, row] : world.rows()) {
    for (const auto& [subject, rights] : row) {
      const bool baseline = rights.empty() && subject.type == access::Subject::Type::kEveryone;
      const std::string path(place.first);
      const auto depth = static_cast<access::Depth>(place.second);
      if (!rights.empty()) state.rows.push_back({path, depth, subject, rights});
      if (baseline && depth == access::Depth::kSubtree) state.roots.push_back(path);
    }
  }
  const auto& managed = host->manage().roots().values();
  state.managed.assign(managed.begin(), managed.end());
  // A root that was opened to everyone by hand has a row with rights in its place.
  for (const std::string& root : state.managed) {
    const bool known = std::find(state.roots.begin(), state.roots.end(), root) != state.roots.end();
    const bool opened = std::any_of(state.rows.begin(), state.rows.end(), [&](const auto& row) {
      return row.path == root && row.subject.type == access::Subject::Type::kEveryone;
    });
    if (!known && opened) state.roots.push_back(root);
  }
  // A primary group is known by its number alone.
  std::map<uint32_t, std::string> groups;
  std::map<std::string, uint32_t, std::less<>> primary;
  const auto take = [&](Kind kind, std::string_view key, std::string_view body) {
    const auto parts = object::SplitKey(key);
    if (parts[0] != server) return;
    if (kind == Kind::kServerGroup) groups.emplace(NumberIn(body, 3), parts[1]);
    if (kind == Kind::kAccount) primary.emplace(parts[1], NumberIn(body, 6));
  };
  for (const Kind kind : {Kind::kServerGroup, Kind::kAccount}) {
    for (const object::ObjectView& object : observed_[target]->objects.OfKind(kind)) {
      take(kind, object.key, object.body);
    }
  }
  if (desired_[target] != nullptr) {
    for (const compile::DesiredObject& object : desired_[target]->objects) {
      take(object.kind, object.key, object.body);
    }
  }
  // The group that marks managed accounts is no object, and every account told is in it.
  const std::string marked = host->manage().accounts();
  for (const auto& [login, account] : world.accounts()) {
    if (!account.exists) continue;
    access::RaiseAccount& out = state.accounts.emplace_back();
    out.name = login;
    out.home = account.home;
    const auto gid = primary.find(login);
    const auto group = gid == primary.end() ? groups.end() : groups.find(gid->second);
    if (group != groups.end()) out.groups.push_back(group->second);
    if (marked.starts_with("group:")) out.groups.push_back(marked.substr(6));
    for (const std::string_view name : world.GroupsOf(login)) out.groups.emplace_back(name);
  }
  return state;
}

void Planner::NoteForeignRules(uint32_t target, const std::string& server,
                               const access::World& world, ForeignServer* foreign) {
  const access::Place place{plan_.targets[target].name, server};
  const ServerRules& rules = foreign->rules;
  foreign->live = world.servers.at(place);
  auto raised = rules.Raise(StateOf(target, server, foreign->live));
  if (!raised) {
    if (foreign->why.empty() && raised.error().code != ErrorCode::kNotFound) {
      foreign->why = raised.error().message;
    }
    if (foreign->why.empty()) foreign->why = "the server's configuration wasn't observed";
    for (size_t i = 0; i < rules.rules().size(); ++i) NoteNotComputable(target, *foreign, i);
    return;
  }
  foreign->before = foreign->after = raised->All();
  foreign->computed = true;
  std::vector<RuleUnit> units = rules.Units();
  std::vector<const Overlay*> parts;
  for (const RuleUnit& unit : units) {
    const auto effect = raised->Of(unit);
    if (effect) parts.push_back(effect->get());
  }
  // What only several rules together do is told of all of them.
  if (parts.size() != units.size() || !foreign->before->CoveredBy(parts)) units = {rules.Whole()};
  for (const RuleUnit& unit : units) {
    const auto effect = raised->Of(unit);
    const auto without = raised->Without(unit);
    if (!effect || !without) continue;
    NoteForeignRule(target, world, place, *foreign, unit, **effect, *without);
  }
  foreign->units = std::move(units);
}

// As the provider tells it: nothing more is known.
void Planner::NoteNotComputable(uint32_t target, const ForeignServer& foreign, size_t index) {
  const ForeignRule& rule = foreign.rules.rules()[index];
  Drift drift = DriftOf(target, *rule.object);
  drift.type = Drift::Type::kNotComputable;
  drift.effect = Drift::Effect::kUnknown;
  drift.who = rule.rule.path();
  drift.what = fmt::format("access is not computable at {} and below: {}", rule.rule.path(),
                           rule.rule.effect());
  drift.note = NoteOf(foreign.rules, {index});
  plan_.drift.push_back(std::move(drift));
}

Drift Planner::DriftOf(uint32_t target, const object::ObjectView& object) {
  Drift drift;
  drift.target = target;
  drift.kind = object.kind;
  drift.key = object.key;
  drift.changed_by = object.changed_by;
  drift.changed_at = object.changed_at;
  drift.how_known = object.how_known;
  return drift;
}

// Who has more or less by these rules than they would have without them.
void Planner::NoteForeignRule(uint32_t target, const access::World& world,
                              const access::Place& place, const ForeignServer& foreign,
                              const RuleUnit& unit, const Overlay& effect,
                              std::shared_ptr<const Overlay> without) {
  access::World with, bare;
  for (const auto& [other, server] : world.servers) {
    if (other.target != place.target) continue;
    with.servers.emplace(other, server);
    bare.servers.emplace(other, server);
  }
  with.servers.at(place).SetOverlay(foreign.before);
  bare.servers.at(place).SetOverlay(std::move(without));
  access::Touched touched;
  for (std::string& login : effect.Affected()) touched.accounts.insert({place, std::move(login)});
  const ForeignRule& first = foreign.rules.rules()[unit.front()];
  Drift drift = DriftOf(target, *first.object);
  drift.type = Drift::Type::kForeign;
  drift.access = access::Delta(bare, with, touched, [this](const auto& at, auto account) {
    return IdentityAt(at, account);
  });
  drift.note = NoteOf(foreign.rules, unit);
  const std::string only = OnlyIdentity(drift.access);
  drift.who = only.empty() ? first.rule.path() : only;
  drift.what = Sentence(drift.access, only.empty());
  for (const std::string& login : effect.Opened()) {
    drift.what += fmt::format("{}anybody gets in as {} without a password",
                              drift.what.empty() ? "" : "; ", login);
  }
  drift.effect = !drift.access.gained.empty() || !effect.Opened().empty() ? Drift::Effect::kMore
                 : !drift.access.lost.empty()                             ? Drift::Effect::kLess
                                                                          : Drift::Effect::kEqual;
  const auto [cell, reason] = effect.FirstUnknown();
  if (reason != nullptr) {
    drift.type = Drift::Type::kNotComputable;
    drift.effect = Drift::Effect::kUnknown;
    drift.who = cell.path;
    drift.what = fmt::format("access is not computable at {} and below: {}{}{}", cell.path,
                             ReasonText(*reason), drift.what.empty() ? "" : "; ", drift.what);
  }
  if (drift.what.empty()) drift.what = "changes nobody's access";
  plan_.drift.push_back(std::move(drift));
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
      if (!change.held.empty() || !Adds(change) || !IsOfServer(change, target, server)) continue;
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
  change->held = fmt::format("a rule by other hands stands in the way: {}", rule.Place());
  diagnostics_->Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kForeignRule,
       .summary = fmt::format("{} is held: {}", object::Describe(change->kind, change->key), why),
       .subject = rule.Place(),
       .label = rule.rule.text(),
       .notes = {fmt::format("take this rule out of {} (line {}), or narrow `manage.roots` so that "
                             "{} is not managed",
                             rule.rule.file(), rule.rule.line(), rule.rule.path())}});
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
    diagnostics_->Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kForeignRule,
         .summary = fmt::format("{} keeps {} on {}: a rule by other hands gives it, so that taking "
                                "the grant away doesn't end it",
                                ShortIdentity(line.identity), access::Format(kept), line.path),
         .subject = rule->Place(),
         .label = rule->rule.text(),
         .notes = {fmt::format("take this rule out of {} (line {})", rule->rule.file(),
                               rule->rule.line())}});
    return;
  }
}

}  // namespace postern::plan
