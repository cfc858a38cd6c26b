// providers/delivery/open.h: opens the place that an [endpoint] declares.
//
// One thread. Errors: kInvalid for an endpoint that can't be right (nothing was sent),
// kUntrusted when the place isn't who it should be, kAuthentication when it takes no credential,
// kUnavailable.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/place.h"

namespace postern::decl {
class Endpoint;
}

namespace postern::delivery {

struct Address {
  std::string host;  // without brackets
  uint16_t port = 0;
};
// "host", "host:port", "[::1]:port".
Result<Address> ParseAddress(std::string_view text, uint16_t port);
// 127.0.0.0/8, ::1 and localhost: what never leaves the machine.
bool IsLoopback(const std::string& host);
// kInvalid unless absolute, without control characters, "." and "..".
Result<void> CheckPath(const std::string& path);
// "SHA256:..." of the public key that an OpenSSH private key holds; else "private key".
std::string KeyFingerprint(const std::string& private_key);

// Tries the credentials in their order.
Result<object::OpenedPlace> OpenPlace(const decl::Endpoint& endpoint,
                                      const std::vector<object::PlaceCredential>& credentials);

}  // namespace postern::delivery
