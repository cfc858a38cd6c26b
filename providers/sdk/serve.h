// providers/sdk/serve.h: what a provider's main() calls. The SDK owns the wire; a provider owns a
// target and implements object::Target (core/object/target.h) for it.
//
// One process serves one target. The SDK calls it from one thread at a time.
#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "core/object/target.h"

namespace postern::provider::v1 {
class TargetConfig;  // schemas/provider.proto
}  // namespace postern::provider::v1

namespace postern::sdk {

// Called once, on Configure. `secrets` holds those that the configuration names.
using Factory = std::function<Result<std::unique_ptr<object::Target>>(
    const provider::v1::TargetConfig& config, const object::Secrets& secrets)>;

// Serves the protocol on descriptor 3 until the core goes away. Returns the exit code of main().
int Serve(std::string_view name, const Factory& factory);

}  // namespace postern::sdk
