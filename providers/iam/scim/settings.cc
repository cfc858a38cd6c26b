#include "providers/iam/scim/settings.h"

#include <fmt/format.h>

#include "core/diag/text.h"

namespace postern::iam {
namespace {

// Each field of the message but the preset is a trait of the same name, or text, or a number.
Result<Dialect> ReadDialect(const decl::IamDialect& declared) {
  auto dialect = Dialect::Of(declared.has_preset() ? declared.preset() : "generic");
  if (!dialect) return base::Wrap("dialect.preset", dialect.error());
  const auto* const descriptor = declared.GetDescriptor();
  const auto* const reflection = declared.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* const field = descriptor->field(i);
    if (field->number() == decl::IamDialect::kPresetFieldNumber) continue;
    if (!reflection->HasField(declared, field)) continue;
    const std::string value = field->type() == google::protobuf::FieldDescriptor::TYPE_UINT32
                                  ? std::to_string(reflection->GetUInt32(declared, field))
                                  : reflection->GetString(declared, field);
    if (auto put = dialect->Declare(field->name(), value); !put) {
      return base::Wrap("dialect", put.error());
    }
  }
  return dialect;
}

}  // namespace

Result<ScimSettings> ReadScimSettings(const decl::Iam& declared, const object::Secrets& secrets) {
  ScimSettings settings;
  auto endpoint = ReadEndpoint(declared);
  if (!endpoint) return tl::unexpected(endpoint.error());
  settings.endpoint = std::move(*endpoint);
  auto credentials = ReadCredentials(declared.auth(), secrets);
  if (!credentials) return tl::unexpected(credentials.error());
  settings.credentials = std::move(*credentials);
  auto dialect = ReadDialect(declared.dialect());
  if (!dialect) return tl::unexpected(dialect.error());
  settings.dialect = std::move(*dialect);
  settings.ssh_keys = declared.ssh_keys();
  if (diag::HasHidden(settings.ssh_keys) || settings.ssh_keys.ends_with(':')) {
    return Fail(ErrorCode::kInvalid,
                "ssh_keys names no attribute: write its name, or its URN, a colon and its name");
  }
  return settings;
}

}  // namespace postern::iam
