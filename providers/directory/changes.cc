#include "providers/directory/changes.h"

#include <fmt/format.h>

#include "core/base/hash.h"
#include "providers/directory/password.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Kind;
using object::Operation;

namespace {

Step Refuse(std::string why, bool precondition) {
  Step step;
  step.need = Step::Need::kRefuse;
  step.why = std::move(why);
  step.precondition = precondition;
  return step;
}

Step Send(Write write, bool is_password = false) {
  Step step;
  step.need = Step::Need::kWrite;
  step.write = std::move(write);
  step.is_password = is_password;
  return step;
}

// Builds the modifications of one entry.
class Changes {
 public:
  void Swap(Attribute attribute, std::string_view old_value, std::string_view new_value) {
    if (old_value == new_value) return;
    const char* name = NameOf(attribute);
    if (!old_value.empty()) Add(LDAP_MOD_DELETE, name, {std::string(old_value)});
    if (!new_value.empty()) Add(LDAP_MOD_ADD, name, {std::string(new_value)});
  }
  void Add(int operation, const char* name, std::vector<std::string> values) {
    list_.push_back({operation, name, std::move(values)});
  }
  std::vector<Modification> Take() { return std::move(list_); }
  bool empty() const { return list_.empty(); }

 private:
  std::vector<Modification> list_;
};

// The type and value of each part of the entry's own name, by libldap.
std::vector<std::pair<std::string, std::string>> NamingValues(const std::string& dn) {
  std::vector<std::pair<std::string, std::string>> values;
  LDAPDN parsed = nullptr;
  if (ldap_str2dn(dn.c_str(), &parsed, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS) return values;
  if (parsed != nullptr && parsed[0] != nullptr) {
    for (LDAPAVA** ava = parsed[0]; *ava != nullptr; ++ava) {
      values.emplace_back(View((*ava)->la_attr), View((*ava)->la_value));
    }
  }
  ldap_dnfree(parsed);
  return values;
}

void AddAttribute(const std::string& name, std::string value, std::vector<Modification>* entry) {
  if (value.empty()) return;
  for (Modification& known : *entry) {
    if (FindAttribute(known.attribute) == kAttributeCount
            ? known.attribute != name
            : FindAttribute(known.attribute) != FindAttribute(name)) {
      continue;
    }
    for (const std::string& present : known.values) {
      if (object::Normalise(object::Comparator::kCaseIgnore, present) ==
          object::Normalise(object::Comparator::kCaseIgnore, value)) {
        return;
      }
    }
    known.values.push_back(std::move(value));
    return;
  }
  entry->push_back({LDAP_MOD_ADD, name, {std::move(value)}});
}

void AddNamingValues(const std::string& dn, std::vector<Modification>* entry) {
  for (auto& [type, value] : NamingValues(dn)) AddAttribute(type, value, entry);
}

// What must be live before we touch it; empty: it is.
std::string Unexpected(const Operation& op, const Snapshot& at, const ChangeContext& context) {
  const std::string_view id = at.entry.values[kEntryUuid].empty()
                                  ? std::string_view()
                                  : std::string_view(at.entry.values[kEntryUuid].front());
  if (!op.expect_id.empty() && id != op.expect_id) {
    return fmt::format("another entry stands under this name now: entryUUID {}, expected {}", id,
                       op.expect_id);
  }
  ObjectWriter writer;
  const Entry entry = at.entry.View();
  const object::ObjectView live = writer.Write(entry, at.hidden, *context.reading);
  if (live.kind != op.kind) return fmt::format("{} is an entry of another class", entry.dn);
  const auto differences = object::Differences(op.kind, op.before, live.body);
  if (!differences.empty()) {
    const auto& first = differences.front();
    return fmt::format("{} is {} and not {} any more", first.name,
                       first.has_before ? "\"" + first.before + "\"" : "not set",
                       "\"" + first.after + "\"");
  }
  return {};
}

bool Clears(const Operation& op, uint32_t field) {
  for (const uint32_t cleared : op.clear) {
    if (cleared == field) return true;
  }
  return false;
}

// A creation that finds an entry: ours of before, or somebody else's.
std::optional<Step> CheckCreate(const Operation& op, const Snapshot& at,
                                const ChangeContext& context) {
  ObjectWriter writer;
  const Entry entry = at.entry.View();
  const object::ObjectView live = writer.Write(entry, at.hidden, *context.reading);
  const bool same = live.kind == op.kind && object::Satisfies(op.kind, op.after, live.body) &&
                    (op.expect_id.empty() || op.expect_id == live.id);
  if (same) return std::nullopt;
  return Refuse("there is an entry of this name already, and it is another one", true);
}

// The steps that don't depend on the kind: absent, removed, not as expected. Nothing: go on.
std::optional<Step> CommonStep(const Operation& op, const Progress& progress, const Snapshot& at,
                               const ChangeContext& context) {
  const bool absent = at.state == Snapshot::State::kAbsent;
  if (op.after.empty()) {
    if (absent) return Step{};
    if (std::string why = Unexpected(op, at, context); !why.empty()) return Refuse(why, true);
    Write write;
    write.type = Write::Type::kDelete;
    write.dn = at.entry.dn;
    write.assertion = UnchangedSince(at, context, true);
    return Send(std::move(write));
  }
  if (absent && !op.before.empty()) return Refuse("the entry is gone", true);
  if (absent && progress.written) return Refuse("the entry is gone again", true);
  if (!absent && op.before.empty() && !progress.written) return CheckCreate(op, at, context);
  return std::nullopt;
}

// True when a fresh look finds everything as wanted, so that a repeated call does nothing.
bool AlreadyDone(const Operation& op, const Snapshot& at, const ChangeContext& context) {
  ObjectWriter writer;
  const Entry entry = at.entry.View();
  const object::ObjectView live = writer.Write(entry, at.hidden, *context.reading);
  if (live.kind != op.kind || !object::Satisfies(op.kind, op.after, live.body)) return false;
  const uint64_t set = object::FieldsSet(live.body);
  for (const uint32_t cleared : op.clear) {
    // A user's mail is always set, if only to nothing.
    const bool empty_mail = op.kind == Kind::kUser && cleared == 7 && !entry.Has(kMail);
    if ((set >> cleared & 1) != 0 && !empty_mail) return false;
  }
  return op.expect_id.empty() || op.expect_id == live.id;
}

void ChangeText(const Entry& live, Attribute attribute, bool has, const std::string& wanted,
                bool clear, Changes* changes) {
  const std::string_view now = Single(live, attribute);
  if (clear && live.Has(attribute)) {
    changes->Add(LDAP_MOD_DELETE, NameOf(attribute), {});
    return;
  }
  if (!has) return;
  const auto rule = object::Comparator::kCaseIgnore;
  if (object::Normalise(rule, now) == object::Normalise(rule, wanted)) return;
  for (std::string_view other : live.values[attribute]) {
    if (other.data() == now.data() ||
        object::Normalise(rule, other) != object::Normalise(rule, wanted))
      continue;
    // It is one of several values already: only the other one has to go.
    changes->Swap(attribute, now, "");
    return;
  }
  changes->Swap(attribute, now, wanted);
}

void ChangeMail(const Entry& live, const kinds::User& after, bool clear, Changes* changes) {
  if (!after.has_mail() && !clear) return;
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

void ChangeExpiry(const Entry& live, const kinds::User& after, bool clear, Changes* changes) {
  const std::string_view now = live.First(kEndTime);
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
  if (user.has_expires()) {
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

Step ModifyStep(const Snapshot& at, Changes changes, const ChangeContext& context) {
  if (changes.empty()) return {};
  Write write;
  write.dn = at.entry.dn;
  write.modifications = changes.Take();
  write.assertion = UnchangedSince(at, context, true);
  return Send(std::move(write));
}

}  // namespace

std::string UnchangedSince(const Snapshot& at, const ChangeContext& context, bool whole_entry) {
  if (!context.features->assertion) return {};
  const Attribute by = whole_entry ? kEntryCsn : kEntryUuid;
  if (at.entry.values[by].empty()) return {};
  return fmt::format("({}={})", NameOf(by), EscapeFilter(at.entry.values[by].front()));
}

std::string WantedDn(const Operation& op) {
  const std::string& key = op.new_key.empty() ? op.key : op.new_key;
  std::string dn;
  if (op.kind == Kind::kUser) dn = object::DecodeAs<kinds::User>(op.after).dn();
  if (op.kind == Kind::kOu) dn = object::DecodeAs<kinds::Ou>(op.after).dn();
  if (op.kind == Kind::kDirectoryGroup) dn = object::DecodeAs<kinds::DirectoryGroup>(op.after).dn();
  return NormalDn(dn) == key ? dn : key;
}

Write RenameWrite(const std::string& from, const std::string& to, const Snapshot& at,
                  const ChangeContext& context) {
  Write write;
  write.type = Write::Type::kRename;
  write.dn = from;
  const std::string parent(ParentOf(to));
  write.new_rdn = to.substr(0, to.size() - parent.size() - (parent.empty() ? 0 : 1));
  if (NormalDn(parent) != NormalDn(ParentOf(from))) write.new_superior = parent;
  write.assertion = UnchangedSince(at, context, true);
  return write;
}

Step NextUserStep(const Operation& op, const Progress& progress, const Snapshot& at,
                  const ChangeContext& context) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::User>(op.after);
  if (after.has_expires() && !context.features->policy_attributes) {
    return Refuse("the server has no expiry for accounts: the ppolicy module isn't loaded", false);
  }
  if (at.state == Snapshot::State::kAbsent) return Send(CreateUser(WantedDn(op), after, context));
  const bool set_password = after.password().starts_with("secret:") && !progress.password_set;
  if (!progress.written && !progress.renamed && !op.before.empty() &&
      (set_password || !AlreadyDone(op, at, context))) {
    if (std::string why = Unexpected(op, at, context); !why.empty()) return Refuse(why, true);
  }
  const Entry live = at.entry.View();
  Changes changes;
  ChangeText(live, kUid, after.has_uid(), after.uid(), false, &changes);
  ChangeText(live, kCn, after.has_common_name(), after.common_name(), false, &changes);
  ChangeText(live, kSn, after.has_surname(), after.surname(), false, &changes);
  ChangeText(live, kGivenName, after.has_given_name(), after.given_name(), Clears(op, 5), &changes);
  ChangeText(live, kDisplayName, after.has_display_name(), after.display_name(), Clears(op, 6),
             &changes);
  ChangeMail(live, after, Clears(op, 7), &changes);
  ChangeText(live, kEmployeeNumber, after.has_employee_number(), after.employee_number(),
             Clears(op, 8), &changes);
  ChangeText(live, kDescription, after.has_description(), after.description(), Clears(op, 9),
             &changes);
  ChangeExpiry(live, after, Clears(op, 11), &changes);
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

Step NextOuStep(const Operation& op, const Progress& progress, const Snapshot& at,
                const ChangeContext& context) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::Ou>(op.after);
  if (at.state == Snapshot::State::kAbsent) {
    Write write;
    write.type = Write::Type::kAdd;
    write.dn = WantedDn(op);
    write.modifications.push_back(
        {LDAP_MOD_ADD, NameOf(kObjectClass), {"top", "organizationalUnit"}});
    AddAttribute("description", after.description(), &write.modifications);
    AddNamingValues(write.dn, &write.modifications);
    return Send(std::move(write));
  }
  if (!progress.written && !progress.renamed && !op.before.empty() &&
      !AlreadyDone(op, at, context)) {
    if (std::string why = Unexpected(op, at, context); !why.empty()) return Refuse(why, true);
  }
  Changes changes;
  ChangeText(at.entry.View(), kDescription, after.has_description(), after.description(),
             Clears(op, 2), &changes);
  return ModifyStep(at, std::move(changes), context);
}

Step NextGroupStep(const Operation& op, const Progress& progress, const Snapshot& at,
                   const ChangeContext& context, const std::vector<std::string>& first_members) {
  if (auto step = CommonStep(op, progress, at, context)) return *step;
  const auto after = object::DecodeAs<kinds::DirectoryGroup>(op.after);
  if (at.state == Snapshot::State::kAbsent) {
    Write write;
    write.type = Write::Type::kAdd;
    write.dn = WantedDn(op);
    write.modifications.push_back({LDAP_MOD_ADD, NameOf(kObjectClass), {"top", "groupOfNames"}});
    AddAttribute("description", after.description(), &write.modifications);
    AddNamingValues(write.dn, &write.modifications);
    write.modifications.push_back({LDAP_MOD_ADD, NameOf(kMember), first_members});
    if (first_members.empty()) write.modifications.back().values.push_back(write.dn);
    return Send(std::move(write));
  }
  if (!progress.written && !progress.renamed && !op.before.empty() &&
      !AlreadyDone(op, at, context)) {
    if (std::string why = Unexpected(op, at, context); !why.empty()) return Refuse(why, true);
  }
  Changes changes;
  const Entry live = at.entry.View();
  ChangeText(live, kDescription, after.has_description(), after.description(), Clears(op, 2),
             &changes);
  // The placeholder of an empty group is its own name, which a rename has changed.
  if (const auto old = at.Members().find(op.key); progress.renamed && old != at.Members().end()) {
    changes.Swap(live.member_attribute(), old->second, live.dn);
  }
  return ModifyStep(at, std::move(changes), context);
}

}  // namespace postern::directory
