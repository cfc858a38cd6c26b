// A user's fields, lock and password as LDAP writes.
#include <fmt/format.h>

#include "core/base/hash.h"
#include "providers/directory/password.h"
#include "providers/directory/steps.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Operation;

namespace {

void ChangeMail(const Snapshot& at, const Entry& live, const kinds::User& after, bool clear,
                Changes* changes) {
  if ((!after.has_mail() && !clear) || IsHidden(at, kMail)) return;
  const auto normal = [](std::string_view value) {
    return object::Normalise(object::Comparator::kCaseIgnore, value);
  };
  std::set<std::string> wanted, have;
  for (const std::string& mail : after.mail().values()) wanted.insert(normal(mail));
  std::vector<std::string> remove, add;
  for (std::string_view mail : live.values[kMail]) {
    have.insert(normal(mail));
    if (!wanted.contains(normal(mail))) remove.emplace_back(mail);
  }
  for (const std::string& mail : after.mail().values()) {
    if (have.insert(normal(mail)).second) add.push_back(mail);
  }
  if (!remove.empty()) changes->Add(LDAP_MOD_DELETE, NameOf(kMail), std::move(remove));
  if (!add.empty()) changes->Add(LDAP_MOD_ADD, NameOf(kMail), std::move(add));
}

void ChangeExpiry(const Snapshot& at, const Entry& live, const kinds::User& after, bool clear,
                  Changes* changes) {
  if (IsHidden(at, kEndTime)) return;
  const std::string_view now = live.First(kEndTime);
  const bool never = after.has_expires() && after.expires() == base::kForever;
  if (never && now.empty()) return;
  clear = clear || never;
  if (clear) {
    changes->Swap(kEndTime, now, "");
  } else if (after.has_expires() && ParseGeneralizedTime(now) != after.expires()) {
    changes->Swap(kEndTime, now, FormatGeneralizedTime(after.expires()));
  } else {
    return;
  }
  if (!live.HasClass("shadowAccount")) return;
  // Unix clients look at this one only; days since 1970.
  std::vector<std::string> days;
  if (!clear) days.push_back(std::to_string(after.expires() / 86400));
  changes->Add(LDAP_MOD_REPLACE, "shadowExpire", std::move(days));
}

// Locks by every value of the password, for servers (or policies) that honour no attribute.
void LockByPassword(const Entry& live, Changes* changes) {
  if (!live.Has(kPassword)) {
    changes->Add(LDAP_MOD_ADD, NameOf(kPassword), {std::string(kPasswordLock)});
    return;
  }
  std::vector<std::string> remove, add;
  for (std::string_view stored : live.values[kPassword]) {
    if (stored.starts_with(kPasswordLock)) continue;
    remove.emplace_back(stored);
    add.push_back(LockPassword(stored));
  }
  if (remove.empty()) return;
  changes->Add(LDAP_MOD_DELETE, NameOf(kPassword), std::move(remove));
  changes->Add(LDAP_MOD_ADD, NameOf(kPassword), std::move(add));
}

void Unlock(const Entry& live, Changes* changes) {
  if (live.First(kLockedTime) == kLockedForGood) changes->Swap(kLockedTime, kLockedForGood, "");
  std::vector<std::string> remove, add;
  for (std::string_view stored : live.values[kPassword]) {
    if (!stored.starts_with(kPasswordLock)) continue;
    remove.emplace_back(stored);
    if (std::string open = UnlockPassword(stored); !open.empty()) add.push_back(std::move(open));
  }
  if (!remove.empty()) changes->Add(LDAP_MOD_DELETE, NameOf(kPassword), std::move(remove));
  if (!add.empty()) changes->Add(LDAP_MOD_ADD, NameOf(kPassword), std::move(add));
}

// Only where a policy that honours the attribute can be seen; the server is asked afterwards
// whether it applies to this entry, and the password is locked where it doesn't.
bool LocksByAttribute(const ChangeContext& context) {
  return context.reading->locks_by_attribute && !context.features->lockout_policy.empty();
}

// Empty: done or changed; else why it can't be.
std::string ChangeEnabled(const Snapshot& at, const Entry& live, const kinds::User& after,
                          const Progress& progress, const ChangeContext& context,
                          Changes* changes) {
  if (!after.has_enabled() || after.enabled() == IsEnabled(live, *context.reading)) return {};
  if (after.enabled()) {
    Unlock(live, changes);
    return {};
  }
  if (LocksByAttribute(context) && !progress.lock_tried) {
    changes->Swap(kLockedTime, live.First(kLockedTime), kLockedForGood);
    if (!changes->empty()) return {};
  }
  if ((at.hidden & Bit(kPassword)) != 0 && !live.Has(kPassword)) {
    return "the account can't be disabled: no policy with pwdLockout TRUE applies to it, and its "
           "userPassword is hidden from us";
  }
  LockByPassword(live, changes);
  return {};
}

// A value of a secret by its reference; null: no such secret.
const std::string* SecretOf(const std::string& reference, const ChangeContext& context) {
  if (!reference.starts_with("secret:")) return nullptr;
  const auto found = context.secrets->find(reference.substr(7));
  return found == context.secrets->end() ? nullptr : &found->second;
}

Step PasswordStep(const Entry& live, const kinds::User& after, const Snapshot& at,
                  const ChangeContext& context) {
  const std::string* secret = SecretOf(after.password(), context);
  if (secret == nullptr || secret->empty()) {
    return Refuse(fmt::format("{} has no value", after.password()), false);
  }
  // A new password takes pwdAccountLockedTime away (ppolicy): the lock must be in the password
  // then.
  bool locked = live.First(kLockedTime) == kLockedForGood;
  for (std::string_view stored : live.values[kPassword])
    locked |= stored.starts_with(kPasswordLock);
  const bool hashed = IsHashed(*secret);
  Write write;
  write.dn = live.dn;
  if (context.features->password_modify && !hashed && !locked) {
    write.type = Write::Type::kPassword;  // the server checks and hashes it
    write.password = *secret;
    return Send(std::move(write), true);
  }
  std::string value = hashed ? *secret : SaltedHash(*secret);
  if (locked) value = LockPassword(value);
  write.modifications.push_back({LDAP_MOD_REPLACE, NameOf(kPassword), {std::move(value)}});
  write.assertion = UnchangedSince(at, context, true);
  return Send(std::move(write), true);
}

std::string LastWord(const std::string& text) {
  const size_t space = text.find_last_of(' ');
  return space == std::string::npos ? text : text.substr(space + 1);
}

Write CreateUser(const std::string& dn, const kinds::User& user, const ChangeContext& context) {
  Write write;
  write.type = Write::Type::kAdd;
  write.dn = dn;
  auto& entry = write.modifications;
  entry.push_back({LDAP_MOD_ADD,
                   NameOf(kObjectClass),
                   {"top", "person", "organizationalPerson", "inetOrgPerson"}});
  AddAttribute("uid", user.uid(), &entry);
  AddAttribute("cn", user.common_name(), &entry);
  AddAttribute("sn", user.surname(), &entry);
  AddAttribute("givenName", user.given_name(), &entry);
  AddAttribute("displayName", user.display_name(), &entry);
  for (const std::string& mail : user.mail().values()) AddAttribute("mail", mail, &entry);
  AddAttribute("employeeNumber", user.employee_number(), &entry);
  AddAttribute("description", user.description(), &entry);
  AddNamingValues(dn, &entry);
  // The class demands cn and sn; who doesn't declare them gets the nearest thing that is known.
  std::string name = user.display_name();
  if (name.empty()) name = user.uid();
  if (name.empty() && !NamingValues(dn).empty()) name = NamingValues(dn).front().second;
  const auto has = [&](Attribute attribute) {
    for (const Modification& known : entry) {
      if (FindAttribute(known.attribute) == attribute) return true;
    }
    return false;
  };
  if (!has(kCn)) AddAttribute("cn", name, &entry);
  if (!has(kSn))
    AddAttribute("sn", LastWord(user.has_common_name() ? user.common_name() : name), &entry);
  if (user.has_expires() && user.expires() != base::kForever) {
    AddAttribute(NameOf(kEndTime), FormatGeneralizedTime(user.expires()), &entry);
  }
  // Locked from its first instant: there is no moment in which it is open.
  if (user.has_enabled() && !user.enabled()) {
    const bool by_attribute = LocksByAttribute(context);
    AddAttribute(NameOf(by_attribute ? kLockedTime : kPassword),
                 std::string(by_attribute ? kLockedForGood : kPasswordLock), &entry);
  }
  return write;
}

}  // namespace

Step NextUserStep(const Operation& op, const Progress& progress, const Snapshot& at,
                  const ChangeContext& context) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::User>(op.after);
  if (after.has_expires() && after.expires() != base::kForever &&
      !context.features->policy_attributes) {
    return Refuse("the server has no expiry for accounts: the ppolicy module isn't loaded", false);
  }
  if (at.state == Snapshot::State::kAbsent) return Send(CreateUser(WantedDn(op), after, context));
  const bool set_password = after.password().starts_with("secret:") && !progress.password_set;
  if (auto step = CheckBefore(op, progress, at, context, set_password)) return *step;
  const Entry live = at.entry.View();
  Changes changes;
  ChangeText(at, live, kUid, after.has_uid(), after.uid(), false, &changes);
  ChangeText(at, live, kCn, after.has_common_name(), after.common_name(), false, &changes);
  ChangeText(at, live, kSn, after.has_surname(), after.surname(), false, &changes);
  ChangeText(at, live, kGivenName, after.has_given_name(), after.given_name(), Clears(op, 5),
             &changes);
  ChangeText(at, live, kDisplayName, after.has_display_name(), after.display_name(), Clears(op, 6),
             &changes);
  ChangeMail(at, live, after, Clears(op, 7), &changes);
  ChangeText(at, live, kEmployeeNumber, after.has_employee_number(), after.employee_number(),
             Clears(op, 8), &changes);
  ChangeText(at, live, kDescription, after.has_description(), after.description(), Clears(op, 9),
             &changes);
  ChangeExpiry(at, live, after, Clears(op, 11), &changes);
  if (Clears(op, 12) && live.Has(kPassword)) changes.Add(LDAP_MOD_DELETE, NameOf(kPassword), {});
  const bool closes = after.has_enabled() && !after.enabled();
  // Toward less access first, then the password; toward more access the password first.
  if (closes || !set_password) {
    const std::string why = ChangeEnabled(at, live, after, progress, context, &changes);
    if (!why.empty()) return Refuse(why, false);
  }
  if (!changes.empty()) return ModifyStep(at, std::move(changes), context);
  return set_password ? PasswordStep(live, after, at, context) : Step{};
}

}  // namespace postern::directory
