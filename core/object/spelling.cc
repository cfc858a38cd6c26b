#include "core/object/spelling.h"

#include "core/object/kind.h"
#include "core/object/wire_fields.h"

namespace postern::object {

std::string SpelledKey(Kind kind, std::string_view key, std::string_view body) {
  std::string spelled;
  const auto parts = SplitKey(key);
  size_t part = 0;
  for (const FieldTable& table : TableOf(kind).fields) {
    if (!table.key) continue;
    if (part >= parts.size()) return std::string(key);
    std::string_view text = parts[part];
    if (table.comparator == Comparator::kCaseIgnore) {
      FieldWalker walker(body);
      for (WireField field; walker.Next(&field);) {
        if (field.number != table.number) continue;
        if (Normalise(table.comparator, field.bytes) == text) text = field.bytes;
        break;
      }
    }
    if (part++ > 0) spelled += kKeySeparator;
    spelled += text;
  }
  return spelled;
}

std::string DescribeSpelled(Kind kind, std::string_view key, std::string_view body) {
  return Describe(kind, SpelledKey(kind, key, body));
}

}  // namespace postern::object
