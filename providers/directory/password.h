// providers/directory/password.h: password values as a directory stores them.
#pragma once
#include <string>
#include <string_view>

namespace postern::directory {

// "{SSHA}...", "{CRYPT}...": a value that is stored as it is (RFC 2307 §5.3).
bool IsHashed(std::string_view value);
// {SSHA} with 16 bytes of salt: the one scheme that every slapd checks without a module. Used only
// where the server can't be asked to hash (RFC 3062).
std::string SaltedHash(std::string_view clear);

}  // namespace postern::directory
