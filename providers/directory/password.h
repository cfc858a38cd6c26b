// providers/directory/password.h: password values as a directory stores them.
#pragma once
#include <string>
#include <string_view>

struct evp_mac_ctx_st;  // OpenSSL's EVP_MAC_CTX

namespace postern::directory {

// "{SSHA}...", "{CRYPT}...": a value that is stored as it is (RFC 2307 §5.3).
bool IsHashed(std::string_view value);
// {SSHA} with 16 bytes of salt: the one scheme that every slapd checks without a module. Used only
// where the server can't be asked to hash (RFC 3062).
std::string SaltedHash(std::string_view clear);

// HMAC-SHA256 under one key for many values: the same digest as base::HmacSha256, without setting
// the key up each time (two thirds of its cost).
class KeyedDigest {
 public:
  explicit KeyedDigest(std::string_view key);
  ~KeyedDigest();
  KeyedDigest(const KeyedDigest&) = delete;
  KeyedDigest& operator=(const KeyedDigest&) = delete;
  std::string Hex(std::string_view bytes);

 private:
  evp_mac_ctx_st* context_;
};

}  // namespace postern::directory
