#include "providers/iam/otds/objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/time.h"
#include "schemas/kinds.pb.h"

namespace postern::iam::otds {
namespace {

constexpr UserField kUserFields[] = {
    {3, "displayName", true}, {4, "givenName", true},       {5, "sn", true},
    {6, "mail", true},        {7, "employeeNumber", false}, {8, "departmentNumber", false},
    {10, "o", false},         {12, "title", true},          {13, "employeeType", false}};
constexpr uint32_t kActive = 14;

std::string Lowered(const char* name) {
  std::string out = name;
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// A field that is a text, or a set of them.
void SetField(google::protobuf::Message* message, uint32_t number,
              const std::vector<std::string>& values) {
  const auto* field = message->GetDescriptor()->FindFieldByNumber(static_cast<int>(number));
  const auto* reflection = message->GetReflection();
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    reflection->SetString(message, field, values.front());
    return;
  }
  auto* set = static_cast<kinds::Strings*>(reflection->MutableMessage(message, field));
  for (const std::string& value : values) set->add_values(value);
}

object::Object Encoded(const google::protobuf::Message& message, std::string id) {
  object::Object object = object::Encode(message);
  object.id = std::move(id);
  return object;
}

base::Instant InstantOf(const std::string& text) {
  return base::ParseInstant(text).value_or(0);
}

void SetStrings(const Json& json, const char* name, kinds::Strings* to) {
  const Json list = json.value(name, Json());
  for (size_t i = 0; list.is_array() && i < list.size(); ++i) {
    if (list[i].is_string()) to->add_values(list[i].get<std::string>());
  }
}

// Life times come as numbers and as strings of digits.
std::optional<uint32_t> Seconds(const Json& json, const char* name) {
  const std::string text = TextAt(json, name);
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(std::stoul(text));
}

}  // namespace

std::span<const UserField> UserFields() {
  return kUserFields;
}

object::Object UserObject(const Entry& user, bool synchronized) {
  kinds::IamUser out;
  out.set_user_name(user.Full());
  for (const UserField& field : kUserFields) {
    const auto at = user.attributes.find(Lowered(field.attribute));
    if (at != user.attributes.end()) SetField(&out, field.field, at->second.values);
  }
  const bool said = user.Has("accountdisabled");
  if (said) out.set_active(!user.IsSet("accountdisabled"));
  out.set_synchronized(synchronized);
  if (const base::Instant last = InstantOf(user.First("otlastlogintimestamp")); last > 0) {
    out.set_last_login(last);
  }
  if (user.IsSet("accountdisabled")) out.mutable_denied_by()->add_values(kDisabled);
  if (user.IsSet("accountlockedout")) out.mutable_denied_by()->add_values("accountLockedOut");
  object::Object object = Encoded(out, user.uuid);
  if (!said) object.unreadable |= uint64_t{1} << kActive;
  object.changed_at = InstantOf(user.First("modifytimestamp"));
  return object;
}

object::Object GroupObject(const Entry& group) {
  kinds::IamGroup out;
  out.set_name(group.Full());
  if (!group.description.empty()) out.set_description(group.description);
  return Encoded(out, group.uuid);
}

object::Object RoleObject(const Entry& role) {
  kinds::IamRole out;
  out.set_name(Names::RoleName(role.name, role.partition));
  if (!role.description.empty()) out.set_description(role.description);
  return Encoded(out, role.uuid);
}

// The name is all that identifies an access role: no id of its own is documented.
object::Object AccessRoleObject(const AccessRole& role) {
  kinds::IamAccessRole out;
  out.set_name(role.name);
  if (!role.description.empty()) out.set_description(role.description);
  if (role.push_known) out.set_push_all_groups(role.push_all_groups);
  return Encoded(out, "");
}

object::Object MembershipObject(const SetRef& set, const MemberRef& member) {
  kinds::IamMembership out;
  out.set_set(TextOf(set));
  out.set_member(TextOf(member));
  return Encoded(out, "");
}

Result<object::Object> ClientObject(const Json& json) {
  kinds::OauthClient out;
  out.set_client_id(TextAt(json, "id"));
  if (out.client_id().empty()) out.set_client_id(TextAt(json, "name"));
  if (out.client_id().empty()) {
    return Fail(ErrorCode::kInvalid, "an OAuth client of the answer has no id");
  }
  const std::string description = TextAt(json, "description");
  if (!description.empty()) out.set_description(description);
  if (const Json confidential = json.value("confidential", Json()); confidential.is_boolean()) {
    out.set_confidential(confidential.get<bool>());
  }
  SetStrings(json, "redirectURLs", out.mutable_redirect_urls());
  SetStrings(json, "allowedScopes", out.mutable_scopes());
  if (const auto life = Seconds(json, "accessTokenLifeTime")) out.set_access_token_seconds(*life);
  if (const auto life = Seconds(json, "refreshTokenLifeTime")) {
    out.set_refresh_token_seconds(*life);
  }
  return Encoded(out, TextAt(json, "uuid"));
}

Result<object::Object> PolicyObject(const Json& json) {
  if (!json.is_object() || !json.contains("minimumNumberOfCharacters")) {
    return Fail(ErrorCode::kInvalid, "the answer is no password policy");
  }
  kinds::PasswordPolicy out;
  out.set_name(kPolicyName);
  for (const auto& [name, value] : json.items()) {
    if (value.is_number() || value.is_boolean()) {
      out.mutable_rules()->add_values(fmt::format("{}={}", name, value.dump()));
    }
  }
  return Encoded(out, "");
}

}  // namespace postern::iam::otds
