// providers/sdk/serve_place.h: what the delivery provider's main() calls. The SDK owns the wire;
// the provider implements object::Place (core/object/place.h).
//
// One process serves one place. The SDK calls it from one thread at a time.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "core/object/place.h"

namespace postern::decl {
class Endpoint;
}

namespace postern::sdk {

// Called on Open, until it succeeds once.
using PlaceFactory = std::function<Result<object::OpenedPlace>(
    const decl::Endpoint& endpoint, const std::vector<object::PlaceCredential>& credentials)>;

// Serves schemas/delivery.proto on descriptor 3 until the core goes away. The exit code of main().
int ServePlace(std::string_view name, const PlaceFactory& factory);

}  // namespace postern::sdk
