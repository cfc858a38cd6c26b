// Groups and roles of IAM systems are told by the names that they have there, or will have; what
// compares them goes by folded keys and is done before.
#include <algorithm>

#include "core/object/spelling.h"
#include "core/plan/looks.h"
#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using access::AccessChange;
using object::Kind;

// (target, "group:ops") -> "group:Ops"
using Spellings = std::map<std::pair<std::string_view, std::string>, std::string>;

void Note(std::string_view target, Kind kind, std::string_view key, std::string_view body,
          Spellings* to) {
  const std::string type = IamSetType(kind);
  if (type.empty() || body.empty()) return;
  std::string spelled = object::SpelledKey(kind, key, body);
  if (spelled != key) (*to)[{target, type + std::string(key)}] = type + std::move(spelled);
}

std::string Spelled(const Spellings& spellings, const AccessChange& line, const std::string& set) {
  const auto at = spellings.find({line.place.target, set});
  return at == spellings.end() ? set : at->second;
}

void Spell(const Spellings& spellings, std::vector<AccessChange>* lines,
           std::map<std::pair<std::string, std::string>, compile::Provenance>* by) {
  for (AccessChange& line : *lines) {
    if (!line.place.server.empty()) continue;
    line.through = Spelled(spellings, line, line.through);
    std::string path = Spelled(spellings, line, line.path);
    if (path == line.path) continue;
    if (by != nullptr) {
      if (auto why = by->extract({line.identity, line.path}); !why.empty()) {
        why.key().second = path;
        by->insert(std::move(why));
      }
    }
    line.path = std::move(path);
  }
}

}  // namespace

void Planner::SpellSets() {
  const auto in_iam = [](const AccessChange& line) {
    return line.place.target.starts_with("iam:") && !line.path.empty();
  };
  access::AccessDelta& delta = plan_.delta;
  access::AccessDelta& held = plan_.held_delta;
  std::vector<AccessChange>* const lists[] = {&delta.lost,    &delta.gained, &delta.still,
                                              &delta.already, &held.lost,    &held.gained};
  if (std::none_of(std::begin(lists), std::end(lists), [&](const auto* lines) {
        return std::any_of(lines->begin(), lines->end(), in_iam);
      })) {
    return;
  }
  Spellings spellings;
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    for (const Kind kind : {Kind::kIamGroup, Kind::kIamRole, Kind::kIamAccessRole}) {
      for (const object::ObjectView& set : observed_[i]->objects.OfKind(kind)) {
        Note(plan_.targets[i].name, kind, set.key, set.body, &spellings);
      }
    }
  }
  for (const Change& change : plan_.changes) {
    if (!change.held.empty()) continue;
    Note(plan_.targets[change.target].name, change.kind, change.key, change.after, &spellings);
  }
  for (auto* lines : lists) {
    const bool lost = lines == &delta.lost || lines == &delta.still;
    const bool gained = lines == &delta.gained || lines == &delta.already;
    Spell(spellings, lines, lost ? &plan_.lost_by : gained ? &plan_.gained_by : nullptr);
  }
}

}  // namespace postern::plan
