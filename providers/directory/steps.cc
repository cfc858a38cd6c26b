#include "providers/directory/steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/directory/object_writer.h"
#include "schemas/kinds.pb.h"

namespace postern::directory {

using object::Kind;
using object::Operation;

Step Refuse(std::string why, bool precondition) {
  Step step;
  step.need = Step::Need::kRefuse;
  step.why = std::move(why);
  step.precondition = precondition;
  return step;
}

Step Send(Write write, bool is_password) {
  Step step;
  step.need = Step::Need::kWrite;
  step.write = std::move(write);
  step.is_password = is_password;
  return step;
}

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

namespace {

// True when a write of ours may have made the difference: it is as the operation wants it.
bool MayBeOurs(const Operation& op, const object::FieldDifference& difference,
               std::string_view live) {
  const uint64_t set = object::FieldsSet(op.after);
  if ((set >> difference.field & 1) == 0) return Clears(op, difference.field);
  const auto missing = object::Differences(op.kind, op.after, live);
  return std::none_of(missing.begin(), missing.end(), [&](const object::FieldDifference& other) {
    return other.field == difference.field;
  });
}

// What must be live before we touch it; empty: it is.
std::string Unexpected(const Operation& op, const Progress& progress, const Snapshot& at,
                       const ChangeContext& context) {
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
  for (const auto& first : object::Differences(op.kind, op.before, live.body)) {
    if (progress.unsure && MayBeOurs(op, first, live.body)) continue;
    if ((live.unreadable >> first.field & 1) != 0) {
      return fmt::format("{} is hidden from us: whether it is as planned isn't known", first.name);
    }
    return fmt::format("{} is {} and not {} any more", first.name,
                       first.has_before ? "\"" + first.before + "\"" : "not set",
                       "\"" + first.after + "\"");
  }
  return {};
}

struct FieldAttribute {
  uint32_t field;
  Attribute attribute;
};
constexpr FieldAttribute kUserFields[] = {{2, kUid},
                                          {3, kCn},
                                          {4, kSn},
                                          {5, kGivenName},
                                          {6, kDisplayName},
                                          {7, kMail},
                                          {8, kEmployeeNumber},
                                          {9, kDescription},
                                          {11, kEndTime}};
constexpr FieldAttribute kOtherFields[] = {{2, kDescription}};

// The name of a field that the operation changes and that is hidden from us; empty: none.
std::string HiddenChange(const Operation& op, const Snapshot& at, const ChangeContext& context) {
  uint64_t changed = 0;
  for (const auto& change : object::Differences(op.kind, op.after, op.before)) {
    changed |= uint64_t{1} << change.field;
  }
  for (const uint32_t field : op.clear) changed |= uint64_t{1} << field;
  const bool is_user = op.kind == Kind::kUser;
  std::vector<FieldAttribute> fields;
  if (is_user) fields.assign(std::begin(kUserFields), std::end(kUserFields));
  if (!is_user) fields.assign(std::begin(kOtherFields), std::end(kOtherFields));
  // Closing an account needs no knowledge of how it was before.
  if (is_user && object::DecodeAs<kinds::User>(op.after).enabled()) {
    fields.push_back({10, context.reading->locks_by_attribute ? kLockedTime : kPassword});
  }
  for (const auto& [field, attribute] : fields) {
    if ((changed >> field & 1) != 0 && IsHidden(at, attribute)) {
      return object::TableOf(op.kind).Find(field)->name;
    }
  }
  return {};
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
    const bool no_end = op.kind == Kind::kUser && cleared == 11 && !entry.Has(kEndTime);
    if ((set >> cleared & 1) != 0 && !empty_mail && !no_end) return false;
  }
  return op.expect_id.empty() || op.expect_id == live.id;
}

}  // namespace

std::optional<Step> CommonStep(const Operation& op, const Progress& progress, const Snapshot& at,
                               const ChangeContext& context) {
  const bool absent = at.state == Snapshot::State::kAbsent;
  if (op.after.empty()) {
    if (absent) return Step{};
    if (std::string why = Unexpected(op, progress, at, context); !why.empty())
      return Refuse(why, true);
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

std::optional<Step> CheckBefore(const Operation& op, const Progress& progress, const Snapshot& at,
                                const ChangeContext& context, bool sends) {
  if (progress.written || progress.renamed || op.before.empty()) return std::nullopt;
  if (!sends && AlreadyDone(op, at, context)) return std::nullopt;
  if (std::string why = Unexpected(op, progress, at, context); !why.empty())
    return Refuse(why, true);
  if (const std::string field = HiddenChange(op, at, context); !field.empty()) {
    return Refuse(
        field + " is hidden from us by the server's access rules: it isn't changed blindly", false);
  }
  return std::nullopt;
}

bool IsHidden(const Snapshot& at, Attribute attribute) {
  return (at.hidden & Bit(attribute)) != 0 && at.entry.values[attribute].empty();
}

bool Clears(const Operation& op, uint32_t field) {
  for (const uint32_t cleared : op.clear) {
    if (cleared == field) return true;
  }
  return false;
}

void ChangeText(const Snapshot& at, const Entry& live, Attribute attribute, bool has,
                const std::string& wanted, bool clear, Changes* changes) {
  if (IsHidden(at, attribute)) return;
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

std::string UnchangedSince(const Snapshot& at, const ChangeContext& context, bool whole_entry) {
  if (!context.features->assertion) return {};
  const Attribute by = whole_entry ? kEntryCsn : kEntryUuid;
  if (at.entry.values[by].empty()) return {};
  return fmt::format("({}={})", NameOf(by), EscapeFilter(at.entry.values[by].front()));
}

Step ModifyStep(const Snapshot& at, Changes changes, const ChangeContext& context) {
  if (changes.empty()) return {};
  Write write;
  write.dn = at.entry.dn;
  write.modifications = changes.Take();
  write.assertion = UnchangedSince(at, context, true);
  return Send(std::move(write));
}

}  // namespace postern::directory
