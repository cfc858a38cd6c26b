#include "providers/filetransfer/proftpd/block_tree.h"

#include <algorithm>

#include "core/access/rights.h"

namespace postern::proftpd {
namespace {

std::string_view StemOf(std::string_view name) {
  while (!name.empty() && (name.back() == '*' || name.back() == '/')) name.remove_suffix(1);
  return name;
}

size_t CommonText(std::string_view a, std::string_view b) {
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
}

}  // namespace

int32_t BlockTree::Add(std::string name, const RuleSection* section, std::string given) {
  const auto index = static_cast<int32_t>(blocks_.size());
  by_stem_[std::string(StemOf(given.empty() ? name : given))].push_back(index);
  blocks_.push_back(
      {BlockPattern(std::move(name), *rules_), section, kNoBlock, false, std::move(given)});
  children_.emplace_back();
  return index;
}

int32_t BlockTree::Append(std::string name, const RuleSection* section, bool dormant,
                          std::string given) {
  const int32_t index = Add(std::move(name), section, std::move(given));
  blocks_[index].dormant = dormant;
  top_.order.push_back(index);
  return index;
}

void BlockTree::Wake(int32_t index, std::string name) {
  by_stem_[std::string(StemOf(name))].push_back(index);
  blocks_[index].pattern = BlockPattern(std::move(name), *rules_);
  blocks_[index].dormant = false;
}

void BlockTree::Prepend(std::string name, const RuleSection* section, bool replaces) {
  if (replaces) Remove(name);
  const int32_t index = Add(std::move(name), section);
  top_.order.insert(top_.order.begin(), index);
}

void BlockTree::Remove(const std::string& name) {
  const auto same = by_stem_.find(std::string(StemOf(name)));
  if (same == by_stem_.end()) return;
  for (const int32_t index : std::vector<int32_t>(same->second)) {
    if (block(index).dormant || block(index).nest_name() != name) continue;
    const int32_t parent = block(index).parent;
    std::erase((parent == kNoBlock ? top_ : children_[parent]).order, index);
    for (auto& [stem, blocks] : by_stem_) {
      std::erase_if(blocks, [&](int32_t other) { return IsBelow(other, index); });
    }
  }
}

void BlockTree::Order() {
  if (!rules_->blocks_nest) return;
  const std::vector<int32_t> list = top_.order;
  for (const int32_t index : list) {
    if (block(index).dormant) continue;
    const int32_t parent = BestParent(index, kNoBlock);
    if (parent != kNoBlock) MoveBelow(index, parent);
  }
  std::erase_if(top_.order, [&](int32_t index) { return block(index).parent != kNoBlock; });
  for (const int32_t index : std::vector<int32_t>(top_.order)) OrderChildren(index);
}

void BlockTree::Finish() {
  Index(&top_);
  for (Place& place : children_) Index(&place);
}

// The same within each list of children, among its members and what is below them.
void BlockTree::OrderChildren(int32_t parent) {
  const std::vector<int32_t> list = children_[parent].order;
  for (const int32_t index : list) {
    const int32_t better = BestParent(index, parent);
    if (better == kNoBlock) continue;
    std::erase(children_[parent].order, index);
    MoveBelow(index, better);
  }
  for (const int32_t index : std::vector<int32_t>(children_[parent].order)) OrderChildren(index);
}

void BlockTree::MoveBelow(int32_t index, int32_t parent) {
  blocks_[index].parent = parent;
  std::vector<int32_t>& order = children_[parent].order;
  order.insert(rules_->nested_first_first ? order.begin() : order.end(), index);
}

bool BlockTree::IsBelow(int32_t index, int32_t ancestor) const {
  while (index != kNoBlock && index != ancestor) index = block(index).parent;
  return index == ancestor;
}

int32_t BlockTree::BestParent(int32_t index, int32_t within) const {
  const std::string& name = block(index).nest_name();
  int32_t best = kNoBlock;
  size_t longest = 0;
  for (size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
    const auto found = by_stem_.find(name.substr(0, at));
    if (found == by_stem_.end()) continue;
    for (const int32_t other : found->second) {
      if (other == index || IsBelow(other, index)) continue;
      if (block(other).dormant) continue;
      if (within != kNoBlock && (other == within || !IsBelow(other, within))) continue;
      const size_t common = CommonText(name, block(other).nest_name());
      if (common < longest || (common == longest && !Beats(other, best))) continue;
      best = other;
      longest = common;
    }
  }
  return best;
}

// Of two that fit alike: the one below the other (they have one name), else the first in the tree.
bool BlockTree::Beats(int32_t other, int32_t best) const {
  if (best == kNoBlock) return false;
  if (rules_->namesake_nests_deepest && IsBelow(other, best)) return true;
  if (rules_->namesake_nests_deepest && IsBelow(best, other)) return false;
  return ComesFirst(other, best);
}

// In the order of a walk through the tree as it stands.
bool BlockTree::ComesFirst(int32_t a, int32_t b) const {
  std::vector<int32_t> way_a, way_b;
  for (int32_t i = a; i != kNoBlock; i = block(i).parent) way_a.insert(way_a.begin(), i);
  for (int32_t i = b; i != kNoBlock; i = block(i).parent) way_b.insert(way_b.begin(), i);
  size_t same = 0;
  while (same < way_a.size() && same < way_b.size() && way_a[same] == way_b[same]) ++same;
  if (same == way_a.size() || same == way_b.size()) return way_a.size() < way_b.size();
  const auto& list = same == 0 ? top_.order : children_[way_a[same - 1]].order;
  return std::find(list.begin(), list.end(), way_a[same]) <
         std::find(list.begin(), list.end(), way_b[same]);
}

void BlockTree::Index(Place* place) const {
  if (!rules_->position_beats_length) {
    std::stable_sort(place->order.begin(), place->order.end(), [&](int32_t a, int32_t b) {
      return block(a).pattern.name().size() > block(b).pattern.name().size();
    });
  }
  for (uint32_t at = 0; at < place->order.size(); ++at) {
    if (block(place->order[at]).dormant) continue;
    const BlockPattern& pattern = block(place->order[at]).pattern;
    if (pattern.literal()) {
      place->literal.try_emplace(pattern.name(), at);
    } else {
      place->patterns.push_back(at);
    }
  }
}

bool BlockTree::Search(const Place& place, const ObjectPath& object,
                       std::vector<int32_t>* found) const {
  constexpr uint32_t kNowhere = UINT32_MAX;
  uint32_t first = kNowhere;
  if (!place.literal.empty()) {
    for (std::string_view up = object.path; !up.empty(); up = access::ParentOf(up)) {
      const auto at = place.literal.find(std::string(up));
      if (at != place.literal.end()) first = std::min(first, at->second);
    }
  }
  const auto take = [&](uint32_t at) {
    const int32_t index = place.order[at];
    if (!Search(children_[index], object, found)) found->push_back(index);
  };
  for (const uint32_t at : place.patterns) {
    if (at > first) break;
    const Cover cover = block(place.order[at]).pattern.Covers(object);
    if (cover == Cover::kNo) continue;
    take(at);
    if (cover == Cover::kYes) return true;
  }
  if (first == kNowhere) return false;
  take(first);
  return true;
}

std::vector<int32_t> BlockTree::Governing(const ObjectPath& object) const {
  std::vector<int32_t> found;
  if (!Search(top_, object, &found)) found.push_back(kNoBlock);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace postern::proftpd
