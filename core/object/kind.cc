#include "core/object/kind.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>

#include "core/base/check.h"
#include "schemas/annotations.pb.h"
#include "schemas/kinds.pb.h"

namespace postern::object {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

FieldTable CompileField(const FieldDescriptor* descriptor) {
  const schema::FieldRule& rule = descriptor->options().GetExtension(schema::rule);
  FieldTable field;
  field.number = static_cast<uint32_t>(descriptor->number());
  field.name = descriptor->name();
  field.doc = rule.doc();
  field.key = rule.key();
  field.secret = rule.secret();
  field.server_owned = rule.server_owned();
  field.clears = rule.clears();
  field.comparator = static_cast<Comparator>(rule.comparator());
  field.direction = static_cast<Direction>(rule.direction());
  field.descriptor = descriptor;
  field.collection = descriptor->type() == FieldDescriptor::TYPE_MESSAGE;
  field.text = descriptor->type() == FieldDescriptor::TYPE_STRING;
  field.boolean = descriptor->type() == FieldDescriptor::TYPE_BOOL;
  field.instant = descriptor->type() == FieldDescriptor::TYPE_INT64;
  POSTERN_CHECK(field.number < 64, "field numbers are bits of a mask");
  POSTERN_CHECK(field.collection || field.text || field.boolean || field.instant ||
                    descriptor->type() == FieldDescriptor::TYPE_UINT32,
                "a field type without a canonical encoding");
  POSTERN_CHECK(field.collection || descriptor->has_presence(), "a scalar without presence");
  return field;
}

std::vector<KindTable> CompileAll() {
  std::vector<KindTable> tables;
  const auto* file = kinds::Ou::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) {
    const Descriptor* descriptor = file->message_type(i);
    const schema::KindRule& rule = descriptor->options().GetExtension(schema::kind);
    if (rule.number() == 0) continue;
    KindTable table;
    table.kind = static_cast<Kind>(rule.number());
    table.name = rule.name();
    table.doc = rule.doc();
    table.bears_access = rule.bears_access();
    table.observed_only = rule.observed_only();
    table.on_removal = static_cast<OnRemoval>(rule.on_removal());
    table.descriptor = descriptor;
    for (int f = 0; f < descriptor->field_count(); ++f) {
      table.fields.push_back(CompileField(descriptor->field(f)));
    }
    std::sort(table.fields.begin(), table.fields.end(),
              [](const FieldTable& a, const FieldTable& b) { return a.number < b.number; });
    tables.push_back(std::move(table));
  }
  return tables;
}

const std::vector<KindTable>& Tables() {
  static const std::vector<KindTable> tables = CompileAll();
  return tables;
}

constexpr size_t kMaxKind = 32;

const std::array<const KindTable*, kMaxKind>& ByNumber() {
  static const auto index = [] {
    std::array<const KindTable*, kMaxKind> result{};
    for (const KindTable& table : Tables()) result.at(static_cast<size_t>(table.kind)) = &table;
    return result;
  }();
  return index;
}

}  // namespace

const FieldTable* KindTable::Find(uint32_t number) const {
  // Field numbers are dense, so the first guess nearly always holds.
  if (number >= 1 && number <= fields.size() && fields[number - 1].number == number) {
    return &fields[number - 1];
  }
  for (const FieldTable& field : fields) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

const KindTable& TableOf(Kind kind) {
  const KindTable* table = FindKind(static_cast<uint32_t>(kind));
  POSTERN_CHECK(table != nullptr, "an object kind without a table");
  return *table;
}

const KindTable* FindKind(uint32_t number) {
  return number < kMaxKind ? ByNumber()[number] : nullptr;
}

const KindTable* FindKind(std::string_view name) {
  for (const KindTable& table : Tables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

std::span<const KindTable> AllKinds() {
  return Tables();
}

}  // namespace postern::object
