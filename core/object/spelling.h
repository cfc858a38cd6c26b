// core/object/spelling.h: names for people as they were declared or observed.
//
// A key that is compared without case is folded; the body keeps the spelling. Pure; any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/object/object.h"

namespace postern::object {

// The key with the spelling that the body has of its parts. A part that the body lacks, or has of
// another name (an object before it was renamed), stays as it is in the key.
std::string SpelledKey(Kind kind, std::string_view key, std::string_view body);
// Describe() of that.
std::string DescribeSpelled(Kind kind, std::string_view key, std::string_view body);

}  // namespace postern::object
