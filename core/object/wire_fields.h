// core/object/wire_fields.h: walking a canonical body field by field, without decoding it.
//
// Canonical bodies hold only varints and length-delimited fields in ascending order (object.h), so
// a walk is a few instructions a field. Pure; views point into the body.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace postern::object {

struct WireField {
  uint32_t number = 0;
  bool delimited = false;
  uint64_t varint = 0;     // when not delimited
  std::string_view bytes;  // when delimited
  std::string_view raw;    // tag and value
};

class FieldWalker {
 public:
  explicit FieldWalker(std::string_view body) : rest_(body) {}
  // False at the end, and for good when the body is malformed (then ok() is false).
  bool Next(WireField* field);
  bool ok() const { return ok_; }

 private:
  bool Varint(uint64_t* value);
  std::string_view rest_;
  bool ok_ = true;
};

// Elements of a wrapped set of strings.
std::vector<std::string_view> Elements(std::string_view collection);

}  // namespace postern::object
