// providers/iam/iam.h: an IAM system as a Target, by the product that is declared.
//
// Kinds: iam_user, iam_group, iam_membership; with product "otds" those of its own as well. Nothing
// is sent before the first call. Not thread-safe, as Target says.
#pragma once
#include <memory>

#include "core/object/target.h"
#include "providers/iam/http/http_client.h"
#include "schemas/declarations.pb.h"

namespace postern::iam {

// Checks the declaration only. `secrets`: the values that [iam] auth names. `limits`: tests make
// them short. Errors: kInvalid for a declaration that can't work.
Result<std::unique_ptr<object::Target>> Open(const decl::Iam& declared,
                                             const object::Secrets& secrets,
                                             const HttpLimits& limits = {});

}  // namespace postern::iam
