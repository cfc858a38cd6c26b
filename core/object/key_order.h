// core/object/key_order.h: the order of many objects by kind and key.
//
// Keys of one kind mostly begin alike ("edge-ftp" and so on), so they are compared by the eight
// bytes after what all of them share, as one number, and whole only where those are equal. Pure.
// Cost: n log n comparisons of integers and one walk over the keys.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/object/kind.h"

namespace postern::object {

struct KindAndKey {
  Kind kind{};
  std::string_view key;
};

// Positions of `keys` in ascending order; equal ones keep their order. Fewer than 2^32 keys.
std::vector<uint32_t> KeyOrder(std::span<const KindAndKey> keys);

// Sorts a list whose elements have `kind` and `key`.
template <class Element>
void SortByKey(std::vector<Element>* list) {
  std::vector<KindAndKey> keys;
  keys.reserve(list->size());
  bool sorted = true;
  for (const Element& element : *list) {
    if (!keys.empty() && (keys.back().kind != element.kind ? keys.back().kind > element.kind
                                                           : keys.back().key > element.key)) {
      sorted = false;
    }
    keys.push_back({element.kind, element.key});
  }
  if (sorted) return;
  // Along the cycles of the permutation: a second list of that size would cost more than the order.
  std::vector<uint32_t> order = KeyOrder(keys);
  for (uint32_t start = 0; start < order.size(); ++start) {
    if (order[start] == start) continue;
    Element first = std::move((*list)[start]);
    uint32_t at = start;
    while (order[at] != start) {
      (*list)[at] = std::move((*list)[order[at]]);
      at = std::exchange(order[at], at);
    }
    (*list)[at] = std::move(first);
    order[at] = at;
  }
}

}  // namespace postern::object
