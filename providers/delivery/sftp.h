// providers/delivery/sftp.h: a place over SFTP, by libssh2.
//
// Writes are pipelined: up to 2 MiB are under way unanswered, so that a transfer isn't bound to the
// round trip. Version 3 of the protocol (draft-ietf-secsh-filexfer-02): a rename never replaces
// (section 6.5), and libssh2 1.10 can't ask for OpenSSH's extension that does.
#pragma once
#include <memory>
#include <string>

#include "core/object/place.h"
#include "providers/delivery/open.h"

namespace postern::delivery {

// One credential: its key, else its password.
Result<std::unique_ptr<object::Place>> OpenSftp(const Address& address,
                                                const std::string& known_host,
                                                const object::PlaceCredential& credential);

}  // namespace postern::delivery
