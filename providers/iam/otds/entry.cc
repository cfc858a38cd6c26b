#include "providers/iam/otds/entry.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::iam::otds {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// Values are arrays of strings; a lone one, or one of another type, is read as what it says.
std::vector<std::string> Texts(const Json& values) {
  std::vector<std::string> out;
  const auto add = [&](const Json& value) {
    if (value.is_string()) {
      out.push_back(value.get<std::string>());
    } else if (value.is_boolean() || value.is_number()) {
      out.push_back(value.dump());
    }
  };
  if (!values.is_array()) {
    add(values);
  } else {
    for (const Json& value : values) add(value);
  }
  return out;
}

// Both shapes: [{name, values}], and with attrsAsKeys {name: [...]} beside empty or null values.
void ReadAttributes(const Json& json, Entry* entry) {
  if (const auto values = json.find("values"); values != json.end() && values->is_array()) {
    for (const Json& one : *values) {
      const std::string name = TextAt(one, "name");
      const auto at = one.is_object() ? one.find("values") : one.end();
      if (!name.empty() && at != one.end()) entry->attributes[Lower(name)] = {name, Texts(*at)};
    }
  }
  if (const auto keys = json.find("attributes"); keys != json.end() && keys->is_object()) {
    for (const auto& [name, values] : keys->items()) {
      entry->attributes[Lower(name)] = {name, Texts(values)};
    }
  }
  std::erase_if(entry->attributes, [](const auto& one) { return one.second.values.empty(); });
}

void ReadMembers(const Json& list, MemberType type, AccessRole* role) {
  if (!list.is_array()) return;
  for (const Json& json : list) {
    MemberEntry member{{type, ""}, TextAt(json, "name"), TextAt(json, "location")};
    const std::string partition = TextAt(json, "userPartition");
    if (type == MemberType::kPartition) {
      member.ref.name = partition.empty() ? member.id : partition;
    } else if (type == MemberType::kUnit) {
      // Not asked for by its DN: what it is called will do.
      const std::string& name = member.id.empty() ? member.location : member.id;
      member.ref.name = partition.empty() ? name : WithPartition(name, partition);
    } else if (!member.id.empty() && !partition.empty()) {
      member.ref.name = WithPartition(member.id, partition);
    }
    role->members.push_back(std::move(member));
  }
}

}  // namespace

const std::string& Entry::First(std::string_view attribute) const {
  static const std::string kNone;
  const auto at = attributes.find(attribute);
  return at == attributes.end() ? kNone : at->second.values.front();
}

bool Entry::IsSet(std::string_view attribute) const {
  return Lower(First(attribute)) == "true";
}

Result<Entry> ReadEntry(const Json& json) {
  if (!json.is_object()) return Fail(ErrorCode::kInvalid, "an object of the answer is none");
  Entry entry;
  entry.id = TextAt(json, "id");
  entry.name = TextAt(json, "name");
  entry.partition = TextAt(json, "userPartitionID");
  entry.location = TextAt(json, "location");
  entry.description = TextAt(json, "description");
  if (entry.name.empty() || entry.partition.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("object \"{}\" of the answer has no {}", entry.id,
                                                 entry.name.empty() ? "name" : "userPartitionID"));
  }
  ReadAttributes(json, &entry);
  if (entry.description.empty()) entry.description = entry.First("description");
  entry.uuid = TextAt(json, "uuid");
  if (entry.uuid.empty()) entry.uuid = entry.First("entryuuid");
  if (entry.uuid.empty()) entry.uuid = TextAt(json, "originUUID");
  if (entry.uuid.empty()) {
    return Fail(
        ErrorCode::kInvalid,
        fmt::format("{} of the answer has no id: no uuid, entryUUID or originUUID", entry.Full()));
  }
  return entry;
}

const Json* FirstValue(const Json& list, std::string_view name) {
  if (!list.is_array()) return nullptr;
  for (const Json& one : list) {
    if (Lower(TextAt(one, "name")) != Lower(name)) continue;
    const auto values = one.find("values");
    if (values != one.end() && values->is_array() && !values->empty()) return &(*values)[0];
  }
  return nullptr;
}

Result<AccessRole> ReadAccessRole(const Json& json) {
  AccessRole role;
  role.name = TextAt(json, "name");
  role.id = TextAt(json, "id");
  if (role.name.empty()) role.name = role.id;
  if (role.name.empty()) {
    return Fail(ErrorCode::kInvalid, "an access role of the answer has no name");
  }
  role.description = TextAt(json, "description");
  role.location = TextAt(json, "location");
  role.document = json;
  const Json members = json.value("accessRoleMembers", Json());
  if (!members.is_object()) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("access role {} has no accessRoleMembers", role.name));
  }
  ReadMembers(members.value("users", Json()), MemberType::kUser, &role);
  ReadMembers(members.value("groups", Json()), MemberType::kGroup, &role);
  ReadMembers(members.value("userPartitions", Json()), MemberType::kPartition, &role);
  ReadMembers(members.value("organizationalUnits", Json()), MemberType::kUnit, &role);
  const Json attributes = json.value("attributeList", Json());
  if (const Json* push = FirstValue(attributes, "pushAllGroups")) {
    role.push_known = true;
    role.push_all_groups = push->is_string() && Lower(push->get<std::string>()) == "true";
  }
  const Json resources = json.value("resources", Json());
  for (size_t i = 0; resources.is_array() && i < resources.size(); ++i) {
    role.resources.push_back(TextAt(resources[i], "resourceName"));
  }
  return role;
}

}  // namespace postern::iam::otds
