#include "providers/directory/object_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::directory {

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
  if (Wants(7) && !hides(7, kMail)) {
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
  if (Wants(10) && (locked_visibly || !(reading.locks_by_attribute ? hides(10, kLockedTime)
                                                                   : hides(10, kPassword)))) {
    PutVarint(10, locked_visibly ? 0 : 1);
  }
  if (Wants(11) && entry.Has(kEndTime)) {
    PutVarint(11, static_cast<uint64_t>(ParseGeneralizedTime(entry.First(kEndTime))));
  } else if (Wants(11) && (!reading.has_policy_attributes || !hides(11, kEndTime))) {
    PutVarint(11, static_cast<uint64_t>(base::kForever));
  }
  const auto& passwords = entry.values[kPassword];
  if (passwords.empty()) {
    hides(12, kPassword);
  } else if (reading.ledger_key.empty()) {
    unreadable |= uint64_t{1} << 12;  // without the ledger's key nothing may be said about it
  } else if (Wants(12)) {
    PutPassword(passwords, reading);
  }
  return unreadable & fields_;
}

void ObjectWriter::PutPassword(const std::vector<std::string_view>& passwords,
                               const Reading& reading) {
  if (digest_ == nullptr || digest_key_ != reading.ledger_key) {
    digest_ = std::make_unique<KeyedDigest>(reading.ledger_key);
    digest_key_ = reading.ledger_key;
  }
  // A lock isn't a change of the password.
  const auto locked = [](auto value) { return value.starts_with(kPasswordLock); };
  if (passwords.size() == 1 && !locked(passwords.front())) {
    scratch_ = passwords.front();
  } else {
    std::vector<std::string> stored;
    for (std::string_view value : passwords) {
      if (std::string open = UnlockPassword(value); !open.empty())
        stored.push_back(std::move(open));
    }
    if (stored.empty()) return;
    std::sort(stored.begin(), stored.end());
    scratch_ = fmt::format("{}", fmt::join(stored, "\n"));
  }
  scratch_ = digest_->Hex(scratch_);
  scratch_.insert(0, "hmac:");
  Put(12, scratch_);
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
