// What a shape must be, before anything is read or written by it.
#include <fmt/format.h>
#include <libxml/tree.h>
#include <re2/re2.h>

#include <set>

#include "core/diag/text.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

bool IsXmlName(const std::string& name) {
  return xmlValidateNCName(reinterpret_cast<const xmlChar*>(name.c_str()), 0) == 0;
}

// RFC 4512: a name, with options after semicolons.
bool IsAttributeName(const std::string& name) {
  static const RE2 form("[A-Za-z][A-Za-z0-9-]*(;[A-Za-z0-9-]+)*");
  return RE2::FullMatch(name, form);
}

std::string NameFault(const Shape& shape, const std::string& name) {
  if (name.empty()) return "a column has no name";
  if (FirstNotUtf8(name) || diag::HasHidden(name)) {
    return fmt::format("column {}: characters that can't be seen", diag::Printable(name));
  }
  if (shape.format == Format::kXml && !IsXmlName(name)) {
    return fmt::format("column {}: not the name of an XML element", name);
  }
  if (shape.format == Format::kLdif && !IsAttributeName(name)) {
    return fmt::format("column {}: not the name of an LDAP attribute", name);
  }
  return {};
}

std::string ColumnFault(const Shape& shape, const Column& column) {
  std::string fault = NameFault(shape, column.name);
  if (!fault.empty()) return fault;
  if (column.key && column.type != Type::kText) {
    return fmt::format("column {}: only text can be a key", column.name);
  }
  if (column.type == Type::kList && column.separator.empty()) {
    return fmt::format("column {}: a list needs a separator", column.name);
  }
  if (!FindZone(column.zone)) {
    return fmt::format("column {}: no time zone {}", column.name, column.zone);
  }
  const RE2 pattern(column.pattern, RE2::Quiet);
  if (!pattern.ok()) {
    return fmt::format("column {}: pattern: {}", column.name, pattern.error());
  }
  return {};
}

std::string FormatFault(const Shape& shape) {
  const bool utf8 = shape.encoding == Encoding::kUtf8;
  switch (shape.format) {
    case Format::kCsv:
      for (const char c : {shape.delimiter, shape.quote}) {
        if (c < 0x20 && c != '\t') return "a delimiter or quote that can't be seen";
        if (c == 0x7f) return "a delimiter or quote that can't be seen";
      }
      return shape.delimiter == shape.quote ? "delimiter and quote are one" : "";
    case Format::kXml:
      for (const std::string& name : {shape.root, shape.element, shape.item, shape.operation}) {
        if (!IsXmlName(name)) return fmt::format("\"{}\" isn't the name of an XML element", name);
      }
      return {};
    case Format::kJson:
    case Format::kJsonLines:
      return utf8 ? "" : "JSON is UTF-8 without a mark (RFC 8259)";
    case Format::kLdif:
      if (!utf8) return "LDIF is UTF-8 without a mark (RFC 2849)";
      if (!shape.columns.front().key || shape.columns.front().name != "dn") {
        return "the first column of LDIF is its key, dn";
      }
      return {};
  }
  return {};
}

}  // namespace

std::string ShapeFault(const Shape& shape) {
  std::set<std::string> names;
  if (shape.mode == Mode::kDelta && shape.format != Format::kLdif) names.insert(shape.operation);
  size_t keys = 0;
  for (const Column& column : shape.columns) {
    std::string fault = ColumnFault(shape, column);
    if (!fault.empty()) return fault;
    if (!names.insert(column.name).second) {
      return fmt::format("two columns are called {}", column.name);
    }
    keys += column.key;
  }
  if (keys == 0) return "no column is the key";
  if (shape.format == Format::kLdif && keys != 1) return "the key of LDIF is dn alone";
  return FormatFault(shape);
}

bool LooksLikeFormula(std::string_view text) {
  if (text.empty()) return false;
  switch (text.front()) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
    case '\0':
      return true;
    default:
      return false;
  }
}

}  // namespace postern::jobs::internal
