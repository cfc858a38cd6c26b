// Rules by other hands as access: what each does to whom.
#include <fmt/format.h>

#include <algorithm>

#include "core/object/wire_fields.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using access::Overlay;
using object::Kind;

constexpr size_t kSaid = 3;  // lines of access that a sentence holds

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

// Of rules by which nobody has more or less, on all servers taken together.
std::string NothingText(const access::AccessDelta& delta) {
  if (!delta.already.empty()) {
    return "gives nobody more access: already through " + delta.already.front().elsewhere;
  }
  if (!delta.still.empty()) {
    return "takes nobody's access: still through " + delta.still.front().elsewhere;
  }
  return "changes nobody's access";
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
    note += fmt::format("{}{}: {}", note.empty() ? "" : "; ", rule.Place(), rule.rule.text());
  }
  if (unit.size() > kSaid) note += fmt::format("; and {} rules more", unit.size() - kSaid);
  return note;
}

Drift::Effect EffectOf(const access::AccessDelta& delta, const Overlay& effect) {
  if (!delta.gained.empty() || !effect.Opened().empty()) return Drift::Effect::kMore;
  return delta.lost.empty() ? Drift::Effect::kEqual : Drift::Effect::kLess;
}

// Where some of it can't be computed, that is what is said first.
void NameUnknown(const Overlay& effect, Drift* drift) {
  const auto [cell, reason] = effect.FirstUnknown();
  if (reason == nullptr) return;
  drift->type = Drift::Type::kNotComputable;
  drift->effect = Drift::Effect::kUnknown;
  drift->who = cell.path;
  drift->what = fmt::format("access is not computable at {} and below: {}{}{}", cell.path,
                            ReasonText(*reason), drift->what.empty() ? "" : "; ", drift->what);
}

// What is no rule but a way or an entry of an ACL; empty: it is a rule.
std::string_view ByOf(const object::ObjectView& rule) {
  object::FieldWalker walker(rule.body);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number == kinds::NativeRule::kByFieldNumber) return field.bytes;
  }
  return {};
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
    const std::string_view by = ByOf(rule);
    if (by == "entry") {
      NoteEntry(index, rule);
      continue;
    }
    if (!by.empty() && !TakeWay(index, server, rule)) continue;
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

// An entry of an ACL for an account that nobody manages: it bears on nobody's rows, so the provider
// says all of it. Of all that stands by other hands beside our files it alone can be taken away
// without a word of theirs being read another way.
void Planner::NoteEntry(uint32_t target, const object::ObjectView& object) {
  if (ForeignPolicy(target) == "ignore") return;
  const auto entry = object::DecodeAs<kinds::NativeRule>(object.body);
  Drift drift = DriftOf(target, object);
  drift.type = Drift::Type::kForeign;
  drift.effect = entry.given().values().empty() ? Drift::Effect::kEqual : Drift::Effect::kMore;
  drift.who = entry.path();
  drift.what = entry.effect();
  drift.note = entry.text();
  plan_.drift.push_back(std::move(drift));
  if (ForeignPolicy(target) != "remove") return;
  Row row;
  row.target = target;
  row.kind = object.kind;
  row.key = object.key;
  row.observed = &object;
  AddChange(row, Action::kDelete, Reason::kForeign);
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
  state.accounts = AccountsOf(target, server, world);
  state.exists = [objects = &observed_[target]->objects,
                  name = host->name()](const std::string& path) {
    return objects->Find(Kind::kFolder, object::MakeKey(Kind::kFolder, {name, path})) != nullptr;
  };
  return state;
}

// Logins with their groups. A primary group is known by its number alone.
std::vector<access::RaiseAccount> Planner::AccountsOf(uint32_t target, const std::string& server,
                                                      const access::ServerWorld& world) const {
  std::vector<access::RaiseAccount> accounts;
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
  const std::string marked = HostOf(target)->manage().accounts();
  for (const auto& [login, account] : world.accounts()) {
    if (!account.exists) continue;
    access::RaiseAccount& out = accounts.emplace_back();
    out.name = login;
    out.home = account.home;
    const auto gid = primary.find(login);
    const auto group = gid == primary.end() ? groups.end() : groups.find(gid->second);
    if (group != groups.end()) out.groups.push_back(group->second);
    if (marked.starts_with("group:")) out.groups.push_back(marked.substr(6));
    for (const std::string_view name : world.GroupsOf(login)) out.groups.emplace_back(name);
  }
  return accounts;
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
  drift.effect = EffectOf(drift.access, effect);
  NameUnknown(effect, &drift);
  const bool way = unit.size() == 1 && first.IsWay();
  // Of a folder's other path that gives nobody more there is nothing to say.
  if (way && drift.effect == Drift::Effect::kEqual) return;
  if (way && !drift.what.empty()) drift.what += fmt::format(" (by {})", first.rule.file());
  if (drift.what.empty()) drift.what = NothingText(drift.access);
  plan_.drift.push_back(std::move(drift));
}

}  // namespace postern::plan
