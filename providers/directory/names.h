// providers/directory/names.h: DNs and times as LDAP spells them. Pure; any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/base/time.h"

namespace postern::directory {

// Appends the normal form (object::Normalise) to `out`; fast where there is nothing to decide.
void AppendNormalDn(std::string_view dn, std::string* out);
inline std::string NormalDn(std::string_view dn) {
  std::string normal;
  AppendNormalDn(dn, &normal);
  return normal;
}
// The part after the first unescaped comma; empty at the top.
std::string_view ParentOf(std::string_view dn);
// GeneralizedTime (RFC 4517 §3.3.13) to seconds; 0 when it isn't one.
base::Instant ParseGeneralizedTime(std::string_view text);
std::string FormatGeneralizedTime(base::Instant at);

}  // namespace postern::directory
