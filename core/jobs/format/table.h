// core/jobs/format/table.h: what a file of rows is, whatever it is written in.
//
// A cell is text in one canonical form; its column's type says how each format spells it.
// Canonical: booleans "true" and "false", times RFC 3339 in UTC with whole seconds, text as it
// stands (UTF-8). Cells and rows are views: whoever hands a row out owns its bytes until the call
// returns. Sources: RFC 4180 (CSV), RFC 8259 (JSON), RFC 2849 (LDIF), XML 1.0.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"

namespace postern::jobs {

enum class Format : uint8_t { kCsv, kXml, kJson, kJsonLines, kLdif };
enum class Encoding : uint8_t { kUtf8, kUtf8Bom, kLatin1, kWindows1252, kUtf16Le, kUtf16Be };
enum class Mode : uint8_t { kFull, kDelta };
// What a row of a delta does; a row of a full file does none of it.
enum class Operation : uint8_t { kNone, kAdd, kModify, kDelete };
enum class Type : uint8_t { kText, kList, kBoolean, kTime };

struct Column {
  std::string name;
  Type type = Type::kText;
  bool key = false;             // of the row; several columns together may be it
  bool required = false;        // a key is always
  uint32_t max_length = 4096;   // code points, of each element of a list
  bool any_text = false;        // may hold line breaks and characters that can't be seen
  std::string pattern;          // RE2, matched against the whole value; empty: any
  std::string separator = "|";  // between the elements of a list where the format has no lists
  std::string time_format;      // strftime's letters; empty: RFC 3339, or a plain date (read)
  std::string zone = "UTC";     // of time_format
};

// What writer and reader have to agree on.
struct Shape {
  Format format = Format::kCsv;
  Encoding encoding = Encoding::kUtf8;  // JSON and LDIF are UTF-8 by their standards
  Mode mode = Mode::kFull;
  std::vector<Column> columns;   // their order is that of the file
  std::string operation = "op";  // column, attribute or member with the operation of a delta's row
  // CSV
  char delimiter = ',';
  char quote = '"';
  bool header = true;
  // XML
  std::string root = "rows", element = "row", item = "item";
};

// What a file says about itself where its format has a place for that (not in CSV). 0: not said.
struct Head {
  Mode mode = Mode::kFull;
  uint64_t sequence = 0;
  uint64_t base_sequence = 0;  // of a delta: the state that it is added to
  base::Instant generated = 0;
};

struct Cell {
  // Absent: the row doesn't speak of it. Empty: it says that there is none. CSV knows only empty.
  enum class State : uint8_t { kAbsent, kEmpty, kOne, kList };
  State state = State::kAbsent;
  std::string_view text;                    // kOne
  std::span<const std::string_view> items;  // kList, in the order of the file

  static Cell One(std::string_view text) { return {State::kOne, text, {}}; }
  static Cell List(std::span<const std::string_view> items) { return {State::kList, {}, items}; }
  static Cell Empty() { return {State::kEmpty, {}, {}}; }
};

struct Row {
  Operation operation = Operation::kNone;
  std::span<const Cell> cells;  // one for each column
};

std::string_view ToString(Operation operation);  // "add", "modify", "delete", ""
bool ParseOperation(std::string_view text, Operation* out);
// The key of a row as one text; what stands between its parts can't stand in them (0x1f).
void AppendKey(const Shape& shape, const Row& row, std::string* out);
// For messages: the parts with blanks between, shortened.
std::string ShownKey(std::string_view key);

}  // namespace postern::jobs
