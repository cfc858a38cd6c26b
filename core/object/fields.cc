#include "core/object/fields.h"

#include "core/object/wire_fields.h"

namespace postern::object {

std::string Restrict(std::string_view body, uint64_t mask) {
  std::string kept;
  kept.reserve(body.size());
  FieldWalker walker(body);
  WireField field;
  while (walker.Next(&field)) {
    if (mask >> (field.number & 63) & 1) kept += field.raw;
  }
  return kept;
}

uint64_t KeyMask(Kind kind) {
  uint64_t mask = 0;
  for (const FieldTable& field : TableOf(kind).fields) {
    if (field.key) mask |= uint64_t{1} << field.number;
  }
  return mask;
}

uint64_t SecretMask(Kind kind) {
  uint64_t mask = 0;
  for (const FieldTable& field : TableOf(kind).fields) {
    if (field.secret) mask |= uint64_t{1} << field.number;
  }
  return mask;
}

std::string_view SecretIn(Kind kind, std::string_view body) {
  const uint64_t mask = SecretMask(kind);
  if (mask == 0) return {};
  FieldWalker walker(body);
  WireField field;
  while (walker.Next(&field)) {
    if (mask >> (field.number & 63) & 1) return field.bytes;
  }
  return {};
}

}  // namespace postern::object
