#include "providers/memory/body.h"

#include "core/base/hash.h"
#include "core/object/object.h"
#include "core/object/wire_fields.h"

namespace postern::memory {
namespace {

std::string Stored(std::string_view salt, std::string_view password) {
  return "$m$" + std::string(salt) + "$" + base::Hex(base::HmacSha256(salt, password));
}

void AppendVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

}  // namespace

std::string WithoutFields(std::string_view body, uint64_t fields) {
  std::string rest;
  object::FieldWalker walker(body);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number > 63 || (fields >> field.number & 1) == 0) rest += field.raw;
  }
  return rest;
}

std::optional<std::string_view> TextOf(std::string_view body, uint32_t number) {
  object::FieldWalker walker(body);
  for (object::WireField field; walker.Next(&field);) {
    if (field.number == number && field.delimited) return field.bytes;
  }
  return std::nullopt;
}

std::string WithText(object::Kind kind, std::string_view body, uint32_t field,
                     std::string_view text) {
  std::string over;
  AppendVarint(uint64_t{field} << 3 | 2, &over);
  AppendVarint(text.size(), &over);
  over += text;
  return object::Overlay(kind, body, over);
}

uint32_t SecretField(object::Kind kind) {
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (field.secret) return field.number;
  }
  return 0;
}

uint64_t KeyFields(object::Kind kind) {
  uint64_t bits = 0;
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (field.key) bits |= uint64_t{1} << field.number;
  }
  return bits;
}

std::string HashPassword(std::string_view password) {
  return Stored(base::Hex(base::RandomBytes(8)), password);
}

bool Verifies(std::string_view stored, std::string_view password) {
  if (!stored.starts_with("$m$")) return false;
  const std::string_view rest = stored.substr(3);
  return Stored(rest.substr(0, rest.find('$')), password) == stored;
}

void HidePassword(object::Kind kind, std::string_view ledger_key, std::string* body,
                  uint64_t* unreadable) {
  const uint32_t field = SecretField(kind);
  if (field == 0) return;
  const auto stored = TextOf(*body, field);
  if (!stored) return;
  if (ledger_key.empty()) {  // nothing to hash it with, and it never leaves as it is
    *body = WithoutFields(*body, uint64_t{1} << field);
    *unreadable |= uint64_t{1} << field;
    return;
  }
  *body = WithText(kind, *body, field, "hmac:" + base::Hex(base::HmacSha256(ledger_key, *stored)));
}

}  // namespace postern::memory
