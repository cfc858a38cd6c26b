// providers/filetransfer/proftpd_io/password.h: what stands in the hash field of an AuthUserFile.
//
// Hashes are made and checked by crypt(3) only. A `!` before the hash stops password logins and
// keeps the hash; "*" and an empty field are no usable password. Pure; any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace postern::filetransfer {

// SHA-512 crypt ("$6$"), the strongest that every build of ProFTPD takes. Cost: about 3 ms.
Result<std::string> HashPassword(const std::string& password);
// Cost: as a login.
bool PasswordMatches(const std::string& password, std::string_view stored);

// The field without the lock; empty when no password can work.
std::string_view UsableHash(std::string_view field);
bool IsLockedField(std::string_view field);
std::string LockField(std::string_view field);
std::string UnlockField(std::string_view field);

// "hmac:...", or empty when there is no usable password or no key to make it with.
std::string PasswordDigest(std::string_view ledger_key, std::string_view field);

}  // namespace postern::filetransfer
