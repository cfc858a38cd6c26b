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

// Hands the message with its sets sorted to `use`: itself, or a copy.
template <class Use>
void WithSortedSets(const KindTable& table, const Message& message, const Use& use) {
  bool sorted = true;
  VisitSets(table, message, [&](const FieldTable& field) {
    const auto& set = message.GetReflection()->GetMessage(message, field.descriptor);
    sorted = sorted && IsSortedSet(static_cast<const kinds::Strings&>(set));
  });
  if (sorted) return use(message);
  const std::unique_ptr<Message> copy(message.New());
  copy->CopyFrom(message);
  VisitSets(table, *copy, [&](const FieldTable& field) {
    auto* set = copy->GetReflection()->MutableMessage(copy.get(), field.descriptor);
    SortSet(static_cast<kinds::Strings*>(set));
  });
  use(*copy);
}

std::string EncodeBodyOf(const KindTable& table, const Message& message) {
  std::string body;
  WithSortedSets(table, message, [&](const Message& sorted) { body = sorted.SerializeAsString(); });
  return body;
}

// Key fields come in the order of their numbers in both the table and the body.
void AppendKeyOf(const KindTable& table, std::string_view body, std::string* key) {
  FieldWalker walker(body);
  WireField at;
  bool more = walker.Next(&at), first = true;
  for (const FieldTable& field : table.fields) {
    if (!field.key) continue;
    while (more && at.number < field.number) more = walker.Next(&at);
    POSTERN_CHECK(more && at.number == field.number, "a key field is not set");
    if (!first) *key += kKeySeparator;
    first = false;
    if (!field.text) {
      *key += std::to_string(at.varint);
    } else if (field.comparator == Comparator::kExact) {
      *key += at.bytes;
    } else {
      *key += Normalise(field.comparator, at.bytes);
    }
  }
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
  object.body = EncodeBodyOf(table, message);
  AppendKeyOf(table, object.body, &object.key);
  return object;
}

ObjectView Encode(const Message& message, Arena* arena) {
  const KindTable& table = TableOfMessage(message);
  ObjectView object;
  object.kind = table.kind;
  WithSortedSets(table, message, [&](const Message& sorted) {
    const size_t size = sorted.ByteSizeLong();
    char* to = arena->Take(size);
    sorted.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(to));
    object.body = {to, size};
  });
  thread_local std::string key;
  key.clear();
  AppendKeyOf(table, object.body, &key);
  object.key = arena->Copy(key);
  return object;
}

std::string EncodeBody(const Message& message) {
  return EncodeBodyOf(TableOfMessage(message), message);
}

std::string EncodeKey(const Message& message) {
  return Encode(message).key;
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

bool IsOtherId(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return false;
  const size_t dot_a = a.find('.'), dot_b = b.find('.');
  if ((dot_a == std::string_view::npos) != (dot_b == std::string_view::npos)) {
    return a.substr(0, dot_a) != b.substr(0, dot_b);
  }
  return a != b;
}

KeyParts SplitKey(std::string_view key) {
  KeyParts parts;
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

std::pair<std::string_view, std::string_view> SplitTyped(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {{}, text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::string Spoken(std::string_view word) {
  std::string out(word);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

std::string Describe(Kind kind, std::string_view key) {
  const auto parts = SplitKey(key);
  std::string name(NameOf(kind));
  std::replace(name.begin(), name.end(), '_', ' ');
  switch (kind) {
    case Kind::kMembership:
      return name + " of " + std::string(parts[1]) + " in " + std::string(parts[0]);
    case Kind::kIamMembership: {
      const auto [type, member] = SplitTyped(parts[1]);
      const auto [set_type, set] = SplitTyped(parts[0]);
      return "membership of " + (type == "user" ? "" : Spoken(type) + " ") + std::string(member) +
             " in " + Spoken(set_type) + " " + std::string(set);
    }
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
      return "rule at " + (parts[2] == "0" ? std::string(parts[1]) : JoinKey(key, 1, ":")) + " (" +
             std::string(parts[0]) + ")";
    case Kind::kServerConfig:
      return "file " + JoinKey(key, 1, "") + " of " + std::string(parts[0]);
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
