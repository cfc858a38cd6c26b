// providers/filetransfer/transport/open.h: the transport that a host is declared with.
#pragma once
#include <memory>

#include "providers/filetransfer/transport/transport.h"

namespace postern::decl {
class Host;
}

namespace postern::filetransfer {

// "local:" or "ssh://user@host:port"; connects with the first batch. kInvalid when the declaration
// can't be right.
Result<std::unique_ptr<Transport>> OpenTransport(const decl::Host& host);

}  // namespace postern::filetransfer
