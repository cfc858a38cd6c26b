#include "core/object/object.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/reflection.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"
#include "core/object/wire_fields.h"
#include "schemas/kinds.pb.h"

namespace postern::object {
namespace {

using google::protobuf::Message;

// Asked for each object that is encoded, so the descriptor's options are looked at once.
const KindTable& TableOfMessage(const Message& message) {
  static const auto by_index = [] {
    std::vector<const KindTable*> tables(
        static_cast<size_t>(kinds::Ou::descriptor()->file()->message_type_count()));
    for (const KindTable& table : AllKinds()) tables[table.descriptor->index()] = &table;
    return tables;
  }();
  const auto* descriptor = message.GetDescriptor();
  POSTERN_CHECK(descriptor->file() == kinds::Ou::descriptor()->file(), "a message of no kind");
  const KindTable* table = by_index[static_cast<size_t>(descriptor->index())];
  POSTERN_CHECK(table != nullptr, "a message of no kind");
  return *table;
}

bool IsSortedSet(const kinds::Strings& set) {
  for (int i = 1; i < set.values_size(); ++i) {
    if (set.values(i - 1) >= set.values(i)) return false;
  }
  return true;
}

void SortSet(kinds::Strings* set) {
  std::vector<std::string> values(set->values().begin(), set->values().end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  set->clear_values();
  for (std::string& value : values) set->add_values(std::move(value));
}

// Calls `visit` with each set collection of the message.
template <class M, class Visit>
void VisitSets(const KindTable& table, M& message, const Visit& visit) {
  const auto* reflection = message.GetReflection();
  for (const FieldTable& field : table.fields) {
    if (field.collection && reflection->HasField(message, field.descriptor)) visit(field);
  }
}

std::string EncodeBodyOf(const KindTable& table, const Message& message) {
  bool sorted = true;
  VisitSets(table, message, [&](const FieldTable& field) {
    const auto& set = message.GetReflection()->GetMessage(message, field.descriptor);
    sorted = sorted && IsSortedSet(static_cast<const kinds::Strings&>(set));
  });
  if (sorted) return message.SerializeAsString();
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  VisitSets(table, *copy, [&](const FieldTable& field) {
    auto* set = copy->GetReflection()->MutableMessage(copy.get(), field.descriptor);
    SortSet(static_cast<kinds::Strings*>(set));
  });
  return copy->SerializeAsString();
}

std::string EncodeKeyOf(const KindTable& table, const Message& message) {
  std::string key, scratch;
  const auto* reflection = message.GetReflection();
  bool first = true;
  for (const FieldTable& field : table.fields) {
    if (!field.key) continue;
    POSTERN_CHECK(reflection->HasField(message, field.descriptor), "a key field is not set");
    if (!first) key += kKeySeparator;
    first = false;
    if (field.text) {
      const auto& text = reflection->GetStringReference(message, field.descriptor, &scratch);
      if (field.comparator == Comparator::kExact) {
        key += text;
      } else {
        key += Normalise(field.comparator, text);
      }
    } else {
      key += std::to_string(reflection->GetUInt32(message, field.descriptor));
    }
  }
  return key;
}

std::string JoinKey(std::string_view key, size_t from, std::string_view separator) {
  std::string text;
  size_t index = 0;
  for (std::string_view part : SplitKey(key)) {
    if (index++ < from) continue;
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

}  // namespace

Object Encode(const Message& message) {
  const KindTable& table = TableOfMessage(message);
  Object object;
  object.kind = table.kind;
  object.key = EncodeKeyOf(table, message);
  object.body = EncodeBodyOf(table, message);
  return object;
}

std::string EncodeBody(const Message& message) {
  return EncodeBodyOf(TableOfMessage(message), message);
}

std::string EncodeKey(const Message& message) {
  return EncodeKeyOf(TableOfMessage(message), message);
}

std::string MakeKey(Kind kind, std::initializer_list<std::string_view> parts) {
  std::string key;
  auto part = parts.begin();
  for (const FieldTable& field : TableOf(kind).fields) {
    if (!field.key) continue;
    POSTERN_CHECK(part != parts.end(), "a key with too few parts");
    if (part != parts.begin()) key += kKeySeparator;
    key += Normalise(field.comparator, *part++);
  }
  POSTERN_CHECK(part == parts.end(), "a key with too many parts");
  return key;
}

std::vector<std::string_view> SplitKey(std::string_view key) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = key.find(kKeySeparator);
    parts.push_back(key.substr(0, end));
    if (end == std::string_view::npos) return parts;
    key.remove_prefix(end + 1);
  }
}

bool Decode(std::string_view body, Message* message) {
  return message->ParseFromArray(body.data(), static_cast<int>(body.size())) &&
         message->GetReflection()->GetUnknownFields(*message).empty();
}

std::string Describe(Kind kind, std::string_view key) {
  const auto parts = SplitKey(key);
  const std::string name(NameOf(kind));
  switch (kind) {
    case Kind::kMembership:
      return name + " of " + std::string(parts[1]) + " in " + std::string(parts[0]);
    case Kind::kServerMembership:
      return name + " of " + std::string(parts[2]) + " in " + std::string(parts[0]) + "/" +
             std::string(parts[1]);
    case Kind::kAccount:
    case Kind::kServerGroup:
      return name + " " + JoinKey(key, 0, "/");
    case Kind::kGrant:
      if (parts[3] == "everyone") {
        return "baseline deny-all on " + std::string(parts[1]) + " at " + std::string(parts[0]);
      }
      return name + " " + std::string(parts[3]) + " on " + std::string(parts[1]) + " (" +
             std::string(parts[2]) + ") at " + std::string(parts[0]);
    case Kind::kSshKey:
      return name + " " + std::string(parts[2]) + " of " + std::string(parts[0]) + "/" +
             std::string(parts[1]);
    case Kind::kFolder:
      return name + " " + JoinKey(key, 1, "") + " on " + std::string(parts[0]);
    case Kind::kNativeRule:
      return "rule at " + JoinKey(key, 1, ":") + " (" + std::string(parts[0]) + ")";
    default:
      return name + " " + JoinKey(key, 0, " ");
  }
}

std::string Address(Kind kind, std::string_view key) {
  std::string address(NameOf(kind));
  address += ':';
  for (char c : key) address += c == kKeySeparator ? '|' : c;
  // A login or group name can't hold a slash, so these two read better with one.
  if (kind == Kind::kAccount || kind == Kind::kServerGroup) {
    std::replace(address.begin(), address.end(), '|', '/');
  }
  return address;
}

}  // namespace postern::object
