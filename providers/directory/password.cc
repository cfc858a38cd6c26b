#include "providers/directory/password.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

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

KeyedDigest::KeyedDigest(std::string_view key) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  context_ = EVP_MAC_CTX_new(mac);
  EVP_MAC_free(mac);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  POSTERN_CHECK(EVP_MAC_init(context_, reinterpret_cast<const unsigned char*>(key.data()),
                             key.size(), params) == 1,
                "HMAC");
}

KeyedDigest::~KeyedDigest() {
  EVP_MAC_CTX_free(context_);
}

std::string KeyedDigest::Hex(std::string_view bytes) {
  base::Digest digest;
  size_t size = 0;
  const bool ok = EVP_MAC_init(context_, nullptr, 0, nullptr) == 1 &&
                  EVP_MAC_update(context_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                 bytes.size()) == 1 &&
                  EVP_MAC_final(context_, digest.data(), &size, digest.size()) == 1 &&
                  size == digest.size();
  POSTERN_CHECK(ok, "HMAC");
  return base::Hex(digest);
}

}  // namespace postern::directory
