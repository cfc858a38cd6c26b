#include "providers/memory/change.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <memory>

#include "providers/memory/body.h"
#include "schemas/kinds.pb.h"

namespace postern::memory {
namespace {

using object::Kind;
using object::Operation;
using object::Status;

constexpr std::string_view kSecretPrefix = "secret:";

// True when the object is as `before` says. Comparing a password means comparing the keyed hashes
// of what the server stores: Satisfies leaves secrets out.
bool Expected(const Operation& operation, std::string_view live) {
  if (!object::Satisfies(operation.kind, operation.before, live)) return false;
  const uint32_t secret = SecretField(operation.kind);
  if (secret == 0) return true;
  const auto wanted = TextOf(operation.before, secret);
  return !wanted || wanted == TextOf(live, secret);
}

// A body that isn't canonical or names another key would poison the world.
bool Fits(Kind kind, std::string_view key, std::string_view body) {
  const auto* prototype = google::protobuf::MessageFactory::generated_factory()->GetPrototype(
      object::TableOf(kind).descriptor);
  const std::unique_ptr<google::protobuf::Message> message(prototype->New());
  return object::Decode(body, message.get()) && object::EncodeKey(*message) == key;
}

// The fields to clear, as bits; a key can't be cleared.
uint64_t Cleared(const Operation& operation) {
  uint64_t bits = 0;
  for (const uint32_t field : operation.clear) bits |= field < 64 ? uint64_t{1} << field : 0;
  return bits & ~KeyFields(operation.kind);
}

// The value that a field's "secret:NAME" stands for; null when it wasn't sent along.
const std::string* SecretValue(std::string_view reference, const object::Secrets& secrets) {
  if (!reference.starts_with(kSecretPrefix)) return nullptr;
  const auto found = secrets.find(std::string(reference.substr(kSecretPrefix.size())));
  return found == secrets.end() ? nullptr : &found->second;
}

// True when the object is as wanted. A wanted password is checked against the stored hash.
bool IsAlready(const Operation& operation, const Record& live, const object::Secrets& secrets) {
  const std::string stored = World::BodyOf(live);
  std::string wanted = operation.after;
  if (const uint32_t secret = SecretField(operation.kind); secret != 0) {
    if (const auto name = TextOf(wanted, secret)) {
      const std::string* value = SecretValue(*name, secrets);
      const auto hash = TextOf(stored, secret);
      if (value == nullptr || !hash || !Verifies(*hash, *value)) return false;
      wanted = WithoutFields(wanted, uint64_t{1} << secret);
    }
  }
  if ((object::FieldsSet(stored) & Cleared(operation)) != 0) return false;
  return object::Satisfies(operation.kind, wanted, stored);
}

// What a member or a set of an IAM system is called in its memberships; empty: it has none.
std::string_view TypeInMemberships(Kind kind) {
  switch (kind) {
    case Kind::kIamUser:
      return "user:";
    case Kind::kIamGroup:
      return "group:";
    case Kind::kIamRole:
      return "role:";
    case Kind::kIamAccessRole:
      return "access_role:";
    default:
      return "";
  }
}

// An IAM system knows both sides of a membership by their ids: their names don't matter.
void MoveMembers(World& world, const Operation& operation) {
  const std::string_view type = TypeInMemberships(operation.kind);
  if (type.empty()) return;
  const std::string from = std::string(type) + operation.key;
  const std::string to = std::string(type) + operation.new_key;
  std::vector<std::string> moving;
  for (const Record& record : world.records()) {
    if (!record.alive || record.kind != Kind::kIamMembership) continue;
    const auto parts = object::SplitKey(record.key);
    if (parts[0] == from || parts[1] == from) moving.emplace_back(record.key);
  }
  for (const std::string& key : moving) {
    const auto parts = object::SplitKey(key);
    kinds::IamMembership moved;
    moved.set_set(parts[0] == from ? to : std::string(parts[0]));
    moved.set_member(parts[1] == from ? to : std::string(parts[1]));
    const object::Object object = object::Encode(moved);
    if (world.Find(object.kind, object.key) != nullptr) continue;
    world.Rename(object.kind, key, object.key, object.body, kMe);
  }
}

Verdict Write(World& world, const Operation& operation, const Record* live,
              const object::Secrets& secrets) {
  if (operation.kind == Kind::kSession) {
    return {Status::kDenied, "a session can only be ended"};
  }
  std::string wanted = operation.after;
  if (const uint32_t secret = SecretField(operation.kind); secret != 0) {
    if (const auto name = TextOf(wanted, secret)) {
      const std::string* value = SecretValue(*name, secrets);
      if (value == nullptr) {
        return {Status::kDenied, fmt::format("the value of {} was not sent along", *name)};
      }
      wanted = WithText(operation.kind, wanted, secret, HashPassword(*value));
    }
  }
  std::string body =
      live == nullptr ? wanted : object::Overlay(operation.kind, World::BodyOf(*live), wanted);
  if (const uint64_t cleared = Cleared(operation); cleared != 0) {
    body = WithoutFields(body, cleared);
  }
  const bool renames = !operation.new_key.empty();
  if (!Fits(operation.kind, renames ? operation.new_key : operation.key, body)) {
    return {Status::kDenied, "the body does not fit the key"};
  }
  if (!renames) {
    world.Put(operation.kind, operation.key, body, kMe);
    return {};
  }
  if (live == nullptr || world.Find(operation.kind, operation.new_key) != nullptr) {
    return {Status::kPreconditionFailed, "the new name is taken"};
  }
  world.Rename(operation.kind, operation.key, operation.new_key, body, kMe);
  MoveMembers(world, operation);
  return {};
}

// A rename that an earlier, killed apply has carried out.
bool IsMoved(const World& world, const Operation& operation, const object::Secrets& secrets) {
  if (operation.new_key.empty()) return false;
  const Record* moved = world.Find(operation.kind, operation.new_key);
  return moved != nullptr && (operation.expect_id.empty() || moved->id == operation.expect_id) &&
         IsAlready(operation, *moved, secrets);
}

// Ends every session of a login: the key's last part is "*" (schemas/kinds.proto).
Verdict EndAll(World& world, std::string_view key) {
  const std::string_view prefix = key.substr(0, key.size() - 1);
  std::vector<std::string> ending;
  for (const Record& record : world.records()) {
    if (record.alive && record.kind == Kind::kSession && record.key.starts_with(prefix)) {
      ending.emplace_back(record.key);
    }
  }
  for (const std::string& session : ending) world.Delete(Kind::kSession, session, kMe);
  return {ending.empty() ? Status::kAlreadySo : Status::kApplied, ""};
}

}  // namespace

Verdict Change(World& world, const Operation& operation, std::string_view ledger_key,
               const object::Secrets& secrets) {
  if (object::TableOf(operation.kind).observed_only) {
    return {Status::kDenied, "objects of this kind are observed only"};
  }
  if (operation.kind == Kind::kSession && operation.after.empty() &&
      object::SplitKey(operation.key).back() == "*") {
    return EndAll(world, operation.key);
  }
  const Record* live = world.Find(operation.kind, operation.key);
  if (live == nullptr && IsMoved(world, operation, secrets)) return {Status::kAlreadySo, ""};
  if (live != nullptr && !operation.expect_id.empty() && live->id != operation.expect_id) {
    return {Status::kPreconditionFailed,
            fmt::format("another object stands here: its id is {}, not {}", live->id,
                        operation.expect_id)};
  }
  std::string body;
  uint64_t unreadable = 0;
  if (live != nullptr) {
    body = World::BodyOf(*live);
    HidePassword(operation.kind, ledger_key, &body, &unreadable);
  }
  const bool removes = operation.after.empty() && operation.clear.empty();
  if (removes && live == nullptr) return {Status::kAlreadySo, ""};
  if (!removes && live != nullptr && operation.new_key.empty() &&
      IsAlready(operation, *live, secrets)) {
    return {Status::kAlreadySo, ""};
  }
  if (operation.before.empty() && live != nullptr) {
    return {Status::kPreconditionFailed, "it exists already"};
  }
  if (!operation.before.empty() && (live == nullptr || !Expected(operation, body))) {
    return {Status::kPreconditionFailed, "it is not as it was when this was planned"};
  }
  if (!removes) return Write(world, operation, live, secrets);
  world.Delete(operation.kind, operation.key, kMe);
  return {};
}

}  // namespace postern::memory
