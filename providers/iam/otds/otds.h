// providers/iam/otds/otds.h: OpenText Directory Services over its REST interface, as a Target.
//
// Kinds: iam_user, iam_group, iam_membership of the partitions that `manage` names; iam_role,
// iam_access_role and their memberships, oauth_client and password_policy of the whole system. Not
// thread-safe, as Target says. The first call connects. OTDS has no compare-and-set: an object is
// read, compared with what was planned, written narrowly, and read again.
#pragma once
#include <memory>

#include "core/object/target.h"
#include "providers/iam/http/http_client.h"
#include "schemas/declarations.pb.h"

namespace postern::iam {

// Checks the declaration only; nothing is sent. Errors: kInvalid for a declaration that can't work
// (no partition, an address that isn't ".../rest", no way of proof).
Result<std::unique_ptr<object::Target>> OpenOtds(const decl::Iam& declared,
                                                 const object::Secrets& secrets,
                                                 const HttpLimits& limits = {});

}  // namespace postern::iam
