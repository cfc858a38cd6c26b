// providers/iam/scim/settings.h: a checked [iam] declaration of product "scim".
#pragma once
#include <string>

#include "providers/iam/http/declared.h"
#include "providers/iam/scim/dialect.h"

namespace postern::iam {

struct ScimSettings {
  Endpoint endpoint;
  Credentials credentials;
  Dialect dialect;
  std::string ssh_keys;  // attribute of a user; empty: none
};

Result<ScimSettings> ReadScimSettings(const decl::Iam& declared, const object::Secrets& secrets);

}  // namespace postern::iam
