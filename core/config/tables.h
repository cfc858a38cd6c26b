// core/config/tables.h: what may be written in TOML, compiled once from the annotated descriptors
// of schemas/declarations.proto. Loader, JSON Schema and reference text all read these tables.
//
// Immutable after the first call; any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/annotations.pb.h"

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace postern::config {

enum class ValueType : uint8_t { kText, kBool, kNumber, kInstant, kTexts, kTable, kTables };

struct Table;

// One key of a table.
struct Field {
  std::string name;
  std::string doc;
  int number = 0;
  size_t index = 0;  // in Table::fields
  ValueType type = ValueType::kText;
  schema::Format format = schema::TEXT;
  bool required = false;
  bool operator_only = false;
  std::vector<std::string> references;  // tables that may be named; with ADDRESS as "table:name"
  std::vector<std::string> allowed;
  const Table* nested = nullptr;  // of an inline table, or of the elements of a list of such
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
};

struct Table {
  std::string name;  // "account"; of an inline table its message's name in lower case; "" top level
  std::string address;  // the word before the colon where one is named: "service"; mostly the name
  std::string doc;
  bool operator_file = false;
  bool array = false;
  bool inline_only = false;
  bool top_level = false;        // keys at the top of the operator's file
  bool named = false;            // [table.NAME]
  int name_field = 0;            // number of the field that takes NAME
  bool name_is_plain = false;    // NAME has the format NAME (a secret's name may be a pattern)
  const Field* empty = nullptr;  // the field that says that an empty list is meant
  const Field* plain = nullptr;  // of an element: the field that a plain text in its place gives
  std::vector<Field> fields;     // keys in TOML, in the order of the message; at most 64
  const google::protobuf::Descriptor* descriptor = nullptr;

  const Field* Find(std::string_view key) const;
  // "[account.NAME]", "[[grant]]", "the top of the operator's file"
  std::string Heading(std::string_view declaration = "NAME") const;
};

const std::vector<const Table*>& AllTables();  // inline tables too, in the order of the schema
// A table that can stand in a file by itself; null: no such one.
const Table* FindTable(std::string_view name);
// The one whose declarations are named WORD:NAME; null: no such one.
const Table* FindAddressed(std::string_view word);
const Table& OperatorTable();  // the keys at the top of the operator's file

}  // namespace postern::config
