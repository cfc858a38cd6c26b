#include "core/config/json_schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/config/tables.h"

namespace postern::config {
namespace {

using Json = nlohmann::ordered_json;

// The form of a text as a regular expression (ECMA 262) that is never narrower than the loader's.
std::string PatternOf(const Field& field) {
  switch (field.format) {
    case schema::ABSOLUTE_PATH:
      return "^/";
    case schema::SECRET_NAME:
      return "^secret:.+$";
    case schema::SSH_KEY:
      return "^(ssh|ecdsa|sk)-[^ ]+ [A-Za-z0-9+/=]+( .*)?$";
    case schema::LOGIN:
      return "^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$";
    case schema::MODE:
      return "^[0-7]{3,4}$";
    case schema::DN_TEXT:
      return "^[^=]+=.+$";
    case schema::EMAIL:
      return "^[^@ ]+@[^@ ]+$";
    case schema::SOURCE:
      return "^[A-Za-z0-9.:*?/_-]+$";
    case schema::ADDRESS: {
      std::string kinds;
      for (const std::string& table : field.references) kinds += (kinds.empty() ? "" : "|") + table;
      return "^(" + kinds + "):.+$";
    }
    default:
      return {};
  }
}

Json TextOf(const Field& field) {
  Json json;
  json["type"] = "string";
  if (!field.allowed.empty()) json["enum"] = field.allowed;
  if (const std::string pattern = PatternOf(field); !pattern.empty()) json["pattern"] = pattern;
  return json;
}

Json ObjectOf(const Table& table);

Json ValueOf(const Table& table, const Field& field) {
  Json json;
  switch (field.type) {
    case ValueType::kText:
      json = TextOf(field);
      break;
    case ValueType::kBool:
      json["type"] = "boolean";
      break;
    case ValueType::kNumber:
      json["type"] = "integer";
      json["minimum"] = 0;
      json["maximum"] = field.name.ends_with("_percent") ? 100 : UINT32_MAX - 1;
      break;
    case ValueType::kInstant:  // a TOML date or time; editors hand it to the schema as text
      json["type"] = "string";
      json["pattern"] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*(Z|z|[+-][0-9]{2}:[0-9]{2}))?$";
      break;
    case ValueType::kTexts:
      json["type"] = "array";
      json["items"] = TextOf(field);
      if (!table.empty) json["minItems"] = 1;
      break;
    case ValueType::kTables: {
      json["type"] = "array";
      Json element = ObjectOf(*field.nested);
      if (field.nested->plain) {
        json["items"]["anyOf"] = Json::array({TextOf(*field.nested->plain), std::move(element)});
      } else {
        json["items"] = std::move(element);
      }
      if (!table.empty) json["minItems"] = 1;
      break;
    }
    case ValueType::kTable:
      json = ObjectOf(*field.nested);
      break;
  }
  if (!field.doc.empty()) json["description"] = field.doc;
  return json;
}

Json ObjectOf(const Table& table) {
  Json json;
  json["type"] = "object";
  if (!table.doc.empty()) json["description"] = table.doc;
  json["additionalProperties"] = false;
  Json required = Json::array();
  json["properties"] = Json::object();
  for (const Field& field : table.fields) {
    json["properties"][field.name] = ValueOf(table, field);
    if (field.required) required.push_back(field.name);
  }
  if (!required.empty()) json["required"] = std::move(required);
  return json;
}

std::string_view TypeName(ValueType type) {
  switch (type) {
    case ValueType::kText:
      return "text";
    case ValueType::kBool:
      return "true or false";
    case ValueType::kNumber:
      return "number";
    case ValueType::kInstant:
      return "date or time";
    case ValueType::kTexts:
    case ValueType::kTables:
      return "list";
    case ValueType::kTable:
      return "table";
  }
  return "";
}

std::string Joined(const std::vector<std::string>& words, std::string_view after = "") {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
    out += after;
  }
  return out;
}

void AddKeys(const Table& table, std::string_view indent, std::string* out) {
  for (const Field& field : table.fields) {
    *out += fmt::format("{}{:<16}{:<14}{}{}\n", indent, field.name, TypeName(field.type),
                        field.required ? "required; " : "", field.doc);
    const std::string further = fmt::format("{}{:30}", indent, "");
    if (!field.allowed.empty()) *out += further + "one of: " + Joined(field.allowed) + "\n";
    if (field.format == schema::ADDRESS) {
      *out += further + "names: " + Joined(field.references, ":NAME") + "\n";
    } else if (!field.references.empty()) {
      *out += further + "names a " + field.references.front() + "\n";
    }
    if (field.nested) AddKeys(*field.nested, std::string(indent) + "  ", out);
  }
}

std::string ReferenceOf(const Table& table) {
  std::string out =
      fmt::format("{}   {}\n", table.top_level ? "(top level)" : table.Heading(), table.doc);
  out +=
      fmt::format("  in {}\n", table.operator_file ? "the operator's file" : "the reviewed tree");
  if (table.address != table.name) out += fmt::format("  named {}:NAME\n", table.address);
  AddKeys(table, "  ", &out);
  return out;
}

}  // namespace

std::string JsonSchema(bool operator_file) {
  Json json;
  json["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  json["title"] = operator_file ? "Postern: the operator's file" : "Postern: the reviewed tree";
  json["type"] = "object";
  json["additionalProperties"] = false;
  json["properties"] = Json::object();
  Json& properties = json["properties"];
  if (operator_file) {
    for (const Field& field : OperatorTable().fields) {
      properties[field.name] = ValueOf(OperatorTable(), field);
    }
  }
  for (const Table* table : AllTables()) {
    if (table->inline_only || table->top_level || table->operator_file != operator_file) continue;
    Json one;
    if (table->array) {
      one["type"] = "array";
      one["items"] = ObjectOf(*table);
    } else {
      one["type"] = "object";
      one["additionalProperties"] = ObjectOf(*table);
    }
    one["description"] = table->doc;
    properties[table->name] = std::move(one);
  }
  return json.dump(2) + "\n";
}

std::string Reference(std::string_view name) {
  std::string out;
  for (const Table* table : AllTables()) {
    if (table->inline_only || (!name.empty() && table->name != name)) continue;
    if (!out.empty()) out += '\n';
    out += ReferenceOf(*table);
  }
  return out;
}

}  // namespace postern::config
