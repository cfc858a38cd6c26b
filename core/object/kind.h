// core/object/kind.h: the kinds of objects and their compiled tables.
//
// Tables are compiled once from the annotated descriptors of schemas/kinds.proto; after that they
// are immutable and shared by all threads.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
}  // namespace google::protobuf

namespace postern::object {

// Numbers are those of schemas/kinds.proto and stand in ledgers and plan files.
enum class Kind : uint16_t {
  kOu = 1,
  kUser = 2,
  kDirectoryGroup = 3,
  kMembership = 4,
  kIamUser = 5,
  kIamGroup = 6,
  kIamMembership = 7,
  kIamRole = 8,
  kIamAccessRole = 9,
  kAccount = 10,
  kSshKey = 11,
  kServerGroup = 12,
  kServerMembership = 13,
  kFolder = 14,
  kGrant = 15,
  kNativeRule = 16,
  kSession = 17,
  kServerConfig = 18,
  kOauthClient = 19,
  kPasswordPolicy = 20,
  kJob = 21,
  kJobRun = 22,
};

// Of an IAM system: users, groups, what they are in, roles, clients, policies.
constexpr bool IsIamKind(Kind kind) {
  return (kind >= Kind::kIamUser && kind <= Kind::kIamAccessRole) || kind == Kind::kOauthClient ||
         kind == Kind::kPasswordPolicy;
}

enum class Comparator : uint8_t { kExact, kCaseIgnore, kDn, kPath, kInteger, kPrincipal };
enum class Direction : uint8_t { kNone, kAnd, kIntersect, kEarlier, kLater, kIncomparable };
enum class OnRemoval : uint8_t { kStaged, kRemove, kRelease };

struct FieldTable {
  uint32_t number = 0;
  std::string name;
  std::string doc;
  bool key = false;
  bool secret = false;
  bool server_owned = false;
  bool clears = false;      // no longer declared means none, not released
  bool collection = false;  // a wrapped set of strings
  bool text = false;        // string
  bool boolean = false;
  bool instant = false;  // int64: seconds UTC
  Comparator comparator = Comparator::kExact;
  Direction direction = Direction::kNone;
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
};

struct KindTable {
  Kind kind{};
  std::string name;
  std::string doc;
  bool bears_access = false;
  bool observed_only = false;
  OnRemoval on_removal = OnRemoval::kStaged;
  std::vector<FieldTable> fields;  // ascending numbers
  const google::protobuf::Descriptor* descriptor = nullptr;

  const FieldTable* Find(uint32_t number) const;
};

const KindTable& TableOf(Kind kind);
const KindTable* FindKind(std::string_view name);  // null: no such kind
const KindTable* FindKind(uint32_t number);
std::span<const KindTable> AllKinds();
inline std::string_view NameOf(Kind kind) {
  return TableOf(kind).name;
}

// Normal form of a value under a comparator; equal normal forms are equal values. DN: attribute
// types in lower case, AVAs of one RDN sorted, no spaces around separators, values folded by case
// and runs of spaces, one way of escaping (RFC 4514 §2.4). Text that isn't a DN stays as it is.
std::string Normalise(Comparator comparator, std::string_view value);

}  // namespace postern::object
