#include "providers/filetransfer/posix/access.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::posix {
namespace {

constexpr Perm kWriteExecute = kWrite | kExecute;

const Node& Last(std::span<const Node* const> chain) {
  return *chain.back();
}
const Node& Parent(std::span<const Node* const> chain) {
  return *chain[chain.size() < 2 ? 0 : chain.size() - 2];
}

bool Owns(const Credentials& who, const Node& node) {
  return who.uid == node.uid || who.fowner;
}

// unlink(2), rmdir(2), rename(2) of an entry: the parent decides, and its sticky bit.
bool MayTakeAway(const Credentials& who, const Node& parent, const Node& entry) {
  if (!Permits(parent, who, kWriteExecute)) return false;
  return !parent.sticky || who.uid == parent.uid || Owns(who, entry);
}

// open(2) with O_CREAT of a file that is there. The kernel guards shared sticky folders.
bool GuardedInSticky(const Credentials& who, const Node& parent, const Node& file,
                     const KernelRules& kernel) {
  if (!parent.sticky || kernel.protected_regular == 0) return false;
  if (file.uid == parent.uid || file.uid == who.uid) return false;
  return (parent.access.other & kWrite) != 0 ||
         (kernel.protected_regular >= 2 && (parent.access.group_bits() & kWrite) != 0);
}

constexpr Right kOnFiles[] = {Right::kRead, Right::kOverwrite, Right::kDelete, Right::kRename,
                              Right::kChmod};
constexpr Right kOnFolders[] = {Right::kRename, Right::kRmdir, Right::kChmod};

}  // namespace

bool MayReach(const Credentials& who, std::span<const Node* const> chain) {
  return std::all_of(chain.begin(), chain.end() - (chain.empty() ? 0 : 1),
                     [&](const Node* node) { return Permits(*node, who, kExecute); });
}

bool May(const Credentials& who, std::span<const Node* const> chain, Right right,
         const KernelRules& kernel) {
  if (chain.empty() || !MayReach(who, chain)) return false;
  const Node& last = Last(chain);
  switch (right) {
    case Right::kList:
      // Names need r alone; without x every entry is lost at stat, and a server shows none.
      return Permits(last, who, kRead) && Permits(last, who, kExecute);
    case Right::kCreate:
    case Right::kMkdir:
      return Permits(last, who, kWriteExecute);
    case Right::kRead:
      return Permits(last, who, kRead);
    case Right::kOverwrite:
      return Permits(last, who, kWrite) && !GuardedInSticky(who, Parent(chain), last, kernel);
    case Right::kDelete:
    case Right::kRename:
    case Right::kRmdir:
      return MayTakeAway(who, Parent(chain), last);
    case Right::kChmod:
      return Owns(who, last);
  }
  return false;
}

bool MayMoveOut(const Credentials& who, std::span<const Node* const> chain) {
  if (!May(who, chain, Right::kRename)) return false;
  return Last(chain).type != Node::Type::kFolder || Permits(Last(chain), who, kWrite);
}

bool MayLink(const Credentials& who, std::span<const Node* const> chain,
             const KernelRules& kernel) {
  if (!MayReach(who, chain)) return false;
  const Node& file = Last(chain);
  if (!kernel.protected_hardlinks || Owns(who, file)) return true;
  const bool runs_as_group = file.set_gid && (file.access.group_bits() & kExecute) != 0;
  return file.type == Node::Type::kFile && !file.set_uid && !runs_as_group &&
         Permits(file, who, kRead | kWrite);
}

Result<FolderRights> RightsIn(const Tree& tree, const Credentials& who, std::string_view folder,
                              const KernelRules& kernel, std::string_view top) {
  return RightsIn(tree, who, folder, top, [&](std::span<const Node* const> chain, Right right) {
    return May(who, chain, right, kernel);
  });
}

Result<FolderRights> RightsIn(const Tree& tree, const Credentials& who, std::string_view folder,
                              std::string_view top, const EntryRule& rule) {
  auto chain = tree.Chain(folder, top);
  if (!chain) return tl::unexpected<Error>(chain.error());
  FolderRights found;
  found.reach = MayReach(who, *chain) && Permits(*chain->back(), who, kExecute);
  for (const Right right : {Right::kList, Right::kCreate, Right::kMkdir}) {
    if (rule(*chain, right)) found.some |= right;
  }
  found.every = found.some;
  chain->push_back(nullptr);
  Rights tried, failed;
  for (const std::string& child : tree.ChildrenOf(folder)) {
    chain->back() = tree.Find(child);
    const bool is_folder = chain->back()->type == Node::Type::kFolder;
    for (const Right right :
         is_folder ? std::span<const Right>(kOnFolders) : std::span<const Right>(kOnFiles)) {
      tried |= right;
      (rule(*chain, right) ? found.some : failed) |= right;
    }
  }
  found.every |= (found.some & tried) - failed;
  return found;
}

Node NewEntry(const Node& folder, const Credentials& maker, Node::Type type, uint32_t mode,
              uint32_t umask) {
  Node made{.type = type, .uid = maker.uid, .gid = folder.set_gid ? folder.gid : maker.gid};
  made.set_gid = folder.set_gid && type == Node::Type::kFolder;
  const auto digit = [&](int shift) { return static_cast<Perm>((mode >> shift) & 7); };
  if (!folder.default_acl) {
    mode &= ~umask;
    made.access = {.owner = digit(6), .group = digit(3), .other = digit(0)};
    return made;
  }
  // The umask isn't asked where there is a default ACL.
  made.access = *folder.default_acl;
  made.access.owner &= digit(6);
  made.access.other &= digit(0);
  if (made.access.mask) {
    *made.access.mask &= digit(3);
  } else {
    made.access.group &= digit(3);
  }
  if (type == Node::Type::kFolder) made.default_acl = folder.default_acl;
  return made;
}

}  // namespace postern::posix
