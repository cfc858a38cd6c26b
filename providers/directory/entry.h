// providers/directory/entry.h: LDAP entries as objects.
//
// An Entry is a set of views (into libldap's buffer, or into an OwnedEntry); bodies are written in
// canonical wire form straight from it, because at 100,000 entries building messages first costs
// more than all the rest. A test holds the bytes equal to object::Encode's. Pure; any thread.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "providers/directory/ldap_client.h"
#include "providers/directory/password.h"

namespace postern::directory {

enum Attribute : uint8_t {
  kObjectClass,
  kEntryUuid,
  kEntryCsn,
  kModifiersName,
  kModifyTimestamp,
  kUid,
  kCn,
  kSn,
  kGivenName,
  kDisplayName,
  kMail,
  kEmployeeNumber,
  kDescription,
  kLockedTime,
  kEndTime,
  kPassword,
  kMember,
  kUniqueMember,
  kAttributeCount,
};

// The attribute's name in requests and answers.
const char* NameOf(Attribute attribute);
// kAttributeCount: none of ours. Case-insensitive.
Attribute FindAttribute(std::string_view name);

enum class Class : uint8_t { kUnknown, kOu, kUser, kGroup, kOther };

struct Entry {
  std::string_view dn;
  std::array<std::vector<std::string_view>, kAttributeCount> values;
  Class type = Class::kUnknown;  // kUnknown: its object classes can't be read
  bool inactive = false;         // the server itself says that it refuses this account
  bool asked_usability = false;  // `inactive` is an answer, not a default

  // Reads what the cursor holds; reuses the vectors.
  void Load(EntryCursor& cursor);
  void Classify();
  std::string_view First(Attribute attribute) const {
    return values[attribute].empty() ? std::string_view() : values[attribute].front();
  }
  bool Has(Attribute attribute) const { return !values[attribute].empty(); }
  bool HasClass(std::string_view wanted) const;
  bool is_person() const {
    return HasClass("inetOrgPerson") || HasClass("person") || HasClass("organizationalPerson");
  }
  // member or uniqueMember, as the entry's classes want it.
  Attribute member_attribute() const {
    return HasClass("groupOfUniqueNames") ? kUniqueMember : kMember;
  }
};

// A copy that outlives the answer.
struct OwnedEntry {
  std::string dn, key;
  std::array<std::vector<std::string>, kAttributeCount> values;
  Class type = Class::kUnknown;
  bool inactive = false;
  bool asked_usability = false;

  void Assign(const Entry& entry);
  Entry View() const;
  bool HasClass(std::string_view wanted) const;
  Attribute member_attribute() const {
    return HasClass("groupOfUniqueNames") ? kUniqueMember : kMember;
  }
};

// What of the server decides how an entry is read.
struct Reading {
  std::string ledger_key;
  bool locks_by_attribute = false;     // pwdAccountLockedTime is enforced here
  bool has_policy_attributes = false;  // ppolicy's attributes are known to the schema
};

// Attributes, as bits, that we may not read although they may be there.
using Hidden = uint32_t;
constexpr Hidden Bit(Attribute attribute) {
  return Hidden{1} << attribute;
}

// "{CRYPT}!": what stands before every password value of an account that is locked by its password.
// No input hashes to it, and the rest is what it was before.
inline constexpr std::string_view kPasswordLock = "{CRYPT}!";
std::string LockPassword(std::string_view stored);
std::string UnlockPassword(std::string_view locked);  // empty: there was none

// The permanent value of pwdAccountLockedTime (ppolicy(5)).
inline constexpr std::string_view kLockedForGood = "000001010000Z";

// Writes key and body of one object after another into buffers that it keeps.
class ObjectWriter {
 public:
  // Views into the writer and into `entry`, until the next call.
  object::ObjectView Write(const Entry& entry, Hidden hidden, const Reading& reading);
  void SetGroup(std::string_view key) { key_ = key; }
  // One membership; the group's key was written by Write or SetGroup just before.
  object::ObjectView WriteMembership(const Entry& group, std::string_view member);

 private:
  uint64_t User(const Entry& entry, Hidden hidden, const Reading& reading);
  void PutPassword(const std::vector<std::string_view>& passwords, const Reading& reading);
  void Put(uint32_t field, std::string_view value);
  void PutVarint(uint32_t field, uint64_t value);
  std::string key_, body_, member_key_, member_body_, id_, scratch_;
  std::vector<std::string_view> sorted_;
  std::unique_ptr<KeyedDigest> digest_;
  std::string digest_key_;
};

// Whether the account may log in, as far as the entry says.
bool IsEnabled(const Entry& entry, const Reading& reading);
// The value that stands for a kind's single-valued field where the entry has several: the one that
// names the entry, else the smallest.
std::string_view Single(const Entry& entry, Attribute attribute);
// True for the member that an empty group holds because its class wants one: itself.
bool IsPlaceholder(std::string_view group_key, std::string_view member_key);

// Appends the normal form (object::Normalise) to `out`; fast where there is nothing to decide.
void AppendNormalDn(std::string_view dn, std::string* out);
inline std::string NormalDn(std::string_view dn) {
  std::string normal;
  AppendNormalDn(dn, &normal);
  return normal;
}
// The part after the first unescaped comma; empty at the top.
std::string_view ParentOf(std::string_view dn);
// GeneralizedTime (RFC 4517 §3.3.13) to seconds; 0 when it isn't one.
base::Instant ParseGeneralizedTime(std::string_view text);
std::string FormatGeneralizedTime(base::Instant at);

}  // namespace postern::directory
