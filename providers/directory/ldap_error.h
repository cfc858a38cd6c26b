// providers/directory/ldap_error.h: result codes of LDAP as Postern's, in words for an operator.
#pragma once
#include <string>
#include <string_view>

#include "core/object/target.h"

namespace postern::directory {

// What a write that answered `code` means for its operation. Sources: RFC 4511 appendix A.2; slapd
// 2.5 observed.
object::Status StatusOf(int code);
ErrorCode ErrorCodeOf(int code);
// "the server says: no such object (32, parent not found)". `diagnostic`: the server's own text.
std::string Explain(int code, std::string_view diagnostic);
// Somebody else wrote between our read and our write: read again and decide anew.
bool IsConflict(int code);

}  // namespace postern::directory
