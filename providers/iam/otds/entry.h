// providers/iam/otds/entry.h: objects as OTDS answers them. Pure.
//
// Source: facts, iam-governance section 1.2. `location` is a DN whose form differs between
// versions: it is taken from an answer and sent back, never built or taken apart.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "providers/iam/http/json_document.h"
#include "providers/iam/otds/names.h"

namespace postern::iam::otds {

struct Attribute {
  std::string name;  // as it was answered
  std::vector<std::string> values;
};

// A user, a group or an application role.
struct Entry {
  std::string id, name, partition, location, description;
  std::string uuid;  // the system's own id of it
  // By name in small letters; of both shapes that an answer may have.
  std::map<std::string, Attribute, std::less<>> attributes;

  std::string Full() const { return WithPartition(name, partition); }
  // First value; empty when there is none. `attribute` in small letters.
  const std::string& First(std::string_view attribute) const;
  bool Has(std::string_view attribute) const { return attributes.contains(attribute); }
  // "true" in any letter case.
  bool IsSet(std::string_view attribute) const;
};

// kInvalid: no object, or without what identifies it; the message says what.
Result<Entry> ReadEntry(const Json& json);

// One element of a group, role or access role.
struct MemberEntry {
  MemberRef ref;
  std::string id;        // login@partition, as it was answered
  std::string location;  // may be empty in an access role
  std::string key() const { return Folded(TextOf(ref)); }
};

struct AccessRole {
  std::string name, id, description, location;
  std::vector<MemberEntry> members;
  bool push_known = false, push_all_groups = false;
  std::vector<std::string> resources;
  Json document;  // as it came
};
Result<AccessRole> ReadAccessRole(const Json& json);

// The first value of `name` in [{name, values}], whatever the letter case; null: there is none.
// Points into `list`.
const Json* FirstValue(const Json& list, std::string_view name);

}  // namespace postern::iam::otds
