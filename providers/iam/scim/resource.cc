#include "providers/iam/scim/resource.h"

#include <fmt/format.h>
#include <strings.h>

#include <unordered_set>

#include "core/diag/text.h"
#include "schemas/kinds.pb.h"

namespace postern::iam {
namespace {

using object::Kind;

bool Usable(std::string_view text, size_t longest) {
  return text.size() <= longest && !diag::HasHidden(text);
}

std::string Shown(std::string_view text) {
  constexpr size_t kLongest = 80;
  return diag::Printable(text.substr(0, kLongest)) + (text.size() > kLongest ? "..." : "");
}

// What is wrong with a resource's name or id; empty: nothing.
std::string WrongName(std::string_view what, std::string_view text, size_t longest) {
  if (text.empty()) return fmt::format("it has no {}", what);
  if (text.size() > longest) {
    return fmt::format("its {} has {} bytes, more than {}", what, text.size(), longest);
  }
  if (diag::HasHidden(text)) {
    return fmt::format("its {} holds control or bidi characters", what);
  }
  if (object::Normalise(object::Comparator::kCaseIgnore, text).empty()) {
    return fmt::format("its {} is blank", what);
  }
  return {};
}

// A server that lists another type under /Users would make accounts of machines.
bool IsOfType(const Json& resource, std::string_view urn) {
  const Json* schemas = MemberOf(resource, "schemas");
  if (schemas == nullptr || !schemas->is_array() || schemas->empty()) return true;  // unsaid
  for (const Json& schema : *schemas) {
    if (schema.is_string() &&
        strcasecmp(schema.get_ref<const std::string&>().c_str(), std::string(urn).c_str()) == 0) {
      return true;
    }
  }
  return false;
}

Result<void> CheckResource(Kind kind, const Json& resource) {
  std::string wrong;
  if (!resource.is_object()) {
    wrong = "it is no object";
  } else if (!IsOfType(resource, kind == Kind::kIamUser ? kUserUrn : kGroupUrn)) {
    wrong = "its schemas don't name the one of its type";
  } else {
    wrong = WrongName("id", TextAt(resource, "id"), kLongestName);
    if (wrong.empty()) {
      wrong = WrongName(kind == Kind::kIamUser ? "userName" : "displayName", NameIn(kind, resource),
                        kLongestName);
    }
  }
  if (wrong.empty()) return {};
  return Fail(ErrorCode::kInvalid,
              fmt::format("{} can't be used: {}", Describe(kind, resource), wrong));
}

// Fills one object's fields; what can't be used is unreadable.
class Fields {
 public:
  // Null or missing: not set.
  template <class Set>
  void Text(const Json* value, uint32_t field, const Set& set) {
    if (value == nullptr) return;
    if (value->is_string() && Usable(value->get_ref<const std::string&>(), kLongestValue)) {
      // Some servers write what isn't set as an empty text.
      if (const auto& text = value->get_ref<const std::string&>(); !text.empty()) set(text);
    } else if (value->is_number() || value->is_boolean()) {
      set(value->dump());
    } else {
      unreadable |= uint64_t{1} << field;
    }
  }
  // JSON's, or one of the words that some servers write.
  template <class Set>
  void Truth(const Json* value, uint32_t field, const Set& set) {
    if (value == nullptr) return;
    const std::string text = value->is_string() ? value->get<std::string>() : "";
    if (value->is_boolean()) {
      set(value->get<bool>());
    } else if (strcasecmp(text.c_str(), "true") == 0 || strcasecmp(text.c_str(), "false") == 0) {
      set(text[0] == 't' || text[0] == 'T');
    } else {
      unreadable |= uint64_t{1} << field;
    }
  }
  // A list of texts, or of objects that have one as `value`; set to nothing when there is none.
  void List(const Json* values, uint32_t field, kinds::Strings* out) {
    const Json list = values == nullptr    ? Json::array()
                      : values->is_array() ? *values
                                           : Json::array({*values});
    for (const Json& element : list) {
      const Json* value = element.is_object() ? MemberOf(element, "value") : &element;
      if (value == nullptr || !value->is_string() ||
          !Usable(value->get_ref<const std::string&>(), kLongestValue)) {
        unreadable |= uint64_t{1} << field;
        return;
      }
      if (const auto& text = value->get_ref<const std::string&>(); !text.empty()) {
        out->add_values(text);
      }
    }
  }

  uint64_t unreadable = 0;
};

// An attribute by its path: "name", "urn:...:name".
const Json* AttributeOf(const Json& resource, const std::string& path) {
  if (path.empty()) return nullptr;
  const size_t colon = path.rfind(':');
  if (colon == std::string::npos) return MemberOf(resource, path);
  const Json* extension = MemberOf(resource, path.substr(0, colon));
  return extension == nullptr ? nullptr : MemberOf(*extension, path.substr(colon + 1));
}

void FillPerson(const Json& resource, Fields* fields, kinds::IamUser* user) {
  using U = kinds::IamUser;
  const auto put = [&](const Json* object, std::string_view name, uint32_t field, auto set) {
    if (object != nullptr) {
      fields->Text(MemberOf(*object, name), field, [&](const std::string& of) { set(of); });
    }
  };
  put(&resource, "externalId", U::kExternalIdFieldNumber,
      [&](auto& v) { user->set_external_id(v); });
  put(&resource, "displayName", U::kDisplayNameFieldNumber,
      [&](auto& v) { user->set_display_name(v); });
  const Json* name = MemberOf(resource, "name");
  put(name, "givenName", U::kGivenNameFieldNumber, [&](auto& v) { user->set_given_name(v); });
  put(name, "familyName", U::kFamilyNameFieldNumber, [&](auto& v) { user->set_family_name(v); });
  put(&resource, "title", U::kTitleFieldNumber, [&](auto& v) { user->set_title(v); });
  put(&resource, "userType", U::kUserTypeFieldNumber, [&](auto& v) { user->set_user_type(v); });
  const Json* work = MemberOf(resource, kEnterpriseUrn);
  put(work, "employeeNumber", U::kEmployeeNumberFieldNumber,
      [&](auto& v) { user->set_employee_number(v); });
  put(work, "department", U::kDepartmentFieldNumber, [&](auto& v) { user->set_department(v); });
  put(work, "division", U::kDivisionFieldNumber, [&](auto& v) { user->set_division(v); });
  put(work, "organization", U::kOrganizationFieldNumber,
      [&](auto& v) { user->set_organization(v); });
  put(work, "costCenter", U::kCostCenterFieldNumber, [&](auto& v) { user->set_cost_center(v); });
}

// meta.lastModified; RFC 7643 section 3.1. Fractions of a second are cut off.
base::Instant ChangedAt(const Json& resource) {
  const Json* meta = MemberOf(resource, "meta");
  const Json* at = meta == nullptr ? nullptr : MemberOf(*meta, "lastModified");
  if (at == nullptr || !at->is_string()) return 0;
  std::string text = at->get<std::string>();
  if (const size_t dot = text.find('.'); dot != std::string::npos) {
    text.erase(dot, text.find_first_not_of("0123456789", dot + 1) - dot);
  }
  return base::ParseInstant(text).value_or(0);
}

object::Object Finish(const google::protobuf::Message& message, const Json& resource,
                      const Fields& fields) {
  object::Object out = object::Encode(message);
  out.id = TextAt(resource, "id");
  out.unreadable = fields.unreadable;
  out.changed_at = ChangedAt(resource);
  return out;
}

}  // namespace

const Json* MemberOf(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  auto at = object.find(name);
  if (at == object.end()) {
    for (at = object.begin(); at != object.end(); ++at) {
      if (at.key().size() == name.size() &&
          strncasecmp(at.key().data(), name.data(), name.size()) == 0) {
        break;
      }
    }
  }
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

std::string NameIn(Kind kind, const Json& resource) {
  const Json* name = MemberOf(resource, kind == Kind::kIamUser ? "userName" : "displayName");
  return name != nullptr && name->is_string() ? name->get<std::string>() : "";
}

std::string Describe(Kind kind, const Json& resource) {
  const std::string name = NameIn(kind, resource), id = TextAt(resource, "id");
  std::string out = kind == Kind::kIamUser ? "user" : "group";
  if (!name.empty()) out += fmt::format(" \"{}\"", Shown(name));
  return out + (id.empty() ? " without an id" : fmt::format(" (id {})", Shown(id)));
}

Result<object::Object> UserOf(const Json& resource, const std::string& ssh_keys) {
  if (auto usable = CheckResource(Kind::kIamUser, resource); !usable) {
    return tl::unexpected(usable.error());
  }
  using U = kinds::IamUser;
  U user;
  Fields fields;
  user.set_user_name(NameIn(Kind::kIamUser, resource));
  FillPerson(resource, &fields, &user);
  fields.Truth(MemberOf(resource, "active"), U::kActiveFieldNumber,
               [&](bool value) { user.set_active(value); });
  kinds::Strings mail, keys;
  fields.List(MemberOf(resource, "emails"), U::kMailFieldNumber, &mail);
  if (!ssh_keys.empty()) {
    fields.List(AttributeOf(resource, ssh_keys), U::kSshKeysFieldNumber, &keys);
  }
  // An empty list is a value: nobody can tell it from a list that isn't there.
  if ((fields.unreadable >> U::kMailFieldNumber & 1) == 0) *user.mutable_mail() = std::move(mail);
  if (!ssh_keys.empty() && (fields.unreadable >> U::kSshKeysFieldNumber & 1) == 0) {
    *user.mutable_ssh_keys() = std::move(keys);
  }
  return Finish(user, resource, fields);
}

Result<object::Object> GroupOf(const Json& resource) {
  if (auto usable = CheckResource(Kind::kIamGroup, resource); !usable) {
    return tl::unexpected(usable.error());
  }
  kinds::IamGroup group;
  Fields fields;
  group.set_name(NameIn(Kind::kIamGroup, resource));
  fields.Text(MemberOf(resource, "externalId"), kinds::IamGroup::kExternalIdFieldNumber,
              [&](const std::string& value) { group.set_external_id(value); });
  return Finish(group, resource, fields);
}

Result<std::vector<Member>> MembersOf(const Json& group) {
  const auto wrong = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid, fmt::format("the members of {} can't be read: {}",
                                                 Describe(Kind::kIamGroup, group), why));
  };
  std::vector<Member> out;
  const Json* members = MemberOf(group, "members");
  if (members == nullptr) return out;
  if (!members->is_array()) return wrong("they are no list");
  std::unordered_set<std::string> seen;
  for (const Json& element : *members) {
    const Json* value = MemberOf(element, "value");
    if (value == nullptr || !value->is_string() ||
        !Usable(value->get_ref<const std::string&>(), kLongestName) ||
        value->get_ref<const std::string&>().empty()) {
      return wrong("one of them has no id");
    }
    const auto& id = value->get_ref<const std::string&>();
    if (!seen.insert(id).second) continue;
    const std::string type = TextAt(element, "type"), reference = TextAt(element, "$ref");
    out.push_back({id, strcasecmp(type.c_str(), "group") == 0 ||
                           (type.empty() && reference.find("/Groups/") != std::string::npos)});
  }
  return out;
}

object::Object MembershipOf(std::string_view group, Kind member_kind, std::string_view member) {
  kinds::IamMembership message;
  message.set_set(fmt::format("group:{}", group));
  message.set_member(
      fmt::format("{}:{}", member_kind == Kind::kIamUser ? "user" : "group", member));
  return object::Encode(message);
}

}  // namespace postern::iam
