#include "core/access/ways.h"

#include <algorithm>

namespace postern::access {
namespace {

// What somebody does to the folder itself by its path; a mount's own place can't be moved or
// removed.
const Rights kOfTheFolder = Rights(Right::kList) | Right::kChmod;

// Where a session that sees `root` as "/" gets by an absolute link; ".." ends at its root.
std::string Under(const std::string& root, const std::string& target) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < target.size();) {
    const size_t end = std::min(target.find('/', at), target.size());
    const std::string part = target.substr(at, end - at);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = end + 1;
  }
  std::string out = root == "/" ? "" : root;
  for (const std::string& part : parts) out += "/" + part;
  return out.empty() ? "/" : out;
}

// A way as some accounts see it.
struct Door {
  std::string path, real;
  bool is_link = false;
  AccountSet who = AccountSet::All();
  std::optional<std::array<AccountSet, kRightCount>> limits;
};

using Exists = std::function<bool(const std::string&)>;

std::vector<Door> DoorsOf(const SecondWay& way, const std::map<std::string, AccountSet>& views,
                          const Exists& exists) {
  // A mount is asked for by its own path: who doesn't see that is told no by the rules.
  if (!way.is_link) return {{.path = way.path, .real = way.real}};
  std::vector<Door> out;
  const bool absolute = way.target.starts_with('/');
  Door direct{.path = way.path, .real = way.real, .is_link = true, .who = {}};
  for (const auto& [root, who] : views) {
    if (!IsWithin(way.path, root)) continue;
    if (!absolute || root == "/") {
      if (IsWithin(way.real, root)) direct.who |= who;
      continue;
    }
    const std::string real = Under(root, way.target);
    if (exists(real)) out.push_back({.path = way.path, .real = real, .is_link = true, .who = who});
  }
  if (way.real != way.path) out.push_back(std::move(direct));
  return out;
}

std::optional<std::array<AccountSet, kRightCount>> LimitsOf(
    const SecondWay& way, const std::vector<RaiseAccount>& accounts) {
  if (!way.given) return std::nullopt;
  std::array<AccountSet, kRightCount> limits;
  for (size_t i = 0; i < limits.size(); ++i) {
    std::vector<uint32_t> ids;
    for (uint32_t id = 0; id < accounts.size(); ++id) {
      const auto given = way.given->find(accounts[id].name);
      if (given != way.given->end() && given->second.Has(static_cast<Right>(i))) ids.push_back(id);
    }
    limits[i] = AccountSet::Of(std::move(ids));
  }
  return limits;
}

class WaysEnforced final : public Enforced {
 public:
  WaysEnforced(std::shared_ptr<const Enforced> rules, const std::vector<SecondWay>& ways,
               const std::vector<RaiseAccount>& accounts, const Exists& exists)
      : rules_(std::move(rules)) {
    const auto views = rules_->Views();
    for (const SecondWay& way : ways) {
      for (Door& door : DoorsOf(way, views, exists)) {
        // Of what a link leads to under a chroot nobody was asked.
        if (door.real == way.real) door.limits = LimitsOf(way, accounts);
        doors_.push_back(std::move(door));
      }
    }
  }

  CellAnswers AnswersAt(const Cell& cell) const override {
    CellAnswers out = rules_->AnswersAt(cell);
    for (const Door& door : doors_) {
      if (!IsWithin(cell.path, door.real)) continue;
      const bool itself = cell.path == door.real && cell.part == Part::kNode;
      if (itself && door.is_link) continue;
      const Cell other{MovedPath(cell.path, door.real, door.path), cell.part};
      const CellAnswers there =
          door.is_link ? rules_->AnswersByLink(other) : rules_->AnswersAt(other);
      for (size_t i = 0; i < out.size(); ++i) {
        if (itself && !kOfTheFolder.Has(static_cast<Right>(i))) continue;
        const AccountSet who = door.limits ? door.who & (*door.limits)[i] : door.who;
        out[i] = out[i] | there[i].Only(who);
      }
    }
    return out;
  }

  std::vector<std::string> NamedPaths() const override {
    std::vector<std::string> paths = rules_->NamedPaths();
    const size_t plain = paths.size();
    for (const Door& door : doors_) {
      paths.push_back(door.real);
      for (size_t i = 0; i < plain; ++i) {
        if (IsWithin(paths[i], door.path)) {
          paths.push_back(MovedPath(paths[i], door.path, door.real));
        }
      }
    }
    std::sort(paths.begin(), paths.end());
    paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
    return paths;
  }
  AccountSet OpenToAnybody() const override { return rules_->OpenToAnybody(); }
  const Reason& ReasonOf(ReasonId id) const override { return rules_->ReasonOf(id); }

 private:
  std::shared_ptr<const Enforced> rules_;
  std::vector<Door> doors_;
};

}  // namespace

std::string MovedPath(std::string_view path, std::string_view from, std::string_view to) {
  std::string_view rest = path.substr(from == "/" ? 0 : from.size());
  if (rest == "/") rest = "";
  if (to == "/") return rest.empty() ? "/" : std::string(rest);
  return std::string(to) + std::string(rest);
}

std::string CountingPath(std::string path, const std::map<std::string, std::string>& real_by_path) {
  // A way may lead through another; a circle of them ends.
  for (size_t turns = 0; turns <= real_by_path.size(); ++turns) {
    std::string_view up = path;
    auto at = real_by_path.end();
    for (; !up.empty() && at == real_by_path.end(); up = ParentOf(up)) {
      at = real_by_path.find(std::string(up));
    }
    if (at == real_by_path.end()) break;
    path = MovedPath(path, at->first, at->second);
  }
  return path;
}

std::shared_ptr<const Enforced> OverWays(std::shared_ptr<const Enforced> rules,
                                         const std::vector<SecondWay>& ways,
                                         const std::vector<RaiseAccount>& accounts,
                                         const Exists& exists) {
  if (ways.empty()) return rules;
  return std::make_shared<WaysEnforced>(std::move(rules), ways, accounts, exists);
}

}  // namespace postern::access
