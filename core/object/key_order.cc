#include "core/object/key_order.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace postern::object {
namespace {

struct Entry {
  uint64_t lead = 0;  // eight bytes of the key, the first one highest
  uint32_t at = 0;
};

uint64_t LeadOf(std::string_view key, size_t skip) {
  unsigned char bytes[8] = {};
  if (skip < key.size())
    std::memcpy(bytes, key.data() + skip, std::min<size_t>(8, key.size() - skip));
  uint64_t lead = 0;
  for (const unsigned char byte : bytes) lead = lead << 8 | byte;
  return lead;
}

size_t SharedLength(std::string_view a, std::string_view b) {
  const size_t shorter = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<long>(shorter), b.begin()).first -
      a.begin());
}

void OrderTies(std::span<const KindAndKey> keys, size_t skip, std::span<uint32_t> places);

// Orders `places`, whose keys are equal in their first `skip` bytes.
void OrderRun(std::span<const KindAndKey> keys, size_t skip, std::span<uint32_t> places) {
  const std::string_view first = keys[places.front()].key;
  size_t shared = first.size();
  for (const uint32_t at : places) {
    const std::string_view key = keys[at].key;
    shared = skip + SharedLength(first.substr(skip, shared - skip), key.substr(skip));
  }
  std::vector<Entry> entries;
  entries.reserve(places.size());
  for (const uint32_t at : places) entries.push_back({LeadOf(keys[at].key, shared), at});
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.lead != b.lead ? a.lead < b.lead : a.at < b.at;
  });
  for (size_t i = 0; i < entries.size(); ++i) places[i] = entries[i].at;
  for (size_t begin = 0, end = 0; begin < entries.size(); begin = end) {
    while (end < entries.size() && entries[end].lead == entries[begin].lead) ++end;
    if (end - begin > 1) OrderTies(keys, shared, places.subspan(begin, end - begin));
  }
}

// Keys with one lead: some may end within it, as a zero byte looks like the end of a key.
void OrderTies(std::span<const KindAndKey> keys, size_t skip, std::span<uint32_t> places) {
  constexpr size_t kFew = 8;
  const bool whole = std::all_of(places.begin(), places.end(), [&](uint32_t at) {
    return keys[at].key.size() >= skip + sizeof(uint64_t);
  });
  if (whole && places.size() > kFew) {
    OrderRun(keys, skip + sizeof(uint64_t), places);
    return;
  }
  std::sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) {
    const int order = keys[a].key.compare(keys[b].key);
    return order != 0 ? order < 0 : a < b;
  });
}

}  // namespace

std::vector<uint32_t> KeyOrder(std::span<const KindAndKey> keys) {
  std::map<Kind, std::vector<uint32_t>> by_kind;
  for (uint32_t i = 0; i < keys.size(); ++i) by_kind[keys[i].kind].push_back(i);
  std::vector<uint32_t> order;
  order.reserve(keys.size());
  for (auto& [kind, places] : by_kind) {
    OrderRun(keys, 0, places);
    order.insert(order.end(), places.begin(), places.end());
  }
  return order;
}

}  // namespace postern::object
