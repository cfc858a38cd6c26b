// providers/memory/edit.h: changes by another hand, for tests and for people who try things out.
//
//   postern-provider-memory edit FILE set KIND KEY-PART... [FIELD=VALUE...]   create or change
//   postern-provider-memory edit FILE unset KIND KEY-PART... FIELD...         clear fields
//   postern-provider-memory edit FILE delete KIND KEY-PART...
//   postern-provider-memory edit FILE rename KIND KEY-PART... NEW-KEY-PART...
//   postern-provider-memory dump FILE                                         what is there
// A set of strings is written with commas; an empty value is the empty set. "--by NAME" after FILE
// says who did it. Passwords are stored as the fake server would.
#pragma once
#include <span>
#include <string>

#include "core/base/result.h"

namespace postern::memory {

// `arguments` from FILE on. kInvalid says what is wrong with them.
Result<void> Edit(std::span<const std::string> arguments);
// One object a line, readable, sorted; values of secret fields are left out.
Result<std::string> Dump(const std::string& file);

}  // namespace postern::memory
