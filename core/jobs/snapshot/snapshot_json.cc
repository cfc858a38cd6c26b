#include "core/jobs/snapshot/snapshot_json.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <memory>

#include "core/base/check.h"
#include "core/object/fields.h"

namespace postern::jobs {
namespace {

namespace pb = google::protobuf;

std::unique_ptr<pb::Message> NewMessage(object::Kind kind) {
  const auto* prototype =
      pb::MessageFactory::generated_factory()->GetPrototype(object::TableOf(kind).descriptor);
  return std::unique_ptr<pb::Message>(prototype->New());
}

}  // namespace

std::string FieldsJson(const object::ObjectView& object) {
  const auto message = NewMessage(object.kind);
  const std::string body = object::Restrict(object.body, ~object::SecretMask(object.kind));
  POSTERN_CHECK(object::Decode(body, message.get()), "an observed body is canonical");
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = pb::util::MessageToJsonString(*message, &json, options);
  POSTERN_CHECK(printed.ok(), "every kind can be printed as JSON");
  return json;
}

Result<object::Object> ObjectOfJson(object::Kind kind, std::string_view fields) {
  const auto message = NewMessage(kind);
  const auto parsed = pb::util::JsonStringToMessage(std::string(fields), message.get());
  if (!parsed.ok()) return Fail(ErrorCode::kInvalid, parsed.ToString());
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (!field.key || message->GetReflection()->HasField(*message, field.descriptor)) continue;
    return Fail(ErrorCode::kInvalid, field.name + " is missing");
  }
  return object::Encode(*message);
}

}  // namespace postern::jobs
