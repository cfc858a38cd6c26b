// core/view/json_writer.h: JSON written piece by piece, so that a plan of a million changes is
// never held a second time as text.
//
// Indented by two like the rest of our JSON. Calls nest properly or the writer aborts (our bug).
// Not thread-safe. Text that isn't UTF-8 is written with the broken bytes as \x{FF}; control and
// bidi characters are escaped, so that the output can go to a terminal.
#pragma once
#include <concepts>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace postern::view {

class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  JsonWriter& Object() { return Open('{'); }
  JsonWriter& Array() { return Open('['); }
  JsonWriter& End();  // of the innermost object or array
  JsonWriter& Key(std::string_view key);

  JsonWriter& Value(std::string_view text);
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  JsonWriter& Value(bool value) { return Raw(value ? "true" : "false"); }
  template <std::integral I>
  JsonWriter& Value(I number) {
    return Raw(std::to_string(number));
  }
  JsonWriter& Null() { return Raw("null"); }
  // RFC 3339; null for a moment that isn't one (never, always, not known).
  JsonWriter& Time(base::Instant at);

  template <class V>
  JsonWriter& Field(std::string_view key, const V& value) {
    return Key(key).Value(value);
  }
  // Left out when empty.
  JsonWriter& Optional(std::string_view key, std::string_view text) {
    return text.empty() ? *this : Key(key).Value(text);
  }
  JsonWriter& TimeField(std::string_view key, base::Instant at) { return Key(key).Time(at); }
  JsonWriter& Strings(std::string_view key, const std::vector<std::string>& values);

 private:
  struct Level {
    char close;
    bool empty = true;
  };
  JsonWriter& Open(char bracket);
  JsonWriter& Raw(std::string_view text);
  void Separate();
  void NewLine();
  void Quote(std::string_view text);

  std::ostream& out_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace postern::view
