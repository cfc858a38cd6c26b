#include "core/config/placeholders.h"

#include <algorithm>

namespace postern::config {

const std::vector<std::string_view>& PlaceholderNames() {
  static const std::vector<std::string_view> kNames = {"userName", "externalId", "employeeNumber",
                                                       "department"};
  return kNames;
}

std::string_view NameOf(Placeholder placeholder) {
  return PlaceholderNames()[static_cast<size_t>(placeholder)];
}

std::optional<Placeholder> FindPlaceholder(std::string_view name) {
  const auto& names = PlaceholderNames();
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) return std::nullopt;
  return static_cast<Placeholder>(at - names.begin());
}

std::string ListOfPlaceholders() {
  std::string list;
  for (std::string_view name : PlaceholderNames()) {
    list += list.empty() ? "{" : ", {";
    list += name;
    list += '}';
  }
  return list;
}

}  // namespace postern::config
