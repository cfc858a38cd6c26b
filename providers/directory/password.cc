#include "providers/directory/password.h"

#include <openssl/evp.h>

#include "core/base/check.h"
#include "core/base/hash.h"

namespace postern::directory {

bool IsHashed(std::string_view value) {
  const size_t end = value.find('}');
  if (!value.starts_with('{') || end == std::string_view::npos || end < 2) return false;
  for (const char c : value.substr(1, end - 1)) {
    const bool scheme = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '/' || c == '.';
    if (!scheme) return false;
  }
  return true;
}

std::string SaltedHash(std::string_view clear) {
  const std::string salt = base::RandomBytes(16);
  const std::string salted = std::string(clear) + salt;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  POSTERN_CHECK(EVP_Digest(salted.data(), salted.size(), digest, &size, EVP_sha1(), nullptr) == 1,
                "SHA-1");
  std::string bytes(reinterpret_cast<char*>(digest), size);
  return "{SSHA}" + base::Base64(bytes + salt);
}

}  // namespace postern::directory
