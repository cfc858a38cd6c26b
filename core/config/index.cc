#include "core/config/index.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <tuple>

#include "core/config/tables.h"
#include "core/config/visit.h"

namespace postern::config {

std::optional<Address> SplitAddress(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return {};
  return Address{text.substr(0, colon), text.substr(colon + 1)};
}

std::pair<std::string_view, std::string_view> Index::NamesOf(
    const google::protobuf::Descriptor& descriptor) {
  for (const Table* table : AllTables()) {
    if (table->descriptor == &descriptor) return {table->name, table->address};
  }
  return {};
}

void Index::NameTable::Add(Entry entry) {
  const size_t mask = slots.size() - 1, hash = std::hash<std::string_view>()(entry.name);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  size_t at = hash & mask;
  for (; slots[at].place != 0; at = (at + 1) & mask) {
    if (slots[at].tag == tag && entries[slots[at].place - 1].name == entry.name) return;
  }
  entries.push_back(entry);
  slots[at] = {static_cast<uint32_t>(entries.size()), tag};
}

const Index::Entry* Index::NameTable::Find(std::string_view name) const {
  const size_t mask = slots.size() - 1, hash = std::hash<std::string_view>()(name);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & mask; slots[at].place != 0; at = (at + 1) & mask) {
    if (slots[at].tag != tag) continue;
    const Entry& entry = entries[slots[at].place - 1];
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Index::Index(const Declarations& declarations) {
  ForEachTable(declarations, [&]<class M>(const std::vector<Declared<M>>& all) {
    if constexpr (requires(const M& m) { m.name(); }) {
      NameTable& names = tables_.emplace_back();
      std::tie(names.table, names.address) = NamesOf(*M::descriptor());
      names.entries.reserve(all.size());
      names.slots.resize(std::bit_ceil(all.size() * 2 + 1));
      for (size_t i = 0; i < all.size(); ++i) {
        names.Add({all[i].message.name(), all[i].span, i, &all[i]});
      }
    }
  });
}

const Index::NameTable* Index::TableNamed(std::string_view table) const {
  for (const NameTable& names : tables_) {
    if (names.table == table || names.address == table) return &names;
  }
  return nullptr;
}

const Index::Entry* Index::Find(std::string_view table, std::string_view name) const {
  const NameTable* names = TableNamed(table);
  return names ? names->Find(name) : nullptr;
}

std::vector<std::string_view> Index::Names(std::string_view table) const {
  std::vector<std::string_view> names;
  if (const NameTable* all = TableNamed(table)) {
    names.reserve(all->entries.size());
    for (const Entry& entry : all->entries) names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace postern::config
