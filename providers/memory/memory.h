// providers/memory/memory.h: the smallest real provider, on a fake world (world.h) whose faults can
// be switched (faults.h). Serves hosts (address = "memory:FILE") and directories (url =
// "memory:FILE"); several targets may share one file.
//
// It keeps the provider contract in full, so it is the model for a new provider and what the core
// is tested and measured on: compare and set, stable ids, renames, removal of sessions, passwords
// that never leave it, scopes, incomplete reads. Threads: one at a time (object::Target).
#pragma once
#include <memory>

#include "core/object/target.h"

namespace postern::provider::v1 {
class TargetConfig;
}

namespace postern::memory {

// Errors: kInvalid (no memory:FILE), kUnavailable (the folder isn't there), kIncomplete (a line of
// the file isn't a record).
Result<std::unique_ptr<object::Target>> OpenTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& secrets);

}  // namespace postern::memory
