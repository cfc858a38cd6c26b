// providers/directory/entry.h: one LDAP entry, and what its values say.
//
// An Entry is a set of views (into libldap's buffer, or into an OwnedEntry), sorted by what we know
// of it: attributes by number, its class, whether the account is open. Pure; any thread.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/target.h"
#include "providers/directory/ldap_client.h"
#include "providers/directory/names.h"

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

// Attributes, as bits.
using AttributeSet = uint32_t;
constexpr AttributeSet Bit(Attribute attribute) {
  return AttributeSet{1} << attribute;
}
inline constexpr AttributeSet kAllAttributes = Bit(kAttributeCount) - 1;
// What an entry must show for these fields of an object of `kind`. Without its class (kObjectClass)
// it is of the kind that was searched for.
AttributeSet AttributesFor(object::Kind kind, object::FieldSet fields);
// Those that we may not read although they may be there.
using Hidden = AttributeSet;

// "{CRYPT}!": what stands before every password value of an account that is locked by its password.
// No input hashes to it, and the rest is what it was before.
inline constexpr std::string_view kPasswordLock = "{CRYPT}!";
std::string LockPassword(std::string_view stored);
std::string UnlockPassword(std::string_view locked);  // empty: there was none

// The permanent value of pwdAccountLockedTime (ppolicy(5)).
inline constexpr std::string_view kLockedForGood = "000001010000Z";

// Whether the account may log in, as far as the entry says.
bool IsEnabled(const Entry& entry, const Reading& reading);
// The value that stands for a kind's single-valued field where the entry has several: the one that
// names the entry, else the smallest.
std::string_view Single(const Entry& entry, Attribute attribute);
// True for the member that an empty group holds because its class wants one: itself.
bool IsPlaceholder(std::string_view group_key, std::string_view member_key);

}  // namespace postern::directory
