// providers/iam/http/declared.h: what each product needs of an [iam] declaration, checked.
//
// Nothing is sent. Errors: kInvalid for a declaration that can't work.
#pragma once
#include <memory>
#include <string>

#include "core/object/target.h"
#include "providers/iam/http/session.h"
#include "schemas/declarations.pb.h"

namespace postern::iam {

struct Endpoint {
  BaseUrl base;
  std::string ca;  // file; empty: the system's authorities
};
Result<Endpoint> ReadEndpoint(const decl::Iam& declared);

// The value of "secret:NAME" (or NAME).
Result<std::string> SecretOf(const std::string& reference, const object::Secrets& secrets);

struct Credentials {
  std::unique_ptr<Authority> authority;
  std::string identity;  // who we are, for people; no secret
};
// A bearer token, a client of OAuth 2, or a login with every request: exactly one of them.
// `token_url`: where tokens are given when the declaration doesn't say; may be empty.
Result<Credentials> ReadCredentials(const decl::IamAuth& auth, const object::Secrets& secrets,
                                    const std::string& token_url = "");

}  // namespace postern::iam
