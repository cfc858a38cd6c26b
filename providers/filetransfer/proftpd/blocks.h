// providers/filetransfer/proftpd/blocks.h: grant rows <-> the <Directory> blocks that mean them.
// Pure.
//
// A path has three cells: the node, its direct entries, what lies deeper. One block says all three
// when they are alike; PATH/?* (entries) and PATH/*/?* (deeper) stand only where they differ. A row
// means, whatever other rows say: depth `this` = the path and everything whose parent it is;
// `subtree` = all below as well. Every folder from the managed root down to a row's path has a
// block, because entering is granted exactly there.
//
// Order in the file: PATH, all blocks below it, PATH/*/?*, PATH/?*. Source: 1.3.8 builds a tree in
// which a block's parent is the one with the longest common text, less trailing `*` and `/`; `?*`
// at the end keeps a pattern from becoming the parent of the named folders beside it. Blocks moved
// below a parent are tried first-in-file first, and the first that matches governs; `*` and `?`
// match a slash too, so PATH/?* has to come last.
#pragma once
#include <array>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/access/rights.h"

namespace postern::proftpd {

using access::Depth;
using access::GrantRow;
using access::Right;
using access::Rights;
using access::Subject;

using SubjectSet = std::set<Subject>;
using SubjectRights = std::map<Subject, Rights>;

// Commands that are always allowed together. Each command of ProFTPD that a right, or entering,
// needs is in exactly one class; `overwrite` has no command, it is AllowOverwrite.
enum class CommandClass : uint8_t {
  kEnter,
  kList,
  kRead,
  // The word READ: the packet command of SFTP, and the group by which SFTP's STAT is decided.
  kReadWord,
  kCreate,
  kDelete,
  kRename,
  kMkdir,
  kRmdir,
  kChmod,
};
inline constexpr int kClassCount = 10;
std::span<const std::string_view> CommandsOf(CommandClass command_class);
// What nobody gets: everything else, and SETSTAT, which truncates files without STOR.
std::span<const std::string_view> DeniedCommands();

struct Block {
  enum class Part : uint8_t { kNode, kEntries, kDeeper } part = Part::kNode;
  std::string path;
  bool overwrite = false;
  std::array<SubjectSet, kClassCount> who;

  SubjectSet& operator[](CommandClass c) { return who[static_cast<int>(c)]; }
  const SubjectSet& operator[](CommandClass c) const { return who[static_cast<int>(c)]; }
  bool SameRules(const Block& other) const {
    return overwrite == other.overwrite && who == other.who;
  }
};

// By components, so that a folder's content follows it: "/a" < "/a/b" < "/a b".
struct PathLess {
  bool operator()(std::string_view a, std::string_view b) const;
};

// The rows at one path, and what comes from above, for walking down from the roots.
struct PathNode {
  SubjectRights this_rows, subtree_rows;
  SubjectRights entries, deeper, node;  // effective, by Resolve
  SubjectSet below;                     // subjects of rows at this path or deeper
};
using PathTree = std::map<std::string, PathNode, PathLess>;

// Every path that needs a block: the outermost roots, the rows' paths, all between. Rows must lie
// within `roots`.
PathTree MakeTree(std::span<const GrantRow> rows, std::span<const std::string> roots);
// Computes the effective cells of one path; its parent must have been resolved before.
void Resolve(PathTree& tree, PathTree::iterator at);

// The blocks in file order. The tree must be resolved.
std::vector<Block> MakeBlocks(const PathTree& tree);
// The rows that the blocks say. Exact for what MakeBlocks made; for blocks changed by hand, what
// every command of a right allows.
std::vector<GrantRow> RowsOf(std::span<const Block> blocks);

// The outermost of `roots`, sorted.
std::vector<std::string> OutermostRoots(std::span<const std::string> roots);

}  // namespace postern::proftpd
