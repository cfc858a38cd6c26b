#include "providers/memory/edit.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/base/time.h"
#include "providers/memory/body.h"
#include "providers/memory/world.h"
#include "schemas/kinds.pb.h"

namespace postern::memory {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using object::FieldTable;
using object::KindTable;
using Arguments = std::span<const std::string>;

std::unique_ptr<Message> NewMessage(const KindTable& table) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(table.descriptor)->New());
}

std::vector<const FieldTable*> KeyFieldsOf(const KindTable& table) {
  std::vector<const FieldTable*> keys;
  for (const FieldTable& field : table.fields) {
    if (field.key) keys.push_back(&field);
  }
  return keys;
}

const FieldTable* FindField(const KindTable& table, std::string_view name) {
  const auto found = std::find_if(table.fields.begin(), table.fields.end(),
                                  [&](const FieldTable& field) { return field.name == name; });
  return found == table.fields.end() ? nullptr : &*found;
}

kinds::Strings SplitSet(std::string_view value) {
  kinds::Strings set;
  while (!value.empty()) {
    const size_t comma = value.find(',');
    set.add_values(std::string(value.substr(0, comma)));
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
  }
  return set;
}

// Seconds, or a time in RFC 3339; an octal number for a mode ("0750").
int64_t ParseInteger(const std::string& value) {
  if (const auto at = base::ParseInstant(value)) return *at;
  return std::strtoll(value.c_str(), nullptr, 0);
}

Result<void> SetField(const FieldTable& field, const std::string& value, Message* message) {
  const auto* reflection = message->GetReflection();
  const FieldDescriptor* to = field.descriptor;
  if (field.collection) {
    reflection->MutableMessage(message, to)->CopyFrom(SplitSet(value));
    return {};
  }
  switch (to->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(message, to, field.secret ? HashPassword(value) : value);
      return {};
    case FieldDescriptor::CPPTYPE_BOOL:
      if (value != "true" && value != "false") {
        return Fail(ErrorCode::kInvalid, fmt::format("{} is true or false", field.name));
      }
      reflection->SetBool(message, to, value == "true");
      return {};
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection->SetUInt32(message, to, static_cast<uint32_t>(ParseInteger(value)));
      return {};
    case FieldDescriptor::CPPTYPE_INT64:
      reflection->SetInt64(message, to, ParseInteger(value));
      return {};
    default:
      return Fail(ErrorCode::kInvalid, fmt::format("{} cannot be set", field.name));
  }
}

Result<void> SetKey(const KindTable& table, Arguments parts, Message* message) {
  const auto keys = KeyFieldsOf(table);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (auto set = SetField(*keys[i], parts[i], message); !set) return set;
  }
  return {};
}

// One change under the world's lock.
struct Change {
  World& world;
  const KindTable& table;
  std::string key;
  std::unique_ptr<Message> message;  // with its key set; what is live, if anything
  Arguments rest;                    // after the key
  std::string who;
};

Result<void> SetFields(Change& change) {
  for (const std::string& assignment : change.rest) {
    const size_t equals = assignment.find('=');
    const FieldTable* field = FindField(change.table, assignment.substr(0, equals));
    if (field == nullptr || field->key || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\" is not FIELD=VALUE of a {}", assignment, change.table.name));
    }
    if (auto set = SetField(*field, assignment.substr(equals + 1), change.message.get()); !set) {
      return set;
    }
  }
  change.world.Put(change.table.kind, change.key, object::EncodeBody(*change.message), change.who);
  return {};
}

Result<void> UnsetFields(Change& change) {
  for (const std::string& name : change.rest) {
    const FieldTable* field = FindField(change.table, name);
    if (field == nullptr || field->key) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("a {} has no field \"{}\" to clear", change.table.name, name));
    }
    change.message->GetReflection()->ClearField(change.message.get(), field->descriptor);
  }
  change.world.Put(change.table.kind, change.key, object::EncodeBody(*change.message), change.who);
  return {};
}

Result<void> Rename(Change& change) {
  if (change.rest.size() != KeyFieldsOf(change.table).size() ||
      change.world.Find(change.table.kind, change.key) == nullptr) {
    return Fail(ErrorCode::kInvalid, "rename takes an object that is there and its new key");
  }
  if (auto set = SetKey(change.table, change.rest, change.message.get()); !set) return set;
  change.world.Rename(change.table.kind, change.key, object::EncodeKey(*change.message),
                      object::EncodeBody(*change.message), change.who);
  return {};
}

Result<void> Carry(const std::string& verb, Change& change) {
  if (verb == "set") return SetFields(change);
  if (verb == "unset") return UnsetFields(change);
  if (verb == "rename") return Rename(change);
  if (verb != "delete" || !change.rest.empty()) {
    return Fail(ErrorCode::kInvalid, "use set, unset, delete or rename");
  }
  change.world.Delete(change.table.kind, change.key, change.who);
  return {};
}

std::string OneLine(const KindTable& table, const Record& record) {
  const std::unique_ptr<Message> message = NewMessage(table);
  object::Decode(World::BodyOf(record), message.get());
  for (const FieldTable& field : table.fields) {
    const auto* reflection = message->GetReflection();
    if (field.secret && reflection->HasField(*message, field.descriptor)) {
      reflection->SetString(message.get(), field.descriptor, "(set)");
    }
    if (field.key) reflection->ClearField(message.get(), field.descriptor);
  }
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  printer.PrintToString(*message, &text);
  return fmt::format("{}  {} id={} by={} at={}\n", object::Describe(record.kind, record.key), text,
                     record.id.empty() ? "-" : record.id, record.who,
                     base::FormatInstant(record.when));
}

}  // namespace

Result<void> Edit(Arguments arguments) {
  constexpr std::string_view kUse =
      "use: edit FILE [--by NAME] set|unset|delete|rename KIND KEY-PART... [FIELD=VALUE...]";
  if (arguments.size() < 3) return Fail(ErrorCode::kInvalid, std::string(kUse));
  const std::string file = arguments[0];
  arguments = arguments.subspan(1);
  std::string who = "another-hand";
  if (arguments[0] == "--by" && arguments.size() > 2) {
    who = arguments[1];
    arguments = arguments.subspan(2);
  }
  const std::string verb = arguments[0];
  const KindTable* table =
      arguments.size() > 1 ? object::FindKind(std::string_view(arguments[1])) : nullptr;
  if (table == nullptr) return Fail(ErrorCode::kInvalid, std::string(kUse));
  arguments = arguments.subspan(2);
  const size_t parts = KeyFieldsOf(*table).size();
  if (arguments.size() < parts) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("the key of a {} has {} parts", table->name, parts));
  }
  auto world = World::Open(file);
  if (!world) return tl::unexpected(world.error());
  if (auto locked = (*world)->Lock(); !locked) return locked;
  std::unique_ptr<Message> message = NewMessage(*table);
  if (auto set = SetKey(*table, arguments.first(parts), message.get()); !set) return set;
  const std::string key = object::EncodeKey(*message);
  if (const Record* live = (*world)->Find(table->kind, key)) {
    object::Decode(World::BodyOf(*live), message.get());
  }
  Change change{**world, *table, key, std::move(message), arguments.subspan(parts), who};
  if (auto done = Carry(verb, change); !done) return done;
  return (*world)->Commit();
}

Result<std::string> Dump(const std::string& file) {
  auto world = World::Open(file);
  if (!world) return tl::unexpected(world.error());
  std::vector<std::string> lines;
  for (const Record& record : (*world)->records()) {
    if (record.alive) lines.push_back(OneLine(object::TableOf(record.kind), record));
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, ""));
}

}  // namespace postern::memory
