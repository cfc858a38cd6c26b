// Small surgery on canonical bodies.
#include <google/protobuf/message.h>

#include <algorithm>

#include "core/object/wire_fields.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

// Of a key: it signs, and opens nothing itself.
constexpr char kAuthority[] = "cert-authority";

void PutVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) *out += static_cast<char>(value | 0x80);
  *out += static_cast<char>(value);
}

}  // namespace

bool IsBaseline(object::Kind kind, std::string_view key) {
  return kind == object::Kind::kGrant && key.ends_with(
                                             "\x1f"
                                             "everyone");
}

bool GivesNobodyAnything(object::Kind kind, std::string_view before, std::string_view after) {
  constexpr uint32_t kRights = 5;
  return kind == object::Kind::kGrant && NumberIn(before, kRights) == 0 &&
         NumberIn(after, kRights) == 0;
}

std::string ReadDigest(object::Kind kind, std::string_view body) {
  return base::Hex(
      base::Sha256(Restrict(body, ~(SecretMask(kind) | object::ServerOwnedMask(kind)))));
}

bool FlagIn(std::string_view body, uint32_t number, bool unset) {
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == number) return field.varint != 0;
  }
  return unset;
}

uint32_t NumberIn(std::string_view body, uint32_t number) {
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == number) return static_cast<uint32_t>(field.varint);
  }
  return 0;
}

std::string_view TextIn(std::string_view body, uint32_t number) {
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == number) return field.bytes;
  }
  return {};
}

std::vector<std::string> SetIn(std::string_view body, uint32_t number) {
  std::vector<std::string> out;
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number != number) continue;
    for (const std::string_view element : object::Elements(field.bytes)) out.emplace_back(element);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string SetField(uint32_t number, std::span<const std::string> elements) {
  kinds::Strings strings;
  for (const std::string& element : elements) strings.add_values(element);
  const std::string bytes = strings.SerializeAsString();
  std::string out;
  PutVarint(number << 3 | 2, &out);
  PutVarint(bytes.size(), &out);
  return out + bytes;
}

bool MeetOfSets(uint32_t field, const std::string& before, const std::string& after,
                std::string* meet) {
  const std::vector<std::string> had = SetIn(before, field), has = SetIn(after, field);
  std::vector<std::string> both;
  bool some = false;
  // "*" holds every element: what meets it is the other set.
  const auto in = [](const std::vector<std::string>& set, const std::string& element) {
    return std::binary_search(set.begin(), set.end(), element) ||
           (!element.starts_with('!') && std::binary_search(set.begin(), set.end(), "*"));
  };
  for (const std::string& element : had) {
    some = some || (in(has, element) && !element.starts_with('!'));
    if (in(has, element) || element.starts_with('!')) both.push_back(element);
  }
  for (const std::string& element : has) {
    if (std::binary_search(had.begin(), had.end(), element)) continue;
    const bool excludes = element.starts_with('!');
    if (!excludes && !in(had, element)) continue;
    some = some || !excludes;
    both.push_back(element);
  }
  std::sort(both.begin(), both.end());
  *meet = SetField(field, both);
  if (field != kinds::SshKey::kOptionsFieldNumber) return some;
  // No option is an option too.
  return in(had, kAuthority) == in(has, kAuthority);
}

std::string WithoutEndOfLocked(object::Kind kind, std::string body) {
  if (kind != object::Kind::kAccount) return body;
  if (FlagIn(body, kinds::Account::kEnabledFieldNumber, true)) return body;
  return object::Restrict(body, ~(uint64_t{1} << kinds::Account::kExpiresFieldNumber));
}

std::string NeverField(uint32_t number) {
  std::string out;
  PutVarint(number << 3, &out);
  PutVarint(static_cast<uint64_t>(base::kForever), &out);
  return out;
}

std::string NoteIn(object::Kind kind, std::string_view body) {
  if (kind != object::Kind::kGrant) return "";
  object::FieldWalker walker(body);
  object::WireField field;
  while (walker.Next(&field)) {
    if (field.number == kinds::Grant::kNoteFieldNumber) return std::string(field.bytes);
  }
  return "";
}

std::string WithFlag(object::Kind kind, std::string_view body, uint32_t number, bool value) {
  std::string flag;
  flag += static_cast<char>(number << 3);
  flag += static_cast<char>(value ? 1 : 0);
  return object::Overlay(kind, body, flag);
}

}  // namespace postern::plan
