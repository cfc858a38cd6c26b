// providers/filetransfer/proftpd/block_tree.h: the <Directory> blocks of one server as the daemon
// orders them, and which of them governs an object. Pure.
//
// Source: 1.3.8, observed over random configurations. The daemon takes its list of blocks (the
// server's own, last in file first, then those of <Global>) and moves each below the block whose
// path, without trailing * and /, is a part of its own path; of several, the one with the longest
// common text; always to the front. (Two blocks of one name N/* nest too.) To find the block of an
// object it goes through the list: the first that covers the object, then the same among that
// block's children.
//
// Cost: building is linear in the blocks for plain paths; a look-up costs the depth of the path and
// the number of pattern blocks beside it.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "providers/filetransfer/proftpd/block_pattern.h"
#include "providers/filetransfer/proftpd/rule_section.h"

namespace postern::proftpd {

inline constexpr int32_t kNoBlock = -1;

struct TreeBlock {
  BlockPattern pattern;
  const RuleSection* section = nullptr;
  int32_t parent = kNoBlock;
  bool dormant = false;
  std::string given;  // by which it nests, where that isn't its path
  const std::string& nest_name() const { return given.empty() ? pattern.name() : given; }
};

class BlockTree {
 public:
  explicit BlockTree(const RaiseRules& rules) : rules_(&rules) {}

  // In the daemon's order of the list. A dormant block (its name is only known at login) takes no
  // part until it wakes. Answers the block's number. `given`: the name as the file has it, where it
  // is relative; blocks nest by it.
  int32_t Append(std::string name, const RuleSection* section, bool dormant = false,
                 std::string given = "");
  void Wake(int32_t index, std::string name);
  // At the front of the list, as sections for some sessions are merged in. `replaces`: the block of
  // that name, wherever it stands, goes with all that is below it.
  void Prepend(std::string name, const RuleSection* section, bool replaces);
  // Moves blocks below others; again after each change, as the daemon does.
  void Order();
  // Makes look-ups possible; then nothing may change any more.
  void Finish();

  // The blocks that may govern; one, unless it depends on an unnamed part. kNoBlock among them: no
  // block governs.
  std::vector<int32_t> Governing(const ObjectPath& object) const;
  const TreeBlock& block(int32_t index) const { return blocks_[static_cast<size_t>(index)]; }
  size_t size() const { return blocks_.size(); }

 private:
  struct Place {  // a list of siblings, in the order in which they are tried
    std::vector<int32_t> order;
    std::unordered_map<std::string, uint32_t> literal;  // first place of a plain path
    std::vector<uint32_t> patterns;                     // places of the others
  };

  int32_t Add(std::string name, const RuleSection* section, std::string given = "");
  void Remove(const std::string& name);
  int32_t BestParent(int32_t index, int32_t within) const;
  bool IsBelow(int32_t index, int32_t ancestor) const;
  bool Beats(int32_t other, int32_t best) const;
  bool ComesFirst(int32_t a, int32_t b) const;
  void OrderChildren(int32_t parent);
  void MoveBelow(int32_t index, int32_t parent);
  void Index(Place* place) const;
  // False: nothing in the list covers the object for sure.
  bool Search(const Place& place, const ObjectPath& object, std::vector<int32_t>* found) const;

  const RaiseRules* rules_;
  std::vector<TreeBlock> blocks_;
  Place top_;
  std::vector<Place> children_;
  std::unordered_map<std::string, std::vector<int32_t>> by_stem_;
};

}  // namespace postern::proftpd
