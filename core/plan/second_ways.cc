// Folders that have more than one path: which of them counts, what follows for grants, and what a
// link leads to that isn't managed.
#include <fmt/format.h>

#include <algorithm>

#include "core/access/ways.h"
#include "core/diag/codes.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

bool IsManaged(const decl::Host& host, std::string_view path) {
  const auto& roots = host.manage().roots().values();
  return std::any_of(roots.begin(), roots.end(),
                     [&](const std::string& root) { return access::IsWithin(path, root); });
}

// The folder that a change makes or grants something on; empty: it does neither.
std::string FolderOf(const Change& change) {
  const bool makes = change.kind == Kind::kFolder &&
                     (change.action == Action::kCreate || change.action == Action::kUpdate);
  if (!makes && !AddsAccess(change)) return "";
  return std::string(object::SplitKey(change.key)[1]);
}

}  // namespace

// A rule by other hands that is no rule but another path of a folder. True when the server's rules
// speak of paths, so that it bears on what they give. Each server of a host tells the same ways.
bool Planner::TakeWay(uint32_t target, const std::string& server,
                      const object::ObjectView& object) {
  const auto way = object::DecodeAs<kinds::NativeRule>(object.body);
  const decl::Host* host = HostOf(target);
  // One that leads nowhere on the host may lead somewhere from a chroot.
  const bool leads = way.file() != way.path();
  const bool fresh = leads && ways_[target].emplace(way.file(), way.path()).second;
  const bool managed = host != nullptr && IsManaged(*host, way.path());
  if (!managed && fresh) NoteWayOut(target, object, way);
  if (!managed && !way.text().starts_with("link to /")) return false;
  const access::Product* product = ProductOf(server);
  return product != nullptr && product->RulesByPath();
}

void Planner::NoteWayOut(uint32_t target, const object::ObjectView& object,
                         const kinds::NativeRule& way) {
  Drift drift = DriftOf(target, object);
  drift.type = Drift::Type::kForeign;
  drift.effect = Drift::Effect::kUnknown;
  drift.who = way.file();
  drift.what = fmt::format(
      "leads out of the managed roots to {}: what lies there isn't managed, and whoever gets there "
      "may do what its folders let",
      way.path());
  drift.note = fmt::format("{}: {}", way.file(), way.text());
  plan_.drift.push_back(std::move(drift));
}

// Two declared folders that are one, or one that is declared by a path that doesn't count: nobody
// can say which declaration holds. Nothing is added there; what removes access goes on.
void Planner::HoldOneFolder() {
  for (const auto& [target, ways] : ways_) {
    if (desired_[target] == nullptr) continue;
    std::map<std::string, const compile::DesiredObject*> declared;
    for (const compile::DesiredObject& object : desired_[target]->objects) {
      if (object.kind != Kind::kFolder) continue;
      declared.emplace(object::SplitKey(object.key)[1], &object);
    }
    std::map<std::string, std::string> first;  // path that counts -> one that is declared
    for (const auto& [path, object] : declared) {
      const std::string real = access::CountingPath(path, ways);
      const auto same = first.emplace(real, declared.contains(real) ? real : path).first;
      if (path != real) HoldFolder(target, path, real, same->second, declared);
    }
  }
}

void Planner::HoldFolder(uint32_t target, const std::string& path, const std::string& real,
                         const std::string& other,
                         const std::map<std::string, const compile::DesiredObject*>& declared) {
  const auto place = [&](const std::string& folder) {
    const auto at = declared.find(folder);
    if (at == declared.end()) return std::string();
    const uint32_t source = at->second->sources.front();
    return in_.sources->Place(in_.desired->provenance[source].span);
  };
  const bool twice = other != path;
  const std::string both = twice ? fmt::format("{} and {} are one folder", path, other)
                                 : fmt::format("{} is another path of {}", path, real);
  const std::string where = twice ? fmt::format("{}, {}", place(path), place(other)) : place(path);
  size_t held = 0;
  for (Change& change : plan_.changes) {
    if (change.target != target || !change.held.empty()) continue;
    const std::string folder = FolderOf(change);
    const bool here = access::IsWithin(folder, path) || (twice && access::IsWithin(folder, other));
    if (folder.empty() || !here) continue;
    change.held = fmt::format("{} ({})", both, where);
    ++held;
  }
  diagnostics_->Add(
      {.severity = diag::Severity::kWarning,
       .code = diag::code::kSameFolder,
       .summary = fmt::format("{}: {}", both,
                              held > 0 ? "what would be added there is held"
                                       : "what is declared of one holds for the other"),
       .subject = where,
       .notes = {fmt::format("declare {} alone, or take the {} away", real,
                             twice ? "second path" : "link or mount")}});
}

// Which way a line comes by, where no row says it.
void Planner::NameWays() {
  for (auto* lines : {&plan_.delta.gained, &plan_.delta.lost}) {
    for (access::AccessChange& line : *lines) {
      const auto target = std::find_if(plan_.targets.begin(), plan_.targets.end(),
                                       [&](const auto& t) { return t.name == line.place.target; });
      const auto index = static_cast<uint32_t>(target - plan_.targets.begin());
      const auto foreign = foreign_.find({index, line.place.server});
      if (!ways_.contains(index) || foreign == foreign_.end() || !line.through.empty()) continue;
      const auto& overlay =
          lines == &plan_.delta.gained ? foreign->second.after : foreign->second.before;
      if (overlay == nullptr) continue;
      for (const access::Part part : access::kParts) {
        if (!overlay->At(line.account, {line.path, part}).more.Includes(line.rights)) continue;
        const std::string way = WayTo(foreign->second, line.path);
        if (!way.empty()) line.through = "path:" + way;
        break;
      }
    }
  }
}

std::string Planner::WayTo(const ForeignServer& foreign, std::string_view path) {
  for (const ForeignRule& rule : foreign.rules.rules()) {
    if (rule.IsWay() && access::IsWithin(path, rule.rule.path())) return rule.rule.file();
  }
  return "";
}

}  // namespace postern::plan
