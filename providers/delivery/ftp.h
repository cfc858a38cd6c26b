// providers/delivery/ftp.h: a place over FTP, by libcurl; in the clear or under TLS.
//
// Under TLS control and data connections are both encrypted, or nothing is sent; certificates are
// verified against `ca` or the system's authorities; the data connection takes up the control
// connection's session, as servers demand (proftpd's TLSOptions without NoSessionReuseRequired).
// Binary type always. Sources: RFC 959, RFC 3659 (SIZE, MLSD), RFC 4217 (AUTH TLS).
#pragma once
#include <memory>

#include "core/object/place.h"
#include "providers/delivery/open.h"

namespace postern::decl {
class Endpoint;
}

namespace postern::delivery {

// Signs in, so that a refused password is known at once.
Result<std::unique_ptr<object::Place>> OpenFtp(const decl::Endpoint& endpoint,
                                               const Address& address,
                                               const object::PlaceCredential& credential);

}  // namespace postern::delivery
