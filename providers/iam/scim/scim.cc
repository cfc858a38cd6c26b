#include "providers/iam/scim/scim.h"

#include "providers/iam/scim/target.h"

namespace postern::iam {

Result<std::unique_ptr<object::Target>> OpenScim(const decl::Iam& declared,
                                                 const object::Secrets& secrets,
                                                 const HttpLimits& limits) {
  auto settings = ReadScimSettings(declared, secrets);
  if (!settings) return tl::unexpected(settings.error());
  return std::make_unique<ScimTarget>(std::move(*settings), limits);
}

}  // namespace postern::iam
