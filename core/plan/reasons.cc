// Until when and by which declaration, for each line of the change of access.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "core/plan/planner.h"

namespace postern::plan {
namespace {

using access::AccessChange;
using compile::GrantLine;
using compile::Provenance;
using object::Kind;

class Reasons {
 public:
  Reasons(const Plan& plan, const compile::Desired& desired) : desired_(desired) {
    for (const GrantLine& line : desired.grants) {
      lines_[{line.identity, line.path}] = &line;
      owned_[{desired.provenance[line.source].owner, line.path}] = &line;
      if (line.identity.starts_with("group:")) of_groups_.insert(line.source);
    }
    for (const Change& change : plan.changes) {
      if (EnabledFieldOf(change.kind) != 0) holders_[change.key] = &change;
      if (change.kind != Kind::kGrant || !change.held.empty()) continue;
      const auto parts = object::SplitKey(change.key);
      const access::Place place{plan.targets[change.target].name, std::string(parts[0])};
      rows_[{place, std::string(parts[1]), std::string(parts[3])}] = &change;
    }
  }

  // The row that comes or goes tells it where there is one: another grant may give the same folder
  // to the same identity.
  std::optional<Provenance> Of(const AccessChange& line) const {
    if (auto why = ByRow(line)) return why;
    for (const std::string& who : {line.identity, line.through, "account:" + line.account}) {
      const auto at = lines_.find({who, line.path});
      if (at == lines_.end()) continue;
      auto why = ByStandingRow(line);
      return why ? why : desired_.provenance[at->second->source];
    }
    return ByHolder(line);
  }

 private:
  std::optional<Provenance> ByRow(const AccessChange& line) const {
    const std::string own = "account:" + line.account;
    auto row = rows_.find({line.place, line.path, line.through.empty() ? own : line.through});
    if (row == rows_.end()) row = rows_.find({line.place, line.path, own});
    if (row == rows_.end()) return std::nullopt;
    const Change& change = *row->second;
    const compile::DesiredTarget* target = desired_.Find(line.place.target);
    const compile::DesiredObject* wanted =
        target == nullptr ? nullptr : target->Find(change.kind, change.key);
    if (wanted != nullptr && !wanted->sources.empty()) {
      return OwnOf(*wanted);
    }
    // An end of its time still stands in the declarations.
    const auto ended = owned_.find({change.owner, line.path});
    if (ended != owned_.end()) return desired_.provenance[ended->second->source];
    return Provenance{};  // a place in a file that isn't as it was would mislead
  }

  // What it is given by itself before what it is given with others.
  const Provenance& OwnOf(const compile::DesiredObject& row) const {
    const auto own = std::find_if(row.sources.begin(), row.sources.end(),
                                  [&](uint32_t source) { return !of_groups_.contains(source); });
    return desired_.provenance[own == row.sources.end() ? row.sources.front() : *own];
  }

  // The grant's row stands and says until when it does for this account; its way in comes or goes.
  std::optional<Provenance> ByStandingRow(const AccessChange& line) const {
    const compile::DesiredTarget* target = desired_.Find(line.place.target);
    if (target == nullptr || !line.through.empty()) return std::nullopt;
    for (const access::Depth depth : {access::Depth::kSubtree, access::Depth::kThis}) {
      const compile::DesiredObject* row = target->Find(
          Kind::kGrant,
          object::MakeKey(Kind::kGrant, {line.place.server, line.path, access::NameOf(depth),
                                         "account:" + line.account}));
      if (row != nullptr) return OwnOf(*row);
    }
    return std::nullopt;
  }

  // By what happens to the account or entry itself.
  std::optional<Provenance> ByHolder(const AccessChange& line) const {
    const auto cause =
        holders_.find(line.place.server.empty()
                          ? line.account
                          : object::MakeKey(Kind::kAccount, {line.place.server, line.account}));
    if (cause == holders_.end()) return std::nullopt;
    Provenance provenance;
    provenance.owner = cause->second->owner;
    provenance.reason = cause->second->cause.empty() ? std::string(NameOf(cause->second->reason))
                                                     : cause->second->cause;
    return provenance;
  }

  using Row = std::tuple<access::Place, std::string, std::string>;  // path, subject
  using ByPath = std::map<std::pair<std::string, std::string>, const GrantLine*>;
  const compile::Desired& desired_;
  ByPath lines_, owned_;  // by who has it, by declaration
  std::set<uint32_t> of_groups_;
  std::map<Row, const Change*> rows_;
  std::unordered_map<std::string_view, const Change*> holders_;  // by key of account or entry
};

}  // namespace

void Planner::ExplainDelta() {
  const access::AccessDelta& delta = plan_.delta;
  if (delta.empty() && delta.still.empty() && delta.already.empty()) return;
  const Reasons reasons(plan_, *in_.desired);
  // Large first plans have a line for everybody; an explanation is looked up for the first few.
  constexpr size_t kExplained = 2000;
  const auto explain = [&](const std::vector<AccessChange>& some, auto* into) {
    for (size_t i = 0; i < std::min(kExplained, some.size()); ++i) {
      auto why = reasons.Of(some[i]);
      // What is told of a gain also stands for what the identity has already of the same.
      if (why) into->try_emplace({some[i].identity, some[i].path}, *std::move(why));
    }
  };
  explain(delta.gained, &plan_.gained_by);
  explain(delta.already, &plan_.gained_by);
  explain(delta.lost, &plan_.lost_by);
  explain(delta.still, &plan_.lost_by);
}

}  // namespace postern::plan
