#include "core/object/wire_fields.h"

namespace postern::object {

bool FieldWalker::Varint(uint64_t* value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return ok_ = false;
}

bool FieldWalker::Next(WireField* field) {
  if (!ok_ || rest_.empty()) return false;
  const char* start = rest_.data();
  uint64_t tag = 0;
  if (!Varint(&tag)) return false;
  field->number = static_cast<uint32_t>(tag >> 3);
  field->delimited = (tag & 7) == 2;
  if (!field->delimited && (tag & 7) != 0) return ok_ = false;
  uint64_t value = 0;
  if (!Varint(&value)) return false;
  if (field->delimited) {
    if (value > rest_.size()) return ok_ = false;
    field->bytes = rest_.substr(0, value);
    rest_.remove_prefix(value);
  } else {
    field->varint = value;
  }
  field->raw = std::string_view(start, static_cast<size_t>(rest_.data() - start));
  return true;
}

std::vector<std::string_view> Elements(std::string_view collection) {
  std::vector<std::string_view> elements;
  FieldWalker walker(collection);
  WireField field;
  while (walker.Next(&field)) {
    if (field.delimited) elements.push_back(field.bytes);
  }
  return elements;
}

}  // namespace postern::object
