// core/object/object.h: one object of a target, in canonical bytes.
//
// A body is the protobuf wire form of a message of schemas/kinds.proto with ascending fields, sets
// sorted and unique, no unknown fields: equal objects have equal bytes, so a comparison is a memcmp
// first and looks at fields only when that differs. A key is the kind's key fields, normalised by
// their comparators, joined by the unit separator (0x1f, which no name may hold).
// Pure; any thread. Views point into an Arena or a buffer that their holder owns.
#pragma once
#include <absl/container/inlined_vector.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/object/kind.h"

namespace postern::object {

inline constexpr char kKeySeparator = '\x1f';
// Value of an account's `source`: not in the host's own files.
inline constexpr std::string_view kFromDirectory = "directory";

// One object as observed or wanted. `unreadable` has bit n set when field n could not be read: then
// the body lacks the field, but the field is not absent.
struct ObjectView {
  Kind kind{};
  std::string_view key;
  std::string_view body;
  std::string_view id;  // the target's stable id (entryUUID, ...); empty where the kind has none
  uint64_t unreadable = 0;
  std::string_view changed_by;
  base::Instant changed_at = 0;  // 0: not recorded
  std::string_view how_known;    // "exact", "window" or empty
};

struct Object {
  Kind kind{};
  std::string key;
  std::string body;
  std::string id;
  uint64_t unreadable = 0;
  std::string changed_by;
  base::Instant changed_at = 0;
  std::string how_known;

  ObjectView view() const {
    return {kind, key, body, id, unreadable, changed_by, changed_at, how_known};
  }
};

struct ObjectKey {
  Kind kind{};
  std::string key;
  auto operator<=>(const ObjectKey&) const = default;
};

// The three answers to "what is there?". No implicit conversion: a caller must look.
enum class Answer : uint8_t { kValue = 1, kAbsent = 2, kUnreadable = 3 };

struct ReadAnswer {
  Answer answer = Answer::kUnreadable;
  Object object;       // kind and key always; the rest with kValue
  std::string reason;  // with kUnreadable
};

// Owns bytes that views point into. Not thread-safe; grows by blocks, never moves what it holds.
class Arena {
 public:
  std::string_view Copy(std::string_view bytes);
  // Room for `size` bytes, which the caller fills.
  char* Take(size_t size);
  size_t bytes() const { return bytes_; }

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t used_ = 0, capacity_ = 0, bytes_ = 0;
};

// Encodes a kind message; `message` must be one of schemas/kinds.proto with all key fields set.
// Sorts its sets. The key is derived from the normalised key fields.
Object Encode(const google::protobuf::Message& message);
// The same, with key and body in the arena.
ObjectView Encode(const google::protobuf::Message& message, Arena* arena);
std::string EncodeBody(const google::protobuf::Message& message);
std::string EncodeKey(const google::protobuf::Message& message);
// Key from its parts, in the order of the kind's key fields; normalises each.
std::string MakeKey(Kind kind, std::initializer_list<std::string_view> parts);
// Parts of a key; views into it.
using KeyParts = absl::InlinedVector<std::string_view, 4>;
KeyParts SplitKey(std::string_view key);

// True when two ids, both known, are of different objects. An id may have a second part after a dot
// that tells apart what came later under the first (a folder's birth beside its inode); one that
// was recorded without it is compared by the first part.
bool IsOtherId(std::string_view a, std::string_view b);

// Decodes `body` into `message`; false when it isn't canonical.
bool Decode(std::string_view body, google::protobuf::Message* message);
template <class M>
M DecodeAs(std::string_view body) {
  M message;
  Decode(body, &message);
  return message;
}

// "group:ops" as {"group", "ops"}; without a colon the first is empty. Views into the text.
std::pair<std::string_view, std::string_view> SplitTyped(std::string_view text);
// "access_role" as people say it: "access role".
std::string Spoken(std::string_view word);

// "account edge-ftp/acme-in", "grant edge-ftp /srv/a subtree account:bea": for people.
std::string Describe(Kind kind, std::string_view key);
// "account:edge-ftp/acme-in": what a person types and `explain` takes.
std::string Address(Kind kind, std::string_view key);

// A field that differs, with both values as text ("" with has_* false: not set).
struct FieldDifference {
  uint32_t field = 0;
  std::string name;
  std::string before, after;
  bool has_before = false, has_after = false;
  bool secret = false;
};

// The fields of `wanted` that `live` doesn't have or has with another value under the field's
// comparator. Fields unset in `wanted` are not managed and never differ; a set but empty collection
// is a value. Cost: one walk over both bodies when bytes differ; nothing is decoded for equal
// fields.
std::vector<FieldDifference> Differences(Kind kind, std::string_view wanted, std::string_view live);
// True when Differences would be empty; the fast form.
bool Satisfies(Kind kind, std::string_view wanted, std::string_view live);
// Fields set in `wanted`, as bits, to test against ObjectView::unreadable.
uint64_t FieldsSet(std::string_view body);
// `base` with every field that `over` sets replaced by it: what is live after a write.
std::string Overlay(Kind kind, std::string_view base, std::string_view over);

// A set of objects of one target, sorted by (kind, key) once complete. Move only.
class ObjectSet {
 public:
  void Add(const ObjectView& object);
  void Reserve(size_t count) { objects_.reserve(count); }
  // Sorts; of two objects with one key the second is dropped and reported by `duplicates`.
  void Sort();
  // Puts another state of an object that is there in its place; false: there is none. After Sort.
  // O(log n).
  bool Replace(const ObjectView& object);
  const std::vector<ObjectView>& all() const { return objects_; }
  // Pointer into the set, or null. After Sort. O(log n).
  const ObjectView* Find(Kind kind, std::string_view key) const;
  std::span<const ObjectView> OfKind(Kind kind) const;
  const std::vector<ObjectView>& duplicates() const { return duplicates_; }
  size_t bytes() const { return arena_.bytes() + objects_.capacity() * sizeof(ObjectView); }

 private:
  ObjectView Copy(const ObjectView& object, const ObjectView* neighbour);

  Arena arena_;
  std::vector<ObjectView> objects_, duplicates_;
};

}  // namespace postern::object
