#include "providers/iam/iam.h"

#include <fmt/format.h>

#include "providers/iam/otds/otds.h"
#include "providers/iam/scim/scim.h"

namespace postern::iam {

Result<std::unique_ptr<object::Target>> Open(const decl::Iam& declared,
                                             const object::Secrets& secrets,
                                             const HttpLimits& limits) {
  const std::string product = declared.has_product() ? declared.product() : "scim";
  if (product == "scim") return OpenScim(declared, secrets, limits);
  if (product == "otds") return OpenOtds(declared, secrets, limits);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("product \"{}\" is not spoken here: there are scim and otds", product));
}

}  // namespace postern::iam
