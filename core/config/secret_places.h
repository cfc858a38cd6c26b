// core/config/secret_places.h: where the value of a secret is found, by the operator's tables
// alone. Pure; any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/config/declarations.h"

namespace postern::config {

struct SecretPlace {
  std::string from;  // env:, file:, fd: or exec:, with what `*` of a pattern stood for put in
  std::string star;  // what it stood for; empty: no pattern
};

// `name` without "secret:". Of an exact name and a pattern the exact name counts. kDenied: it may
// not be sent to `target`, or the name leads elsewhere; kNotFound: it isn't mapped.
Result<SecretPlace> FindSecret(const Declarations& declarations, std::string_view name,
                               std::string_view target);

}  // namespace postern::config
