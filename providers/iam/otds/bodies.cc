#include "providers/iam/otds/bodies.h"

#include <fmt/format.h>

#include <algorithm>

#include "schemas/kinds.pb.h"

namespace postern::iam::otds {
namespace {

using object::Kind;
using object::Operation;

constexpr uint32_t kActive = 14;

void Lean(Guess guess, Body* body) {
  const auto& all = body->guesses;
  if (std::find(all.begin(), all.end(), guess) == all.end()) body->guesses.push_back(guess);
}

// The fields of `op` that `live` doesn't have so, and those to clear that it has, as bits.
struct Changed {
  uint64_t set = 0, clear = 0;
};
Changed ChangedIn(const Operation& op, std::string_view live) {
  Changed out;
  for (const auto& field : object::Differences(op.kind, op.after, live)) {
    out.set |= uint64_t{1} << field.field;
  }
  const uint64_t has = object::FieldsSet(live) & ~object::FieldsSet(op.after);
  for (const uint32_t field : op.clear) out.clear |= has & uint64_t{1} << field;
  return out;
}

Json Values(const std::string& attribute, std::vector<std::string> values) {
  return {{"name", attribute}, {"values", std::move(values)}};
}

// What a field of a user holds, as OTDS has it.
std::vector<std::string> ValuesOfField(const kinds::IamUser& user, uint32_t number) {
  const auto* field = kinds::IamUser::descriptor()->FindFieldByNumber(static_cast<int>(number));
  const auto* reflection = kinds::IamUser::GetReflection();
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    return {reflection->GetString(user, field)};
  }
  const auto& set = static_cast<const kinds::Strings&>(reflection->GetMessage(user, field));
  return {set.values().begin(), set.values().end()};
}

Json UserValues(const Operation& op, std::string_view live, Body* body) {
  const auto after = object::DecodeAs<kinds::IamUser>(op.after);
  const Changed changed = ChangedIn(op, live);
  Json values = Json::array();
  for (const UserField& field : UserFields()) {
    const uint64_t bit = uint64_t{1} << field.field;
    if (((changed.set | changed.clear) & bit) == 0) continue;
    std::vector<std::string> wanted;
    if ((changed.set & bit) != 0) wanted = ValuesOfField(after, field.field);
    if (wanted.empty()) {
      if (live.empty()) continue;  // a new user has none
      Lean(Guess::kClear, body);
    } else if (!field.seen) {
      Lean(Guess::kOtherAttributes, body);
    } else {
      ++body->known;
    }
    values.push_back(Values(field.attribute, std::move(wanted)));
  }
  const bool opens_new = live.empty() && after.active();
  if ((changed.set >> kActive & 1) != 0 && !opens_new) {
    Lean(Guess::kDisable, body);
    values.push_back(Values(kDisabled, {after.active() ? "false" : "true"}));
  }
  return values;
}

std::string DescriptionOf(const Operation& op) {
  if (op.kind == Kind::kIamGroup) return object::DecodeAs<kinds::IamGroup>(op.after).description();
  if (op.kind == Kind::kIamRole) return object::DecodeAs<kinds::IamRole>(op.after).description();
  return "";
}

// The server's own attributes: they can't be written, or say where the object is.
bool IsOwn(const std::string& attribute) {
  static const std::string_view kOwn[] = {"cn",
                                          "entryuuid",
                                          "entrydn",
                                          "createtimestamp",
                                          "otmemberof",
                                          "schematype",
                                          "modifytimestamp",
                                          "otobjectguid",
                                          "otsource",
                                          "ottype",
                                          "objectclass",
                                          "passwordchangedtime",
                                          "description",
                                          "otlastlogintimestamp",
                                          "otobjectidinresource"};
  return attribute.starts_with("otexternalid") ||
         std::find(std::begin(kOwn), std::end(kOwn), attribute) != std::end(kOwn);
}

Json KeptValues(const Entry& entry) {
  Json values = Json::array();
  for (const auto& [name, held] : entry.attributes) {
    if (!IsOwn(name)) values.push_back(Values(held.name, held.values));
  }
  return values;
}

}  // namespace

std::string WhyNotHeld(const Operation& op, std::string_view live) {
  const Changed changed = ChangedIn(op, live);
  const object::KindTable& table = object::TableOf(op.kind);
  uint64_t held = 0;
  for (const object::FieldTable& field : table.fields) {
    if (field.key || field.secret) held |= uint64_t{1} << field.number;
  }
  if (op.kind == Kind::kIamUser) {
    for (const UserField& field : UserFields()) held |= uint64_t{1} << field.field;
    held |= uint64_t{1} << kActive;
  } else if (op.kind == Kind::kIamGroup) {
    held |= uint64_t{1} << 3;
  } else if (op.kind == Kind::kIamRole) {
    held |= uint64_t{1} << 2;
  } else if (op.kind == Kind::kIamAccessRole) {
    held |= uint64_t{1} << 3;
  } else {
    held |= 0b11111100;
  }
  for (const object::FieldTable& field : table.fields) {
    if (((changed.set | changed.clear) & ~held) >> field.number & 1) {
      return fmt::format("OTDS's REST interface has nothing that holds {} of {}", field.name,
                         table.name);
    }
  }
  return {};
}

Body NewEntry(const Operation& op, const Name& name) {
  Body body;
  body.known = 1;
  body.json = {{"userPartitionID", name.partition}, {"name", name.login}};
  if (op.kind == Kind::kIamUser) {
    body.json["values"] = UserValues(op, "", &body);
  } else if (const std::string description = DescriptionOf(op); !description.empty()) {
    body.json["description"] = description;
  }
  return body;
}

Body UserChange(const Operation& op, const Live& live) {
  Body body;
  body.json = {{"userPartitionID", live.entry->partition}};
  body.json["values"] = UserValues(op, live.object.body, &body);
  return body;
}

Body WholeEntry(const Operation& op, const Live& live, const std::string& name) {
  Body body;
  body.known = 1;
  body.json = {{"userPartitionID", live.entry->partition}, {"name", name}};
  body.json["values"] = KeptValues(*live.entry);
  const Changed changed = ChangedIn(op, live.object.body);
  const uint64_t bit = uint64_t{1} << (op.kind == Kind::kIamGroup ? 3 : 2);
  Json& description = body.json["description"];
  description = live.entry->description;
  if (op.kind != Kind::kIamUser && (changed.set & bit) != 0) description = DescriptionOf(op);
  if (op.kind != Kind::kIamUser && (changed.clear & bit) != 0) {
    description = nullptr;
    Lean(Guess::kClear, &body);
  }
  if (description.is_string() && description.get<std::string>().empty()) {
    body.json.erase("description");
  }
  return body;
}

Body ClientFields(const Operation& op, std::string_view live) {
  const auto after = object::DecodeAs<kinds::OauthClient>(op.after);
  const Changed changed = ChangedIn(op, live);
  Body body;
  const auto touches = [&](uint32_t field) {
    body.known += (changed.set >> field & 1) != 0 ? 1 : 0;
    if ((changed.clear >> field & 1) != 0) Lean(Guess::kClear, &body);
    return ((changed.set | changed.clear) >> field & 1) != 0;
  };
  const auto list = [](const kinds::Strings& set) {
    return std::vector<std::string>(set.values().begin(), set.values().end());
  };
  if (touches(2)) {
    body.json["description"] = after.has_description() ? Json(after.description()) : Json();
  }
  if (touches(3)) body.json["confidential"] = after.confidential();
  if (touches(4)) body.json["redirectURLs"] = list(after.redirect_urls());
  if (touches(5)) body.json["allowedScopes"] = list(after.scopes());
  if (touches(6)) body.json["accessTokenLifeTime"] = after.access_token_seconds();
  if (touches(7)) body.json["refreshTokenLifeTime"] = after.refresh_token_seconds();
  return body;
}

}  // namespace postern::iam::otds
