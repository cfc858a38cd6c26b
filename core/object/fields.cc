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

namespace {

template <class Has>
uint64_t MaskOf(Kind kind, Has has) {
  uint64_t mask = 0;
  for (const FieldTable& field : TableOf(kind).fields) {
    if (has(field)) mask |= uint64_t{1} << field.number;
  }
  return mask;
}

}  // namespace

uint64_t SecretMask(Kind kind) {
  return MaskOf(kind, [](const FieldTable& field) { return field.secret; });
}

uint64_t ServerOwnedMask(Kind kind) {
  return MaskOf(kind, [](const FieldTable& field) { return field.server_owned; });
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
