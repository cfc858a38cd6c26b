// providers/memory/body.h: small surgery on canonical bodies, and the fake server's password hash.
// Pure (except HashPassword, which draws a salt); any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/kind.h"

namespace postern::memory {

// The body without the fields whose bits are set.
std::string WithoutFields(std::string_view body, uint64_t fields);
// The text of a string field; nothing when it isn't set.
std::optional<std::string_view> TextOf(std::string_view body, uint32_t field);
// The body with that string field set to `text`.
std::string WithText(object::Kind kind, std::string_view body, uint32_t field,
                     std::string_view text);
// 0: the kind has no secret field.
uint32_t SecretField(object::Kind kind);
// The fields that make up the key, as bits.
uint64_t KeyFields(object::Kind kind);

// What a server stores for a password: "$m$SALT$HASH". Not a hash for real use: this world is fake.
std::string HashPassword(std::string_view password);
bool Verifies(std::string_view stored, std::string_view password);

// What leaves the provider: a stored password becomes "hmac:" and its hash under the ledger's key.
// Without that key it can't be told at all: the field goes, and its bit is set.
void HidePassword(object::Kind kind, std::string_view ledger_key, std::string* body,
                  uint64_t* unreadable);

}  // namespace postern::memory
