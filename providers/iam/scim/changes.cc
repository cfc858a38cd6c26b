#include "providers/iam/scim/changes.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/object/fields.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::iam {
namespace {

using object::Kind;
using object::Operation;
using U = kinds::IamUser;
using G = kinds::IamGroup;

// Where a field stands in a resource. An extension's attributes are addressed with a colon: RFC
// 7644 section 3.10.
struct Place {
  uint32_t field;
  std::string_view parent, name;

  std::string Path() const {
    if (parent.empty()) return std::string(name);
    return fmt::format("{}{}{}", parent, parent == kEnterpriseUrn ? ":" : ".", name);
  }
};

constexpr Place kUserPlaces[] = {
    {U::kUserNameFieldNumber, "", "userName"},
    {U::kExternalIdFieldNumber, "", "externalId"},
    {U::kDisplayNameFieldNumber, "", "displayName"},
    {U::kGivenNameFieldNumber, "name", "givenName"},
    {U::kFamilyNameFieldNumber, "name", "familyName"},
    {U::kMailFieldNumber, "", "emails"},
    {U::kEmployeeNumberFieldNumber, kEnterpriseUrn, "employeeNumber"},
    {U::kDepartmentFieldNumber, kEnterpriseUrn, "department"},
    {U::kDivisionFieldNumber, kEnterpriseUrn, "division"},
    {U::kOrganizationFieldNumber, kEnterpriseUrn, "organization"},
    {U::kCostCenterFieldNumber, kEnterpriseUrn, "costCenter"},
    {U::kTitleFieldNumber, "", "title"},
    {U::kUserTypeFieldNumber, "", "userType"},
    {U::kActiveFieldNumber, "", "active"},
};
constexpr Place kGroupPlaces[] = {
    {G::kNameFieldNumber, "", "displayName"},
    {G::kExternalIdFieldNumber, "", "externalId"},
};

const Place* PlaceOf(Kind kind, uint32_t field) {
  const std::span<const Place> places = kind == Kind::kIamUser
                                            ? std::span<const Place>(kUserPlaces)
                                            : std::span<const Place>(kGroupPlaces);
  const auto at = std::find_if(places.begin(), places.end(),
                               [&](const Place& place) { return place.field == field; });
  return at == places.end() ? nullptr : &*at;
}

// By field, without those that the server owns.
std::map<uint32_t, Json> ValuesIn(Kind kind, std::string_view body) {
  std::map<uint32_t, Json> values;
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    const object::FieldTable* table = object::TableOf(kind).Find(field.number);
    if (table == nullptr || table->server_owned) continue;
    Json& value = values[field.number];
    if (table->collection) {
      value = Json::array();
      for (const std::string_view element : object::Elements(field.bytes)) {
        value.push_back(std::string(element));
      }
    } else if (table->boolean) {
      value = field.varint != 0;
    } else {
      value = std::string(field.bytes);
    }
  }
  return values;
}

bool SameText(const std::string& a, const std::string& b) {
  return Names::KeyOf(a) == Names::KeyOf(b);
}

// The addresses that are wanted; those that are there keep their type and what else they have.
// One is primary.
Json EmailsOf(const Json& resource, const Json& wanted) {
  const Json* live = MemberOf(resource, "emails");
  Json out = Json::array();
  bool has_primary = false;
  for (const Json& address : wanted) {
    Json element = {{"value", address}};
    if (live != nullptr && live->is_array()) {
      for (const Json& known : *live) {
        if (!SameText(TextAt(known, "value"), address.get<std::string>())) continue;
        element = known;
        break;
      }
    }
    has_primary |= element.value("primary", Json()) == Json(true);
    out.push_back(std::move(element));
  }
  if (!has_primary && !out.empty()) out[0]["primary"] = true;
  return out;
}

// The member of that name as the server spells it, for writing.
Json& Into(Json& object, std::string_view name) {
  for (auto at = object.begin(); at != object.end(); ++at) {
    if (strcasecmp(at.key().c_str(), std::string(name).c_str()) == 0) return *at;
  }
  return object[std::string(name)];
}

void PutValue(const Place& place, const Json& value, Json* resource) {
  Json* in = resource;
  if (!place.parent.empty()) {
    in = &Into(*resource, place.parent);
    if (!in->is_object()) *in = Json::object();
  }
  if (place.parent == kEnterpriseUrn && !value.is_null()) {
    Json& schemas = Into(*resource, "schemas");
    if (std::find(schemas.begin(), schemas.end(), Json(kEnterpriseUrn)) == schemas.end()) {
      schemas.push_back(kEnterpriseUrn);
    }
  }
  if (value.is_null()) {
    Json& there = Into(*in, place.name);
    there = nullptr;
    for (auto at = in->begin(); at != in->end(); ++at) {
      if (&*at != &there) continue;
      in->erase(at);
      break;
    }
  } else {
    Into(*in, place.name) = value;
  }
}

// A field and its new value; null: it goes away.
using Change = std::pair<const Place*, Json>;

ScimWrite PatchOf(const Snapshot& at, Kind kind, const std::vector<Change>& changes,
                  const Dialect& dialect) {
  ScimWrite write;
  write.path = dialect.types().PathOf(kind, at.id);
  write.etag = at.etag;
  write.body = {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
                {"Operations", Json::array()}};
  for (const auto& [place, value] : changes) {
    Json operation = {{"op", value.is_null() ? "remove" : "replace"}, {"path", place->Path()}};
    if (!value.is_null()) operation["value"] = value;
    write.body["Operations"].push_back(std::move(operation));
  }
  return write;
}

// What the server owns isn't sent back: RFC 7643 section 2.2, readOnly.
ScimWrite PutOf(const Snapshot& at, Kind kind, const Dialect& dialect) {
  ScimWrite write;
  write.method = Method::kPut;
  write.path = dialect.types().PathOf(kind, at.id);
  write.etag = at.etag;
  write.body = at.document;
  write.body.erase("meta");
  if (kind == Kind::kIamUser) write.body.erase("groups");
  return write;
}

Step Send(ScimWrite write) {
  return {Step::Need::kWrite, std::move(write), "", false};
}
Step Refuse(std::string why, bool precondition) {
  return {Step::Need::kRefuse, {}, std::move(why), precondition};
}

Step CreateStep(const Operation& op, const Dialect& dialect) {
  ScimWrite write;
  write.method = Method::kPost;
  write.path = dialect.types().PathOf(op.kind);
  write.body = {{"schemas", {op.kind == Kind::kIamUser ? kUserUrn : kGroupUrn}}};
  for (const auto& [field, value] : ValuesIn(op.kind, op.after)) {
    const Place* place = PlaceOf(op.kind, field);
    if (place == nullptr) {
      return Refuse(
          fmt::format("SCIM has no place for {}", object::TableOf(op.kind).Find(field)->name),
          false);
    }
    PutValue(*place, place->name == "emails" ? EmailsOf(Json::object(), value) : value,
             &write.body);
  }
  return Send(std::move(write));
}

bool Clears(const Operation& op, uint32_t field) {
  return std::find(op.clear.begin(), op.clear.end(), field) != op.clear.end();
}

bool HasValue(const object::Object& live, Kind kind, uint32_t field) {
  const auto values = ValuesIn(kind, live.body);
  const auto at = values.find(field);
  return at != values.end() && !(at->second.is_array() && at->second.empty());
}

// What has to change, or why it can't.
Result<std::vector<Change>> ChangesOf(const Operation& op, const Snapshot& at,
                                      const object::Object& live) {
  std::vector<Change> changes;
  const auto wanted = ValuesIn(op.kind, op.after);
  std::vector<uint32_t> fields;
  for (const auto& difference : object::Differences(op.kind, op.after, live.body)) {
    const object::FieldTable* table = object::TableOf(op.kind).Find(difference.field);
    if (!table->server_owned && !table->key) fields.push_back(difference.field);
  }
  if (!op.new_key.empty() && live.key != op.new_key) fields.push_back(1);
  for (const uint32_t field : fields) {
    const Place* place = PlaceOf(op.kind, field);
    const std::string& name = object::TableOf(op.kind).Find(field)->name;
    if (place == nullptr) {
      return Fail(ErrorCode::kUnsupported, fmt::format("SCIM has no place for {}", name));
    }
    const Json& value = wanted.at(field);
    const bool closes =
        field == U::kActiveFieldNumber && op.kind == Kind::kIamUser && value == Json(false);
    if ((live.unreadable >> field & 1) != 0 && !closes) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("what {} is now can't be read: it isn't changed blindly", name));
    }
    if (place->name == "emails") {
      changes.emplace_back(place, value.empty() ? Json() : EmailsOf(at.document, value));
    } else {
      changes.emplace_back(place, value);
    }
  }
  for (const uint32_t field : op.clear) {
    const Place* place = PlaceOf(op.kind, field);
    if (place != nullptr && HasValue(live, op.kind, field)) changes.emplace_back(place, Json());
  }
  return changes;
}

// True: a write of ours may have made the difference.
bool MayBeOurs(const Operation& op, uint32_t field, std::string_view live) {
  const uint64_t set = object::FieldsSet(op.after);
  if ((set >> field & 1) == 0) return Clears(op, field);
  const auto missing = object::Differences(op.kind, op.after, live);
  return std::none_of(missing.begin(), missing.end(),
                      [&](const auto& other) { return other.field == field; });
}

std::string NamesOf(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& change : changes) {
    out += (out.empty() ? "" : ", ") + change.first->Path();
  }
  return out;
}

// "title is "Editor" and not "Clerk""; of what `Differences` found between what is wanted and what
// is live.
std::string IsAndIsNot(const object::FieldDifference& field) {
  const std::string is = field.has_before ? "\"" + field.before + "\"" : "not set";
  return fmt::format("{} is {} and not \"{}\"", field.name, is, field.after);
}

// The server said that it did it. A field that is as before wasn't written; one that is neither as
// before nor as written is somebody else's, after us: what was asked for isn't so.
Step NotAsWritten(const Operation& op, const std::vector<Change>& changes, const Progress& progress,
                  std::string_view live) {
  for (const auto& [place, value] : changes) {
    const uint64_t field = uint64_t{1} << place->field;
    if (object::Restrict(live, field) != object::Restrict(progress.was, field)) continue;
    return Refuse(fmt::format("the server took the change and left {} as it was", place->Path()),
                  false);
  }
  const auto missing = object::Differences(op.kind, op.after, live);
  return Refuse(
      "written, and somebody changed it at once: " +
          (missing.empty() ? NamesOf(changes) + " is set again" : IsAndIsNot(missing.front())),
      true);
}

// Towards `after` from what is live.
Step ChangeStep(const Operation& op, const Progress& progress, const Snapshot& at,
                const Dialect& dialect) {
  const auto live = ObjectOf(op.kind, at.document, "");
  if (!live) return Refuse(live.error().message, false);
  auto changes = ChangesOf(op, at, *live);
  if (!changes) return Refuse(changes.error().message, false);
  const bool same_id = op.expect_id.empty() || op.expect_id == at.id;
  if (changes->empty() && same_id) return {};
  const bool ours = progress.created;
  if (op.before.empty() && !ours) {
    return Refuse(fmt::format("there is one of this name already, and it is another one: {} {}",
                              NamesOf(*changes), changes->size() == 1 ? "differs" : "differ"),
                  true);
  }
  if (!ours && !progress.changed) {
    if (std::string why = Unexpected(op, progress, at); !why.empty()) return Refuse(why, true);
  }
  if (progress.changed) return NotAsWritten(op, *changes, progress, live->body);
  if (dialect.Is(Trait::kPatch, "patch")) return Send(PatchOf(at, op.kind, *changes, dialect));
  ScimWrite write = PutOf(at, op.kind, dialect);
  for (const auto& [place, value] : *changes) PutValue(*place, value, &write.body);
  return Send(std::move(write));
}

}  // namespace

std::string Unexpected(const Operation& op, const Progress& progress, const Snapshot& at) {
  if (!op.expect_id.empty() && at.id != op.expect_id) {
    return fmt::format("another one has this name now: id {}, expected {}", at.id, op.expect_id);
  }
  const auto live = ObjectOf(op.kind, at.document, "");
  if (!live) return live.error().message;
  for (const auto& first : object::Differences(op.kind, op.before, live->body)) {
    const object::FieldTable* table = object::TableOf(op.kind).Find(first.field);
    if (table->server_owned || (table->key && !op.new_key.empty())) continue;
    if ((progress.unsure || progress.written) && MayBeOurs(op, first.field, live->body)) continue;
    if ((live->unreadable >> first.field & 1) != 0) {
      return fmt::format("{} can't be read: whether it is as planned isn't known", first.name);
    }
    return IsAndIsNot(first) + " any more";
  }
  return {};
}

Step NextStep(const Operation& op, const Progress& progress, const Snapshot& at,
              const Dialect& dialect) {
  const bool absent = at.state == Snapshot::State::kAbsent;
  if (op.after.empty()) {
    if (absent) return {};
    if (progress.changed && dialect.Is(Trait::kDelete, "soft")) {
      return Refuse("the server keeps what is deleted", false);
    }
    if (std::string why = Unexpected(op, progress, at); !why.empty()) return Refuse(why, true);
    if (progress.changed)
      return Refuse("the server took the deletion, and it is still there", false);
    ScimWrite write;
    write.method = Method::kDelete;
    write.path = dialect.types().PathOf(op.kind, at.id);
    write.etag = at.etag;
    return Send(std::move(write));
  }
  if (absent && !op.before.empty()) return Refuse("it is gone", true);
  if (absent && progress.written) return Refuse("it is gone again", true);
  return absent ? CreateStep(op, dialect) : ChangeStep(op, progress, at, dialect);
}

Json MemberJson(const Member& member) {
  Json out = {{"value", member.id}};
  if (member.is_group) out["type"] = "Group";
  return out;
}

ScimWrite MembersWrite(const Snapshot& group, std::span<const Member> add,
                       std::span<const std::string> remove, const Dialect& dialect) {
  if (!dialect.Is(Trait::kPatch, "patch")) {
    ScimWrite write = PutOf(group, Kind::kIamGroup, dialect);
    Json& members = Into(write.body, "members");
    Json kept = Json::array();
    for (const Json& member : members.is_array() ? members : Json::array()) {
      if (std::find(remove.begin(), remove.end(), TextAt(member, "value")) == remove.end()) {
        kept.push_back(member);
      }
    }
    for (const Member& member : add) kept.push_back(MemberJson(member));
    members = std::move(kept);
    return write;
  }
  ScimWrite write = PatchOf(group, Kind::kIamGroup, {}, dialect);
  Json& operations = write.body["Operations"];
  Json values = Json::array();
  const bool by_filter = dialect.Is(Trait::kRemoveMember, "filter");
  for (const std::string& id : remove) {
    if (by_filter) {
      operations.push_back(
          {{"op", "remove"}, {"path", fmt::format("members[value eq {}]", Json(id).dump())}});
    } else {
      values.push_back({{"value", id}});
    }
  }
  if (!values.empty()) {
    operations.push_back({{"op", "remove"}, {"path", "members"}, {"value", std::move(values)}});
  }
  if (!add.empty()) {
    Json added = Json::array();
    for (const Member& member : add) added.push_back(MemberJson(member));
    operations.push_back({{"op", "add"}, {"path", "members"}, {"value", std::move(added)}});
  }
  return write;
}

}  // namespace postern::iam
