// core/object/key_order.h: the order of many objects by kind and key.
//
// Keys of one kind mostly begin alike ("edge-ftp" and so on), so they are compared by the eight
// bytes after what all of them share, as one number, and whole only where those are equal. Pure.
// Cost: n log n comparisons of integers and one walk over the keys.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
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
  std::vector<Element> ordered;
  ordered.reserve(list->size());
  for (const uint32_t at : KeyOrder(keys)) ordered.push_back(std::move((*list)[at]));
  *list = std::move(ordered);
}

}  // namespace postern::object
