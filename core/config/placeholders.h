// core/config/placeholders.h: what the templates of a role's accounts may take of a member.
//
// The one list: the loader refuses every other name, core/compile says which attribute of a user
// each stands for. Pure; any thread. Source: [role.NAME] account, schemas/declarations.proto.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::config {

enum class Placeholder : uint8_t { kUserName, kExternalId, kEmployeeNumber, kDepartment };

// "userName" and so on: as they stand between { and }.
const std::vector<std::string_view>& PlaceholderNames();
std::string_view NameOf(Placeholder placeholder);
// Nothing: no such one.
std::optional<Placeholder> FindPlaceholder(std::string_view name);
// "{userName}, {externalId}, ..."
std::string ListOfPlaceholders();

}  // namespace postern::config
