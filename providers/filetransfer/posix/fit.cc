#include "providers/filetransfer/posix/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace postern::posix {
namespace {

using access::Right;

constexpr Right kTakeAway[] = {Right::kDelete, Right::kRename, Right::kRmdir};
constexpr Right kWriteInFolder[] = {Right::kCreate, Right::kDelete, Right::kRename, Right::kMkdir,
                                    Right::kRmdir};

Rights Union(std::span<const Right> some) {
  Rights rights;
  for (const Right right : some) rights |= right;
  return rights;
}

// What one account has at one folder.
struct Cell {
  Rights here;   // in the folder: on it and on its entries
  Rights below;  // from subtree rows alone
  bool on_way = false;
};

class Fitter {
 public:
  Fitter(const Tree& tree, std::span<const Wanted> wanted, const FitQuestion& question)
      : tree_(tree), question_(question) {
    for (const Wanted& row : wanted) {
      if (row.rights.empty()) continue;
      rows_[row.path].push_back(&row);
      for (std::string_view up = access::ParentOf(row.path); !up.empty();
           up = access::ParentOf(up)) {
        on_way_[std::string(up)].insert(row.uid);
      }
    }
    for (const Credentials& who : question.managed) managed_.insert(who.uid);
  }

  Result<PosixFit> Run() {
    for (const std::string& root : question_.roots) {
      if (tree_.Find(root) == nullptr) {
        return Fail(ErrorCode::kIncomplete, fmt::format("{} was not read", root));
      }
    }
    for (const auto& [path, node] : tree_.nodes()) {
      if (!InRoots(path)) continue;
      if (node.type == Node::Type::kUnknown) {
        return Fail(ErrorCode::kIncomplete, fmt::format("the type of {} was not read", path));
      }
      if (node.type == Node::Type::kLink) continue;
      Node after = node.type == Node::Type::kFolder ? FitFolder(path, node) : FitFile(path, node);
      if (!(after == node)) fit_.changes.push_back({path, node, std::move(after)});
    }
    FindObstacles();
    return std::move(fit_);
  }

 private:
  bool InRoots(std::string_view path) const {
    return std::any_of(question_.roots.begin(), question_.roots.end(),
                       [&](const std::string& root) { return access::IsWithin(path, root); });
  }

  // The accounts that have something at a folder. Rows above reach down by subtree only.
  std::map<uint32_t, Cell> CellsAt(std::string_view folder) const {
    std::map<uint32_t, Cell> cells;
    for (std::string_view up = folder; !up.empty(); up = access::ParentOf(up)) {
      const auto at = rows_.find(up);
      if (at == rows_.end()) continue;
      for (const Wanted* row : at->second) {
        if (row->depth == Depth::kThis && up != folder) continue;
        Cell& cell = cells[row->uid];
        cell.here |= row->rights;
        if (row->depth == Depth::kSubtree) cell.below |= row->rights;
      }
    }
    if (const auto at = on_way_.find(folder); at != on_way_.end()) {
      for (const uint32_t uid : at->second) cells[uid].on_way = true;
    }
    return cells;
  }

  // Ours for `bits`, others' as they stand, nothing for classes that could let ours in by the side.
  Acl Exact(const Acl& now, uint32_t owner, Perm owner_default,
            const std::map<uint32_t, Perm>& bits) const {
    Acl acl;
    acl.owner = now.owner;
    if (managed_.contains(owner)) {
      const auto at = bits.find(owner);
      acl.owner = at == bits.end() ? Perm{0} : at->second;
    } else if (owner_default != 0) {
      acl.owner = owner_default;
    }
    for (const auto& [uid, perm] : now.users) {
      if (!managed_.contains(uid)) acl.users[uid] = perm & now.mask.value_or(7);
    }
    for (const auto& [uid, perm] : bits) {
      if (perm != 0 && uid != owner) acl.users[uid] = perm;
    }
    for (const auto& [gid, perm] : now.groups) {
      if (!HasOurs(gid)) acl.groups[gid] = perm & now.mask.value_or(7);
    }
    SetMask(&acl);
    return acl;
  }

  bool HasOurs(uint32_t gid) const {
    return std::any_of(question_.managed.begin(), question_.managed.end(),
                       [&](const Credentials& who) { return who.In(gid); });
  }

  Node FitFolder(const std::string& path, const Node& now) const {
    Node after = now;
    std::map<uint32_t, Perm> bits, fresh;
    Rights wanted;
    for (const auto& [uid, cell] : CellsAt(path)) {
      const Needs needs = NeedsOf(cell.here);
      wanted |= cell.here;
      bits[uid] = needs.folder | (cell.on_way ? kExecute : Perm{0});
      // New folders below a `this` row are meant as its folder is: see the header.
      const Perm both = needs.folder & needs.file & (kRead | kWrite);
      fresh[uid] = both | (needs.folder & kExecute);
    }
    after.access = Exact(now.access, now.uid, 0, bits);
    // Entries of a maker's own: the owner entry, whoever that will be. No account owns "all".
    Acl start = now.default_acl.value_or(Acl());
    start.owner = 7;
    after.default_acl = Exact(start, kNobody, 7, fresh);
    if (!(wanted & Union(kTakeAway)).empty()) after.sticky = false;
    return after;
  }

  Node FitFile(const std::string& path, const Node& now) const {
    Node after = now;
    std::map<uint32_t, Perm> bits;
    for (const auto& [uid, cell] : CellsAt(access::ParentOf(path))) {
      bits[uid] = NeedsOf(cell.here).file;
    }
    after.access = Exact(now.access, now.uid, 0, bits);
    return after;
  }

  void FindObstacles() {
    std::set<std::string> told;
    for (const auto& [path, uids] : on_way_) {
      const Node* node = tree_.Find(path);
      if (InRoots(path) || node == nullptr) continue;
      for (const Credentials& who : question_.managed) {
        if (!uids.contains(who.uid) || Permits(*node, who, kExecute)) continue;
        told.insert(fmt::format("{}: account {} can't pass", path, who.uid));
      }
    }
    fit_.obstacles.assign(told.begin(), told.end());
  }

  static constexpr uint32_t kNobody = UINT32_MAX;  // chown(2) takes it for "no change": never an id

  const Tree& tree_;
  const FitQuestion& question_;
  std::map<std::string, std::vector<const Wanted*>, std::less<>> rows_;
  std::map<std::string, std::set<uint32_t>, std::less<>> on_way_;
  std::set<uint32_t> managed_;
  PosixFit fit_;
};

bool OnlyLoses(const Acl& before, const Acl& after) {
  const auto within = [](Perm small, Perm large) { return (small & ~large) == 0; };
  const auto all = [&](const auto& now, const auto& then) {
    return std::all_of(now.begin(), now.end(), [&](const auto& entry) {
      const auto at = then.find(entry.first);
      return at != then.end() && within(entry.second, at->second & before.mask.value_or(7));
    });
  };
  return within(after.owner, before.owner) && within(after.group, before.group) &&
         within(after.other, before.other) && all(after.users, before.users) &&
         all(after.groups, before.groups);
}

}  // namespace

Needs NeedsOf(Rights rights) {
  Needs needs;
  if (!rights.empty()) needs.folder |= kExecute;
  if (rights.Has(Right::kList)) needs.folder |= kRead;
  if (!(rights & Union(kWriteInFolder)).empty()) needs.folder |= kWrite;
  if (rights.Has(Right::kRead)) needs.file |= kRead;
  if (rights.Has(Right::kOverwrite)) needs.file |= kWrite;
  return needs;
}

Rights GivenBy(Needs needs) {
  Rights rights;
  if (!(needs.folder & kExecute)) return rights;
  if (needs.folder & kRead) rights |= Right::kList;
  if (needs.folder & kWrite) rights |= Union(kWriteInFolder);
  if (needs.file & kRead) rights |= Right::kRead;
  if (needs.file & kWrite) rights |= Right::kOverwrite;
  return rights;
}

Result<PosixFit> Fit(const Tree& tree, std::span<const Wanted> wanted,
                     const FitQuestion& question) {
  return Fitter(tree, wanted, question).Run();
}

bool OnlyLoses(const Change& change) {
  return OnlyLoses(change.before.access, change.after.access);
}

std::string RestoreText(std::span<const Change> changes) {
  std::string denials, others;
  for (const Change& change : changes) {
    (OnlyLoses(change) ? denials : others) += FormatRestore(change.path, change.after, false);
  }
  return denials + others;
}

}  // namespace postern::posix
