#include "providers/directory/entry.h"

#include <strings.h>

#include <algorithm>

namespace postern::directory {
namespace {

constexpr const char* kNames[kAttributeCount] = {"objectClass",
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
  return kNames[attribute];
}

Attribute FindAttribute(std::string_view name) {
  static const std::array<size_t, kAttributeCount> kLengths = [] {
    std::array<size_t, kAttributeCount> lengths{};
    for (size_t i = 0; i < kAttributeCount; ++i) lengths[i] = std::string_view(kNames[i]).size();
    return lengths;
  }();
  for (uint8_t i = 0; i < kAttributeCount; ++i) {
    if (name.size() != kLengths[i]) continue;
    if (strncasecmp(name.data(), kNames[i], name.size()) == 0) return static_cast<Attribute>(i);
  }
  return kAttributeCount;
}

void Entry::Load(EntryCursor& cursor) {
  for (auto& list : values) list.clear();
  dn = cursor.dn();
  std::string_view name;
  std::span<const BerValue> found;
  while (cursor.Next(&name, &found)) {
    const Attribute attribute = FindAttribute(name);
    if (attribute == kAttributeCount) continue;
    auto& list = values[attribute];
    list.reserve(found.size());
    for (const BerValue& value : found) list.push_back(directory::View(value));
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

// ---- names and times
// ------------------------------------------------------------------------------

namespace {

// True when normalising can only mean folding ASCII case: no escapes, no odd spaces, short types.
bool IsPlainDn(std::string_view dn) {
  size_t type_start = 0;
  bool in_type = true;
  char before = ',';
  for (size_t i = 0; i < dn.size(); ++i) {
    const char c = dn[i];
    if (c < 0x20 || c > 0x7e || c == '\\' || c == '"' || c == '+' || c == ';' || c == '#' ||
        c == '<' || c == '>') {
      return false;
    }
    if (c == ' ' && (before == ' ' || before == ',' || before == '=' || in_type)) return false;
    if (c == '=') {
      if (!in_type || i == type_start || i - type_start > 5) return false;
      in_type = false;
    } else if (c == ',') {
      if (in_type || before == ' ' || before == '=') return false;
      in_type = true;
      type_start = i + 1;
    } else if (in_type && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
      return false;
    }
    before = c;
  }
  return !in_type && before != ' ' && before != '=';
}

int Digits(std::string_view text, size_t at, size_t count) {
  int number = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

}  // namespace

void AppendNormalDn(std::string_view dn, std::string* out) {
  if (!IsPlainDn(dn)) {
    *out += object::Normalise(object::Comparator::kDn, dn);
    return;
  }
  const size_t start = out->size();
  out->append(dn);
  for (size_t i = start; i < out->size(); ++i) {
    char& c = (*out)[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
}

std::string_view ParentOf(std::string_view dn) {
  for (size_t i = 0; i < dn.size(); ++i) {
    if (dn[i] == '\\') {
      ++i;
    } else if (dn[i] == ',') {
      return dn.substr(i + 1);
    }
  }
  return {};
}

base::Instant ParseGeneralizedTime(std::string_view text) {
  const int year = Digits(text, 0, 4), month = Digits(text, 4, 2), day = Digits(text, 6, 2),
            hour = Digits(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0) return 0;
  size_t at = 10;
  int minute = 0, second = 0;
  if (Digits(text, at, 2) >= 0) {
    minute = Digits(text, at, 2);
    at += 2;
    if (Digits(text, at, 2) >= 0) {
      second = Digits(text, at, 2);
      at += 2;
    }
  }
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  int64_t offset = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const int hours = Digits(text, at + 1, 2), minutes = std::max(0, Digits(text, at + 3, 2));
    offset = (hours * 3600 + minutes * 60) * (text[at] == '+' ? 1 : -1);
  }
  const std::chrono::sys_days date = std::chrono::year(year) / month / day;
  return int64_t{date.time_since_epoch().count()} * 86400 + hour * 3600 + minute * 60 + second -
         offset;
}

std::string FormatGeneralizedTime(base::Instant at) {
  std::string text = base::FormatInstant(at);  // 2026-12-31T00:00:00Z
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'T'; });
  return text;
}

// ---- bodies
// ---------------------------------------------------------------------------------------

namespace {

void AppendVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void AppendBytes(uint32_t field, std::string_view value, std::string* out) {
  AppendVarint(field << 3 | 2, out);
  AppendVarint(value.size(), out);
  out->append(value);
}

struct FieldAttribute {
  uint32_t field;
  Attribute attribute;
};
constexpr FieldAttribute kUserTexts[] = {
    {2, kUid}, {3, kCn}, {4, kSn}, {5, kGivenName}, {6, kDisplayName}};

}  // namespace

void ObjectWriter::Put(uint32_t field, std::string_view value) {
  AppendBytes(field, value, &body_);
}

void ObjectWriter::PutVarint(uint32_t field, uint64_t value) {
  AppendVarint(field << 3, &body_);
  AppendVarint(value, &body_);
}

uint64_t ObjectWriter::User(const Entry& entry, Hidden hidden, const Reading& reading) {
  uint64_t unreadable = 0;
  const auto hides = [&](uint32_t field, Attribute attribute) {
    if ((hidden & Bit(attribute)) != 0 && !entry.Has(attribute)) unreadable |= uint64_t{1} << field;
    return (unreadable >> field & 1) != 0;
  };
  for (const auto& [field, attribute] : kUserTexts) {
    if (entry.Has(attribute)) {
      Put(field, Single(entry, attribute));
    } else {
      hides(field, attribute);
    }
  }
  // Class person demands cn and sn: where they are missing, we were not shown them.
  if (!entry.Has(kCn) && entry.is_person()) unreadable |= uint64_t{1} << 3;
  if (!entry.Has(kSn) && entry.is_person()) unreadable |= uint64_t{1} << 4;
  if (!hides(7, kMail)) {
    sorted_ = entry.values[kMail];
    std::sort(sorted_.begin(), sorted_.end());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
    scratch_.clear();
    for (std::string_view mail : sorted_) AppendBytes(1, mail, &scratch_);
    Put(7, scratch_);
  }
  for (const auto& [field, attribute] :
       {FieldAttribute{8, kEmployeeNumber}, FieldAttribute{9, kDescription}}) {
    if (entry.Has(attribute)) {
      Put(field, Single(entry, attribute));
    } else {
      hides(field, attribute);
    }
  }
  const bool locked_visibly = !IsEnabled(entry, reading);
  if (locked_visibly ||
      !(reading.locks_by_attribute ? hides(10, kLockedTime) : hides(10, kPassword))) {
    PutVarint(10, locked_visibly ? 0 : 1);
  }
  if (entry.Has(kEndTime)) {
    PutVarint(11, static_cast<uint64_t>(ParseGeneralizedTime(entry.First(kEndTime))));
  } else if (reading.has_policy_attributes) {
    hides(11, kEndTime);
  }
  const auto& passwords = entry.values[kPassword];
  if (passwords.empty()) {
    hides(12, kPassword);
  } else if (reading.ledger_key.empty()) {
    unreadable |= uint64_t{1} << 12;  // without the ledger's key nothing may be said about it
  } else {
    PutPassword(passwords, reading);
  }
  return unreadable;
}

void ObjectWriter::PutPassword(const std::vector<std::string_view>& passwords,
                               const Reading& reading) {
  if (digest_ == nullptr || digest_key_ != reading.ledger_key) {
    digest_ = std::make_unique<KeyedDigest>(reading.ledger_key);
    digest_key_ = reading.ledger_key;
  }
  std::vector<std::string> stored;
  for (std::string_view value : passwords) {
    // A lock isn't a change of the password.
    if (std::string open = UnlockPassword(value); !open.empty()) stored.push_back(std::move(open));
  }
  if (stored.empty()) return;
  std::sort(stored.begin(), stored.end());
  scratch_.clear();
  for (const std::string& value : stored) {
    if (!scratch_.empty()) scratch_ += '\n';
    scratch_ += value;
  }
  Put(12, "hmac:" + digest_->Hex(scratch_));
}

object::ObjectView ObjectWriter::Write(const Entry& entry, Hidden hidden, const Reading& reading) {
  key_.clear();
  body_.clear();
  AppendNormalDn(entry.dn, &key_);
  Put(1, entry.dn);
  object::ObjectView view;
  if (entry.type == Class::kUser) {
    view.kind = object::Kind::kUser;
    view.unreadable = User(entry, hidden, reading);
  } else {
    view.kind = entry.type == Class::kOu ? object::Kind::kOu : object::Kind::kDirectoryGroup;
    if (entry.Has(kDescription)) {
      Put(2, Single(entry, kDescription));
    } else if ((hidden & Bit(kDescription)) != 0) {
      view.unreadable = uint64_t{1} << 2;
    }
  }
  view.key = key_;
  view.body = body_;
  view.id = entry.First(kEntryUuid);
  view.changed_by = entry.First(kModifiersName);
  view.changed_at = ParseGeneralizedTime(entry.First(kModifyTimestamp));
  if (!view.changed_by.empty()) view.how_known = "exact";
  return view;
}

object::ObjectView ObjectWriter::WriteMembership(const Entry& group, std::string_view member) {
  member_key_.assign(key_);
  member_key_ += object::kKeySeparator;
  AppendNormalDn(member, &member_key_);
  member_body_.clear();
  AppendBytes(1, group.dn, &member_body_);
  AppendBytes(2, member, &member_body_);
  object::ObjectView view;
  view.kind = object::Kind::kMembership;
  view.key = member_key_;
  view.body = member_body_;
  view.changed_by = group.First(kModifiersName);
  view.changed_at = ParseGeneralizedTime(group.First(kModifyTimestamp));
  // The group's last writer, who may have changed another member of it.
  if (!view.changed_by.empty()) view.how_known = "window";
  return view;
}

}  // namespace postern::directory
