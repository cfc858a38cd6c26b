// core/base/hash.h: digests, all by OpenSSL. Pure; any thread.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace postern::base {

using Digest = std::array<uint8_t, 32>;  // SHA-256

Digest Sha256(std::string_view bytes);
Digest HmacSha256(std::string_view key, std::string_view bytes);
// From the operating system's generator.
std::string RandomBytes(size_t count);

std::string Hex(std::string_view bytes);
std::string Hex(const Digest& digest);
// RFC 4648 base64 with padding.
std::string Base64(std::string_view bytes);
// Empty optional-like: false when `text` isn't base64.
bool DecodeBase64(std::string_view text, std::string* out);

// A digest that is fed in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void Add(std::string_view bytes);
  // Adds a length before the bytes, so that neighbours can't flow into each other.
  void AddField(std::string_view bytes);
  Digest Finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "7f3a quiet-heron": the first two bytes and a word pair drawn from the next two. For people only.
std::string ShortName(const Digest& digest);

}  // namespace postern::base
