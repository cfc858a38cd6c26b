#include "core/jobs/format/table.h"

#include "core/diag/text.h"

namespace postern::jobs {
namespace {
constexpr char kUnitSeparator = '\x1f';
constexpr size_t kShown = 80;
}  // namespace

std::string_view ToString(Operation operation) {
  switch (operation) {
    case Operation::kAdd:
      return "add";
    case Operation::kModify:
      return "modify";
    case Operation::kDelete:
      return "delete";
    case Operation::kNone:
      break;
  }
  return "";
}

bool ParseOperation(std::string_view text, Operation* out) {
  for (const auto operation : {Operation::kAdd, Operation::kModify, Operation::kDelete}) {
    if (text != ToString(operation)) continue;
    *out = operation;
    return true;
  }
  return false;
}

void AppendKey(const Shape& shape, const Row& row, std::string* out) {
  bool first = true;
  for (size_t i = 0; i < shape.columns.size(); ++i) {
    if (!shape.columns[i].key) continue;
    if (!first) *out += kUnitSeparator;
    first = false;
    out->append(row.cells[i].text);
  }
}

std::string ShownKey(std::string_view key) {
  std::string out(key.substr(0, kShown));
  for (char& c : out) {
    if (c == kUnitSeparator) c = ' ';
  }
  // A code point that the cut went through isn't shown.
  size_t whole = out.size();
  if (key.size() > kShown) {
    while (whole > 0 && (static_cast<unsigned char>(key[whole]) & 0xC0) == 0x80) --whole;
    out.resize(whole);
    out += "...";
  }
  return diag::Printable(out);
}

}  // namespace postern::jobs
