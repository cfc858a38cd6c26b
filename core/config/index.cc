#include "core/config/index.h"

#include <algorithm>

#include "core/config/tables.h"
#include "core/config/visit.h"

namespace postern::config {

std::optional<Address> SplitAddress(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return {};
  return Address{text.substr(0, colon), text.substr(colon + 1)};
}

std::string_view Index::TableOf(const google::protobuf::Descriptor& descriptor) {
  for (const Table* table : AllTables()) {
    if (table->descriptor == &descriptor) return table->name;
  }
  return {};
}

Index::Index(const Declarations& declarations) {
  ForEachTable(declarations, [&]<class M>(const std::vector<Declared<M>>& all) {
    if constexpr (requires(const M& m) { m.name(); }) {
      auto& [table, names] = tables_.emplace_back(TableOf(*M::descriptor()), NameMap{});
      names.reserve(all.size());
      for (size_t i = 0; i < all.size(); ++i) {
        names.try_emplace(all[i].message.name(), Entry{all[i].span, i, &all[i]});
      }
    }
  });
}

const Index::NameMap* Index::TableNamed(std::string_view table) const {
  for (const auto& [name, names] : tables_) {
    if (name == table) return &names;
  }
  return nullptr;
}

const Index::Entry* Index::Find(std::string_view table, std::string_view name) const {
  const NameMap* names = TableNamed(table);
  if (!names) return nullptr;
  const auto at = names->find(name);
  return at == names->end() ? nullptr : &at->second;
}

std::vector<std::string_view> Index::Names(std::string_view table) const {
  std::vector<std::string_view> names;
  if (const NameMap* all = TableNamed(table)) {
    names.reserve(all->size());
    for (const auto& [name, entry] : *all) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace postern::config
