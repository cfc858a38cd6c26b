#include "core/access/overlay.h"

#include <algorithm>

namespace postern::access {

Overlay Overlay::Between(const Enforced& without, std::shared_ptr<const Enforced> with,
                         std::shared_ptr<const Logins> logins, std::set<std::string> paths,
                         const std::vector<std::string>& roots) {
  Overlay out;
  out.with_ = std::move(with);
  out.logins_ = std::move(logins);
  out.looked_at_ = std::move(paths);
  for (const Enforced* side : {&without, out.with_.get()}) {
    for (std::string& path : side->NamedPaths()) {
      const bool managed = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        return IsWithin(path, root);
      });
      if (managed) out.looked_at_.insert(std::move(path));
    }
  }
  for (const std::string& path : out.looked_at_) {
    for (const Part part : kParts) out.Compare(without, {path, part});
  }
  out.opened_ = out.Everybody(out.with_->OpenToAnybody() - without.OpenToAnybody());
  return out;
}

void Overlay::Compare(const Enforced& without, const Cell& cell) {
  const CellAnswers before = without.AnswersAt(cell), after = with_->AnswersAt(cell);
  Differences differences;
  bool any = false;
  for (size_t i = 0; i < before.size(); ++i) {
    const Answer &was = before[i], &is = after[i];
    if (was.yes == is.yes && was.maybe == is.maybe) continue;
    Difference& difference = differences[i];
    difference.more = Everybody(is.yes - was.yes - was.maybe);
    difference.less = Everybody(was.yes - is.yes - is.maybe);
    difference.unknown = Everybody(is.maybe - was.maybe);
    difference.reason = is.reason;
    any = any || !difference.IsNothing();
  }
  if (!any) return;
  differing_.insert(cell.path);
  cells_.emplace(cell, std::move(differences));
}

// The same set, plainly empty where it holds none of the accounts.
AccountSet Overlay::Everybody(const AccountSet& set) const {
  return set.IsEmptyOf(static_cast<uint32_t>(logins_->size())) ? AccountSet() : set;
}

CellEffect Overlay::At(std::string_view login, const Cell& cell) const {
  CellEffect effect;
  const auto account = logins_->find(std::string(login));
  if (account == logins_->end()) return effect;
  Cell known = cell;
  for (std::string_view up = cell.path; !looked_at_.contains(known.path);) {
    const bool child = known.part == Part::kNode && up == cell.path;
    up = ParentOf(up);
    if (up.empty()) return effect;
    known = {std::string(up), child ? Part::kEntries : Part::kDeeper};
  }
  const auto found = cells_.find(known);
  if (found == cells_.end()) return effect;
  for (int i = 0; i < kRightCount; ++i) {
    const Difference& difference = found->second[static_cast<size_t>(i)];
    const auto right = static_cast<Right>(i);
    if (difference.more.Has(account->second)) effect.more |= right;
    if (difference.less.Has(account->second)) effect.less |= right;
    if (!difference.unknown.Has(account->second)) continue;
    effect.unknown |= right;
    effect.reason = &with_->ReasonOf(difference.reason);
  }
  return effect;
}

bool Overlay::OpenToAnybody(std::string_view login) const {
  const auto account = logins_->find(std::string(login));
  return account != logins_->end() && opened_.Has(account->second);
}

std::vector<std::string> Overlay::NamesOf(const AccountSet& set) const {
  std::vector<std::string> names;
  for (const auto& [name, id] : *logins_) {
    if (set.Has(id)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Overlay::Affected() const {
  AccountSet all = opened_;
  for (const auto& [cell, differences] : cells_) {
    for (const Difference& difference : differences) {
      all |= difference.more | difference.less | difference.unknown;
    }
  }
  return NamesOf(all);
}

std::vector<std::string> Overlay::Opened() const {
  return NamesOf(opened_);
}

bool Overlay::CoveredBy(const std::vector<const Overlay*>& parts) const {
  for (const auto& [cell, differences] : cells_) {
    for (size_t i = 0; i < differences.size(); ++i) {
      AccountSet more, less, unknown;
      for (const Overlay* part : parts) {
        const auto found = part->cells_.find(cell);
        if (found == part->cells_.end()) continue;
        more |= found->second[i].more;
        less |= found->second[i].less;
        unknown |= found->second[i].unknown;
      }
      const Difference& mine = differences[i];
      if (!Everybody(mine.more - more).IsNobody() || !Everybody(mine.less - less).IsNobody() ||
          !Everybody(mine.unknown - unknown).IsNobody()) {
        return false;
      }
    }
  }
  return true;
}

std::pair<Cell, const Reason*> Overlay::FirstUnknown() const {
  for (const auto& [cell, differences] : cells_) {
    for (const Difference& difference : differences) {
      if (!difference.unknown.IsNobody()) return {cell, &with_->ReasonOf(difference.reason)};
    }
  }
  return {};
}

}  // namespace postern::access
