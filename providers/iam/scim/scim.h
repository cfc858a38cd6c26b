// providers/iam/scim/scim.h: a SCIM 2.0 server (RFC 7643, 7644) as a Target.
//
// Kinds: iam_user, iam_group, iam_membership, each in one scope without a name. Keys are names
// (userName, displayName); ids bind them. One thread; the first call asks the server what it can
// do.
#pragma once
#include <memory>

#include "core/object/target.h"
#include "providers/iam/http/http_client.h"
#include "schemas/declarations.pb.h"

namespace postern::iam {

// As iam::Open.
Result<std::unique_ptr<object::Target>> OpenScim(const decl::Iam& declared,
                                                 const object::Secrets& secrets,
                                                 const HttpLimits& limits);

}  // namespace postern::iam
