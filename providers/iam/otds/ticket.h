// providers/iam/otds/ticket.h: who we are in OTDS, and how it says that a proof has ended.
//
// Source: facts, iam-governance section 1.1. A ticket or token that has ended is answered with 400
// and status 1034 in the body, or with 401; both mean: prove anew once, then fail.
#pragma once
#include <memory>

#include "core/object/target.h"
#include "providers/iam/http/session.h"
#include "schemas/declarations.pb.h"

namespace postern::iam::otds {

// True for both answers to an ended proof.
bool IsExpired(const HttpAnswer& answer);

// A ticket for a login (POST /authentication/credentials), kept until it is refused. Installations
// of the previous generation have it below /otdsws/v1 with other names: where the first form isn't
// there (404) the second is asked, once, and the one that answered is kept. `base`: ".../rest".
// A login that needs a further step (`continuation`) is kAuthentication.
std::unique_ptr<Authority> MakeTicket(const BaseUrl& base, std::string login, std::string password);

// Where OAuth clients get their tokens: as declared, else oauth2/token beside ".../rest".
std::string TokenUrl(const BaseUrl& base, const decl::IamAuth& declared);

// What [iam] auth declares: token, client credentials or login. kInvalid: none, more than one, or
// without its secret.
Result<std::unique_ptr<Authority>> MakeAuthority(const BaseUrl& base, const decl::IamAuth& declared,
                                                 const object::Secrets& secrets);

}  // namespace postern::iam::otds
