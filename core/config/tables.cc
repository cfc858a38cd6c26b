#include "core/config/tables.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/base/check.h"
#include "schemas/declarations.pb.h"
#include "schemas/job_declarations.pb.h"

namespace postern::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    if (end != 0) words.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return words;
}

// The message of a list's elements, where the field is a wrapper of such a list.
const Descriptor* ElementOf(const FieldDescriptor& field) {
  const Descriptor* wrapper = field.message_type();
  if (wrapper->options().HasExtension(schema::declaration)) return nullptr;
  POSTERN_CHECK(wrapper->field_count() == 1 && wrapper->field(0)->is_repeated(),
                "a wrapper holds one list");
  return wrapper->field(0)->message_type();
}

ValueType TypeOf(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_STRING:
      return ValueType::kText;
    case FieldDescriptor::TYPE_BOOL:
      return ValueType::kBool;
    case FieldDescriptor::TYPE_UINT32:
      return ValueType::kNumber;
    case FieldDescriptor::TYPE_INT64:
      return ValueType::kInstant;
    case FieldDescriptor::TYPE_MESSAGE:
      if (field.message_type() == decl::Strings::descriptor()) return ValueType::kTexts;
      return ElementOf(field) != nullptr ? ValueType::kTables : ValueType::kTable;
    default:
      break;
  }
  POSTERN_CHECK(false, "a declaration has a field of a type that TOML doesn't have");
}

class Compiler {
 public:
  Compiler() {
    for (const auto* file :
         {decl::Operator::descriptor()->file(), decl::Export::descriptor()->file()}) {
      for (int i = 0; i < file->message_type_count(); ++i) {
        const Descriptor* message = file->message_type(i);
        if (message->options().HasExtension(schema::declaration)) Compile(message);
      }
    }
  }

  std::vector<const Table*> all;
  std::map<std::string, const Table*, std::less<>> by_name, by_address;
  const Table* top = nullptr;

 private:
  const Table* Compile(const Descriptor* message) {
    auto& slot = done_[message];
    if (slot) return slot.get();
    slot = std::make_unique<Table>();
    Table& table = *slot;
    const auto& rule = message->options().GetExtension(schema::declaration);
    table.descriptor = message;
    table.doc = rule.doc();
    table.operator_file = rule.operator_file();
    table.array = rule.array();
    table.inline_only = rule.inline_only();
    table.top_level = rule.table().empty() && !rule.inline_only();
    table.name = rule.inline_only() ? Lower(message->name()) : rule.table();
    table.address = rule.address().empty() ? table.name : rule.address();
    for (int i = 0; i < message->field_count(); ++i) AddField(*message->field(i), &table);
    POSTERN_CHECK(table.fields.size() <= 64, "seen keys are bits of a mask");
    for (const Field& field : table.fields) {
      if (field.name == "empty") table.empty = &field;
      if (field.name == rule.plain()) table.plain = &field;
    }
    all.push_back(&table);
    if (table.top_level) top = &table;
    if (!table.inline_only && !table.top_level) {
      by_name[table.name] = &table;
      by_address[table.address] = &table;
    }
    return &table;
  }

  static std::string Lower(std::string text) {
    for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return text;
  }

  void AddField(const FieldDescriptor& descriptor, Table* table) {
    const auto& rule = descriptor.options().GetExtension(schema::rule);
    if (rule.key()) {  // NAME of the heading
      table->named = true;
      table->name_field = descriptor.number();
      table->name_is_plain = rule.format() == schema::NAME;
      return;
    }
    Field field;
    field.name = descriptor.name();
    field.doc = rule.doc();
    field.number = descriptor.number();
    field.index = table->fields.size();
    field.type = TypeOf(descriptor);
    field.format = rule.format();
    field.required = rule.required();
    field.operator_only = rule.operator_only();
    field.references = Words(rule.reference());
    field.allowed = Words(rule.allowed());
    field.descriptor = &descriptor;
    POSTERN_CHECK(field.references.size() < 2 || field.format == schema::ADDRESS,
                  "a reference to several tables must say which");
    if (field.type == ValueType::kTable) field.nested = Compile(descriptor.message_type());
    if (field.type == ValueType::kTables) field.nested = Compile(ElementOf(descriptor));
    table->fields.push_back(std::move(field));
  }

  std::map<const Descriptor*, std::unique_ptr<Table>> done_;
};

const Compiler& Compiled() {
  static const Compiler compiled;
  return compiled;
}

}  // namespace

const Field* Table::Find(std::string_view key) const {
  for (const Field& field : fields) {
    if (field.name == key) return &field;
  }
  return nullptr;
}

std::string Table::Heading(std::string_view declaration) const {
  if (top_level) return "the top of the operator's file";
  if (array) return "[[" + name + "]]";
  if (inline_only) return name;
  return "[" + name + "." + std::string(declaration) + "]";
}

const std::vector<const Table*>& AllTables() {
  return Compiled().all;
}

const Table* FindTable(std::string_view name) {
  const auto& tables = Compiled().by_name;
  const auto at = tables.find(name);
  return at == tables.end() ? nullptr : at->second;
}

const Table* FindAddressed(std::string_view word) {
  const auto& tables = Compiled().by_address;
  const auto at = tables.find(word);
  return at == tables.end() ? nullptr : at->second;
}

const Table& OperatorTable() {
  return *Compiled().top;
}

}  // namespace postern::config
