// providers/filetransfer/target.h: a host with its file-transfer servers, as core/object/target.h
// wants it.
#pragma once
#include <memory>

#include "core/object/target.h"

namespace postern::provider::v1 {
class TargetConfig;
}  // namespace postern::provider::v1

namespace postern::filetransfer {

// Checks the configuration and connects to nothing yet. kInvalid, naming the field, when it can't
// be right. `secrets`: "ledger-key" for the digests of passwords.
Result<std::unique_ptr<object::Target>> MakeTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& secrets);

}  // namespace postern::filetransfer
