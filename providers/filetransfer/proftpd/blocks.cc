#include "providers/filetransfer/proftpd/blocks.h"

#include <algorithm>
#include <cstring>

namespace postern::proftpd {
namespace {

using Part = Block::Part;

// Source of every word: the commands that ProFTPD 1.3.8 checks for a right over FTP and over
// mod_sftp. X-forms are written although the daemon pairs most of them. STAT is in no class: over
// FTP it lists (decided by DIRS), over SFTP it is what clients do before reading (by READ).
constexpr std::string_view kEnterWords[] = {"CWD",  "XCWD",     "CDUP",  "XCUP", "PWD",
                                            "XPWD", "REALPATH", "LSTAT", "FSTAT"};
constexpr std::string_view kListWords[] = {"LIST",    "NLST",    "MLSD", "MLST",
                                           "OPENDIR", "READDIR", "DIRS"};
constexpr std::string_view kReadWords[] = {"RETR",    "SIZE",    "MDTM",     "READLINK", "HASH",
                                           "XCRC",    "MD5",     "XMD5",     "XSHA",     "XSHA1",
                                           "XSHA256", "XSHA512", "SITE_CPFR"};
constexpr std::string_view kReadWordWords[] = {"READ"};
constexpr std::string_view kCreateWords[] = {"STOR", "STOU", "APPE"};
constexpr std::string_view kDeleteWords[] = {"DELE"};
constexpr std::string_view kRenameWords[] = {"RNFR", "RNTO"};
constexpr std::string_view kMkdirWords[] = {"MKD", "XMKD"};
constexpr std::string_view kRmdirWords[] = {"RMD", "XRMD"};
constexpr std::string_view kChmodWords[] = {"SITE_CHMOD", "SITE_CHGRP", "MFF"};
constexpr std::string_view kDeniedWords[] = {
    "SETSTAT",    "FSETSTAT",     "SYMLINK",    "LINK", "SITE_CPTO", "SITE_COPY", "SITE_MKDIR",
    "SITE_RMDIR", "SITE_SYMLINK", "SITE_UTIME", "MFMT", "WRITE",     "ALL"};

struct RightClass {
  Right right;
  CommandClass command_class;
};
constexpr RightClass kRightClasses[] = {
    {Right::kList, CommandClass::kList},     {Right::kRead, CommandClass::kRead},
    {Right::kCreate, CommandClass::kCreate}, {Right::kDelete, CommandClass::kDelete},
    {Right::kRename, CommandClass::kRename}, {Right::kMkdir, CommandClass::kMkdir},
    {Right::kRmdir, CommandClass::kRmdir},   {Right::kChmod, CommandClass::kChmod},
};

void Add(SubjectRights& to, const SubjectRights& from) {
  for (const auto& [subject, rights] : from) to[subject] |= rights;
}

// Overwriting is a switch of the cell. In a node cell nobody can overwrite anything (it is a
// folder), so there the switch is on only where that widens nobody.
bool OverwriteOf(const SubjectRights& cell, Part part) {
  bool any = false, all = true;
  for (const auto& [subject, rights] : cell) {
    any = any || rights.Has(Right::kOverwrite);
    if (rights.Has(Right::kCreate)) all = all && rights.Has(Right::kOverwrite);
  }
  return any && (all || part != Part::kNode);
}

Block MakeBlock(const std::string& path, Part part, const SubjectRights& cell,
                const SubjectSet& enter) {
  Block block{.part = part, .path = path, .overwrite = OverwriteOf(cell, part)};
  block[CommandClass::kEnter] = enter;
  for (const auto& [subject, rights] : cell) {
    if (!rights.empty()) block[CommandClass::kEnter].insert(subject);
    for (const RightClass& pair : kRightClasses) {
      if (rights.Has(pair.right)) block[pair.command_class].insert(subject);
    }
  }
  // READ lets SFTP clients ask for a file's attributes before they enter or fetch it. Reading also
  // needs RETR, except through a handle that was opened for writing: so where files may be opened
  // for writing over their content, READ goes to readers only.
  const bool wide = !block.overwrite || part == Part::kNode;
  block[CommandClass::kReadWord] = wide ? block[CommandClass::kEnter] : block[CommandClass::kRead];
  return block;
}

// The nearest named path above; end when there is none.
PathTree::const_iterator ParentIn(const PathTree& tree, std::string_view path) {
  for (std::string_view up = access::ParentOf(path); !up.empty(); up = access::ParentOf(up)) {
    const auto found = tree.find(std::string(up));
    if (found != tree.end()) return found;
  }
  return tree.end();
}

// The patterns of PATH wait until everything below PATH is out, the wider one longer.
class Emitter {
 public:
  void Put(const std::string& path, const PathNode& at) {
    Close(path);
    Block node = MakeBlock(path, Part::kNode, at.node, at.below);
    Block entries = MakeBlock(path, Part::kEntries, at.entries, {});
    Block deeper = MakeBlock(path, Part::kDeeper, at.deeper, {});
    const bool split_deeper = !deeper.SameRules(entries);
    const bool split_entries = !entries.SameRules(node);
    blocks_.push_back(std::move(node));
    if (split_entries) waiting_.push_back(std::move(entries));
    if (split_deeper) waiting_.push_back(std::move(deeper));
  }
  std::vector<Block> Finish() {
    Close("");
    return std::move(blocks_);
  }

 private:
  void Close(std::string_view next) {
    while (!waiting_.empty() && (next.empty() || !access::IsWithin(next, waiting_.back().path))) {
      blocks_.push_back(std::move(waiting_.back()));
      waiting_.pop_back();
    }
  }
  std::vector<Block> blocks_, waiting_;
};

// What every command of a right allows in one block.
SubjectRights RightsOf(const Block& block) {
  SubjectRights cell;
  for (const RightClass& pair : kRightClasses) {
    for (const Subject& subject : block[pair.command_class]) cell[subject] |= pair.right;
  }
  if (!block.overwrite) return cell;
  for (auto& [subject, rights] : cell) {
    if (rights.Has(Right::kCreate)) rights |= Right::kOverwrite;
  }
  return cell;
}

void AddRows(const std::string& path, Depth depth, const SubjectRights& cell,
             const SubjectRights& without, std::vector<GrantRow>& rows) {
  for (const auto& [subject, rights] : cell) {
    const auto given = without.find(subject);
    Rights own = given == without.end() ? rights : rights - given->second;
    if (own.Has(Right::kOverwrite)) own |= Right::kCreate;  // as FitRows has it
    if (!own.empty()) rows.push_back({path, depth, subject, own});
  }
}

struct Cells {
  SubjectRights entries, deeper;
};

// How many bytes are equal at the start, in steps of eight: paths of one root begin alike.
size_t SharedWords(const char* a, const char* b, size_t size) {
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
    uint64_t left = 0, right = 0;
    std::memcpy(&left, a + at, sizeof left);
    std::memcpy(&right, b + at, sizeof right);
    if (left != right) break;
  }
  return at;
}

}  // namespace

std::span<const std::string_view> CommandsOf(CommandClass command_class) {
  switch (command_class) {
    case CommandClass::kEnter:
      return kEnterWords;
    case CommandClass::kList:
      return kListWords;
    case CommandClass::kRead:
      return kReadWords;
    case CommandClass::kReadWord:
      return kReadWordWords;
    case CommandClass::kCreate:
      return kCreateWords;
    case CommandClass::kDelete:
      return kDeleteWords;
    case CommandClass::kRename:
      return kRenameWords;
    case CommandClass::kMkdir:
      return kMkdirWords;
    case CommandClass::kRmdir:
      return kRmdirWords;
    case CommandClass::kChmod:
      return kChmodWords;
  }
  return {};
}

std::span<const std::string_view> DeniedCommands() {
  return kDeniedWords;
}

bool PathLess::operator()(std::string_view a, std::string_view b) const {
  const size_t shorter = std::min(a.size(), b.size());
  size_t at = SharedWords(a.data(), b.data(), shorter);
  while (at < shorter && a[at] == b[at]) ++at;
  if (at == shorter) return a.size() < b.size();
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return rank(a[at]) < rank(b[at]);
}

std::vector<std::string> OutermostRoots(std::span<const std::string> roots) {
  std::vector<std::string> sorted(roots.begin(), roots.end()), outer;
  std::sort(sorted.begin(), sorted.end(), PathLess());
  for (std::string& root : sorted) {
    if (outer.empty() || !access::IsWithin(root, outer.back())) outer.push_back(std::move(root));
  }
  return outer;
}

PathTree MakeTree(std::span<const GrantRow> rows, std::span<const std::string> roots) {
  PathTree tree;
  for (std::string& root : OutermostRoots(roots)) tree[std::move(root)];
  const PathTree only_roots = tree;
  for (const GrantRow& row : rows) {
    std::string_view path = row.path;
    PathNode& node = tree[row.path];
    (row.depth == Depth::kThis ? node.this_rows : node.subtree_rows)[row.subject] |= row.rights;
    while (true) {
      PathNode& up = tree[std::string(path)];
      up.below.insert(row.subject);
      if (only_roots.contains(std::string(path))) break;
      path = access::ParentOf(path);
      if (path.empty()) break;
    }
  }
  return tree;
}

void Resolve(PathTree& tree, PathTree::iterator at) {
  PathNode& node = at->second;
  const auto parent = ParentIn(tree, at->first);
  node.deeper = node.subtree_rows;
  if (parent != tree.end()) Add(node.deeper, parent->second.deeper);
  node.entries = node.deeper;
  Add(node.entries, node.this_rows);
  node.node = node.entries;
  if (parent != tree.end() && access::ParentOf(at->first) == parent->first) {
    Add(node.node, parent->second.this_rows);
  }
}

std::vector<Block> MakeBlocks(const PathTree& tree) {
  Emitter emitter;
  for (const auto& [path, node] : tree) emitter.Put(path, node);
  return emitter.Finish();
}

std::vector<GrantRow> RowsOf(std::span<const Block> blocks) {
  std::map<std::string, std::array<const Block*, 3>, PathLess> parts;
  for (const Block& block : blocks) parts[block.path][static_cast<int>(block.part)] = &block;
  std::map<std::string, Cells, PathLess> cells;
  std::vector<GrantRow> rows;
  for (const auto& [path, part] : parts) {
    // A part without a block of its own is governed by the one before it.
    const Block* node = part[0];
    const Block* entries = part[1] != nullptr ? part[1] : node;
    const Block* deeper = part[2] != nullptr ? part[2] : entries;
    Cells& own = cells[path];
    if (entries != nullptr) own.entries = RightsOf(*entries);
    if (deeper != nullptr) own.deeper = RightsOf(*deeper);
    SubjectRights inherited;
    for (std::string_view up = access::ParentOf(path); !up.empty(); up = access::ParentOf(up)) {
      const auto found = cells.find(std::string(up));
      if (found == cells.end()) continue;
      inherited = found->second.deeper;
      break;
    }
    AddRows(path, Depth::kThis, own.entries, own.deeper, rows);
    AddRows(path, Depth::kSubtree, own.deeper, inherited, rows);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace postern::proftpd
