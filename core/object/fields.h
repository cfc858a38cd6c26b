// core/object/fields.h: parts of canonical bodies by field, without decoding them.
//
// Pure; any thread. A mask has bit n for field n. Cost: one walk over the body.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/object/kind.h"

namespace postern::object {

// Body with only the fields in `mask`.
std::string Restrict(std::string_view body, uint64_t mask);
// Bits of the kind's key fields; of its secret fields.
uint64_t KeyMask(Kind kind);
uint64_t SecretMask(Kind kind);
// Said by the target beside what is managed: shown, never wanted, recorded or compared.
uint64_t ServerOwnedMask(Kind kind);
// Text of the kind's secret field, empty when unset.
std::string_view SecretIn(Kind kind, std::string_view body);

}  // namespace postern::object
