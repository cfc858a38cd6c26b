// providers/memory/change.h: one operation on the fake world, compared and set.
#pragma once
#include <string>
#include <string_view>

#include "core/object/target.h"
#include "providers/memory/world.h"

namespace postern::memory {

inline constexpr std::string_view kMe = "postern";  // who our own changes are by

struct Verdict {
  object::Status status = object::Status::kApplied;
  std::string message;
};

// Carries the operation out on a locked world, or says why not: what is so already comes before the
// precondition, as a resumed apply asks again. `secrets` holds the values that `after` names;
// `ledger_key` is what an expected password is hashed with.
Verdict Change(World& world, const object::Operation& operation, std::string_view ledger_key,
               const object::Secrets& secrets);

}  // namespace postern::memory
