#include "providers/directory/entry.h"

#include <strings.h>

#include <algorithm>

namespace postern::directory {
namespace {

constexpr std::string_view kNames[kAttributeCount] = {"objectClass",
                                                      "entryUUID",
                                                      "entryCSN",
                                                      "modifiersName",
                                                      "modifyTimestamp",
                                                      "uid",
                                                      "cn",
                                                      "sn",
                                                      "givenName",
                                                      "displayName",
                                                      "mail",
                                                      "employeeNumber",
                                                      "description",
                                                      "pwdAccountLockedTime",
                                                      "pwdEndTime",
                                                      "userPassword",
                                                      "member",
                                                      "uniqueMember"};

constexpr std::string_view kClearText = "{CLEARTEXT}";

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

const char* NameOf(Attribute attribute) {
  return kNames[attribute].data();
}

Attribute FindAttribute(std::string_view name) {
  for (const bool exactly : {true, false}) {
    for (uint8_t i = 0; i < kAttributeCount; ++i) {
      const std::string_view known = kNames[i];
      const bool same = exactly ? name == known : EqualsIgnoringCase(name, known);
      if (same) return static_cast<Attribute>(i);
    }
  }
  return kAttributeCount;
}

AttributeSet AttributesFor(object::Kind kind, object::FieldSet fields) {
  if (fields == object::kAllFields) return kAllAttributes & ~Bit(kEntryCsn);
  struct Shows {
    uint32_t field;  // of kinds.proto
    AttributeSet attributes;
  };
  static constexpr Shows kUser[] = {{2, Bit(kUid)},
                                    {3, Bit(kCn)},
                                    {4, Bit(kSn)},
                                    {5, Bit(kGivenName)},
                                    {6, Bit(kDisplayName)},
                                    {7, Bit(kMail)},
                                    {8, Bit(kEmployeeNumber)},
                                    {9, Bit(kDescription)},
                                    {10, Bit(kLockedTime) | Bit(kPassword)},
                                    {11, Bit(kEndTime)},
                                    {12, Bit(kPassword)}};
  static constexpr Shows kDescribed[] = {{2, Bit(kDescription)}};
  // A user is told by the filter alone; an ou or a group by its class as well.
  AttributeSet asked = kind == object::Kind::kUser ? 0 : Bit(kObjectClass);
  if (kind == object::Kind::kMembership) return asked | Bit(kMember) | Bit(kUniqueMember);
  const std::span<const Shows> shown =
      kind == object::Kind::kUser ? std::span<const Shows>(kUser) : kDescribed;
  for (const Shows& one : shown) {
    if ((fields >> one.field & 1) != 0) asked |= one.attributes;
  }
  return asked;
}

void Entry::Load(EntryCursor& cursor) {
  for (auto& list : values) list.clear();
  dn = cursor.dn();
  std::string_view name, value;
  while (cursor.Next(&name)) {
    const Attribute attribute = FindAttribute(name);
    if (attribute == kAttributeCount) continue;
    while (cursor.NextValue(&value)) values[attribute].push_back(value);
  }
  Classify();
}

void Entry::Classify() {
  type = Has(kObjectClass) ? Class::kOther : Class::kUnknown;
  for (std::string_view name : values[kObjectClass]) {
    if (EqualsIgnoringCase(name, "inetOrgPerson") || EqualsIgnoringCase(name, "person") ||
        EqualsIgnoringCase(name, "organizationalPerson") || EqualsIgnoringCase(name, "account")) {
      type = Class::kUser;
    } else if (EqualsIgnoringCase(name, "groupOfNames") ||
               EqualsIgnoringCase(name, "groupOfUniqueNames")) {
      type = Class::kGroup;
    } else if (EqualsIgnoringCase(name, "organizationalUnit")) {
      type = Class::kOu;
    }
  }
}

bool Entry::HasClass(std::string_view wanted) const {
  const auto& names = values[kObjectClass];
  return std::any_of(names.begin(), names.end(),
                     [&](auto name) { return EqualsIgnoringCase(name, wanted); });
}

bool OwnedEntry::HasClass(std::string_view wanted) const {
  const auto& names = values[kObjectClass];
  return std::any_of(names.begin(), names.end(),
                     [&](const auto& name) { return EqualsIgnoringCase(name, wanted); });
}

void OwnedEntry::Assign(const Entry& entry) {
  dn = entry.dn;
  key = NormalDn(dn);
  type = entry.type;
  inactive = entry.inactive;
  asked_usability = entry.asked_usability;
  for (size_t i = 0; i < kAttributeCount; ++i) {
    values[i].assign(entry.values[i].begin(), entry.values[i].end());
  }
}

Entry OwnedEntry::View() const {
  Entry entry;
  entry.dn = dn;
  entry.type = type;
  entry.inactive = inactive;
  entry.asked_usability = asked_usability;
  for (size_t i = 0; i < kAttributeCount; ++i) {
    entry.values[i].assign(values[i].begin(), values[i].end());
  }
  return entry;
}

std::string LockPassword(std::string_view stored) {
  if (stored.starts_with(kPasswordLock)) return std::string(stored);
  std::string locked(kPasswordLock);
  // Marked, because slapd has no scheme for a clear text that it would check.
  if (!stored.empty() && stored.front() != '{') locked += kClearText;
  locked += stored;
  return locked;
}

std::string UnlockPassword(std::string_view locked) {
  if (!locked.starts_with(kPasswordLock)) return std::string(locked);
  locked.remove_prefix(kPasswordLock.size());
  // "{CRYPT}!$6$...": locked by other hands, as passwd -l does.
  if (!locked.empty() && locked.front() != '{') return "{CRYPT}" + std::string(locked);
  if (locked.starts_with(kClearText)) locked.remove_prefix(kClearText.size());
  return std::string(locked);
}

bool IsEnabled(const Entry& entry, const Reading& reading) {
  const auto& passwords = entry.values[kPassword];
  const bool passwords_locked =
      !passwords.empty() && std::all_of(passwords.begin(), passwords.end(), [](auto value) {
        return value.starts_with(kPasswordLock);
      });
  if (passwords_locked) return false;
  if (!reading.locks_by_attribute || entry.First(kLockedTime) != kLockedForGood) return true;
  // The value alone does nothing where no policy with pwdLockout applies to the entry.
  return entry.asked_usability && !entry.inactive;
}

std::string_view Single(const Entry& entry, Attribute attribute) {
  const auto& values = entry.values[attribute];
  if (values.size() == 1) return values.front();
  std::string_view best;
  const std::string rdn = NormalDn(entry.dn.substr(0, entry.dn.size() - ParentOf(entry.dn).size()));
  for (std::string_view value : values) {
    const std::string naming = NormalDn(std::string(NameOf(attribute)) + "=" + std::string(value));
    if (rdn.starts_with(naming)) return value;
    if (best.data() == nullptr || value < best) best = value;
  }
  return best;
}

bool IsPlaceholder(std::string_view group_key, std::string_view member_key) {
  return group_key == member_key;
}

}  // namespace postern::directory
