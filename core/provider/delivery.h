// core/provider/delivery.h: opens a place in a delivery provider's process.
//
// The process (postern-provider-delivery) is started, bound to us and ended as the other providers
// (client.h). It lives as long as OpenedPlace::place. Threads: one at a time.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/object/place.h"

namespace postern::decl {
class Endpoint;
}

namespace postern::provider {

using object::OpenedPlace;
using object::PlaceCredential;

struct PlaceOptions {
  std::string program;  // empty: ProviderProgram("delivery")
  std::chrono::milliseconds hello{10'000};
  std::chrono::milliseconds open{60'000};
  std::chrono::milliseconds silence{600'000};  // nothing at all came during a call
  std::chrono::milliseconds keep_alive{20'000};
};

// Credentials are tried in their order: next before current. Errors: kAuthentication when none is
// accepted, kUntrusted when the place isn't who it should be (then none was sent), kUnavailable,
// kInvalid for an endpoint that can't be right.
Result<OpenedPlace> OpenPlace(const decl::Endpoint& endpoint,
                              const std::vector<PlaceCredential>& credentials,
                              const PlaceOptions& options = {});

}  // namespace postern::provider
