// What changed behind our back: live state that isn't what the ledger recorded.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/compile/identity.h"
#include "core/diag/codes.h"
#include "core/object/spelling.h"
#include "core/plan/job_parts.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using access::Rights;
using object::Kind;

// Whether one set has an element that another hasn't, among those that exclude ("!...") or the
// others.
bool HasBeyond(const std::vector<std::string>& set, const std::vector<std::string>& other,
               bool excludes) {
  return std::any_of(set.begin(), set.end(), [&](const std::string& element) {
    return element.starts_with('!') == excludes &&
           !std::binary_search(other.begin(), other.end(), element);
  });
}

// Whether the live body gives more or less than the recorded one, field by field.
Drift::Effect EffectOf(Kind kind, const std::vector<object::FieldDifference>& fields,
                       std::string_view recorded, std::string_view live) {
  bool more = false, less = false;
  // Who gets a file, and as whom a job runs, is in its texts.
  bool unknown = kind == Kind::kJob && std::any_of(fields.begin(), fields.end(), [](const auto& f) {
                   return f.field != kinds::Job::kEnabledFieldNumber;
                 });
  for (const object::FieldDifference& field : fields) {
    switch (object::TableOf(kind).Find(field.field)->direction) {
      case object::Direction::kAnd:
        (!field.has_before || field.before == "true" ? more : less) = true;  // unset: open
        break;
      case object::Direction::kIntersect: {
        if (object::TableOf(kind).Find(field.field)->collection) {
          const auto was = SetIn(recorded, field.field), is = SetIn(live, field.field);
          more = more || HasBeyond(is, was, false) || HasBeyond(was, is, true);
          less = less || HasBeyond(was, is, false) || HasBeyond(is, was, true);
          break;
        }
        const Rights was(object::DecodeAs<kinds::Grant>(recorded).rights());
        const Rights is(object::DecodeAs<kinds::Grant>(live).rights());
        more = more || !(is - was).empty();
        less = less || !(was - is).empty();
        break;
      }
      case object::Direction::kEarlier:
        (!field.has_before || field.before > field.after ? more : less) = true;  // unset: for ever
        break;
      case object::Direction::kLater:
        (!field.has_before || field.before < field.after ? more : less) = true;  // unset: at once
        break;
      case object::Direction::kIncomparable:
        unknown = true;
        break;
      case object::Direction::kNone:
        break;
    }
  }
  if (more) return Drift::Effect::kMore;
  if (unknown) return Drift::Effect::kUnknown;
  return less ? Drift::Effect::kLess : Drift::Effect::kEqual;
}

// " at edge-sftp, in /srv/in/deep and 2 more folders"
std::string Where(const kinds::Grant& row) {
  return fmt::format(" at {}{}{}", row.server(), row.note().empty() ? "" : ", in ", row.note());
}

// Of a specification what in it: " (encrypt.age, deliver.folder)". Of a unit which further files
// make it another, by the lines that systemctl cat has before each. Else people see it with diff.
std::string EditedIn(const object::FieldDifference& field) {
  std::vector<std::string> names;
  if (field.field == kinds::Job::kSpecFieldNumber) {
    for (object::FieldDifference& inside : SpecDifferences(field.after, field.before)) {
      names.push_back(std::move(inside.name));
    }
  } else {
    constexpr std::string_view kHead = "\n# /";
    for (size_t at = field.before.find(kHead); at != std::string::npos;
         at = field.before.find(kHead, at + 1)) {
      const size_t from = at + kHead.size() - 1;
      std::string name = field.before.substr(from, field.before.find('\n', from) - from);
      if (field.after.find("# " + name) == std::string::npos) names.push_back(std::move(name));
    }
  }
  return names.empty() ? "" : fmt::format(" ({})", fmt::join(names, ", "));
}

std::string FieldsText(Kind kind, const std::vector<object::FieldDifference>& fields,
                       std::string_view recorded, std::string_view live) {
  if (kind == Kind::kGrant) {
    const Rights was(object::DecodeAs<kinds::Grant>(recorded).rights());
    const auto row = object::DecodeAs<kinds::Grant>(live);
    const Rights is(row.rights());
    const auto at = [&](Rights rights) {
      return fmt::format("{} on {} ({})", access::Format(rights), row.path(), row.depth());
    };
    const std::string where = Where(row);
    std::string text;
    if (!(is - was).empty()) text = at(is - was) + " added";
    if (!(was - is).empty()) {
      text += (text.empty() ? "" : "; ") + at(was - is) + " taken away";
    }
    return text.empty() ? text : text + where;
  }
  std::string text;
  for (const object::FieldDifference& field : fields) {
    if (!text.empty()) text += "; ";
    const bool opened = field.before == "true";
    if (kind == Kind::kJob) {
      text += field.name == "enabled" ? (opened ? "woken again" : "no longer woken")
              : field.before.empty()  ? field.name + " removed"
                                      : field.name + " edited" + EditedIn(field);
      continue;
    }
    if (field.name == "enabled" && kind == Kind::kSshKey) {
      text += opened ? "key taken out of quarantine" : "key put out of force";
    } else if (field.name == "enabled") {
      text += opened ? "unlocked" : "locked";
    } else if (field.name == "active") {
      text += opened ? "activated" : "deactivated";
    } else {
      text += fmt::format("{} {} -> {}", field.name, field.after,
                          field.has_before ? field.before : "not set");
    }
  }
  return text;
}

// "ops" of "cn=ops,ou=groups,dc=corp": names in a sentence are short, the key has the whole.
std::string_view FirstValue(std::string_view dn) {
  const size_t equals = dn.find('=');
  if (equals == std::string_view::npos) return dn;
  return dn.substr(equals + 1, dn.find(',') - equals - 1);
}

// "key SHA256:... added to acme-in", "k.lem added to group ops", "account gone".
std::string PresenceText(Kind kind, std::string_view key, std::string_view body, bool added) {
  const std::string spelled = object::SpelledKey(kind, key, body);
  const auto parts = object::SplitKey(spelled);
  const std::string_view to = added ? "added to" : "removed from";
  switch (kind) {
    case Kind::kSshKey:
      return fmt::format("key {} {} {} at {}", parts[2], to, parts[1], parts[0]);
    case Kind::kServerMembership:
      return fmt::format("{} {} group {} at {}", parts[2], to, parts[1], parts[0]);
    case Kind::kMembership:
      return fmt::format("{} {} group {}", FirstValue(parts[1]), to, FirstValue(parts[0]));
    case Kind::kIamMembership: {
      const auto [set, name] = object::SplitTyped(parts[0]);
      return fmt::format("{} {} {} {}", object::SplitTyped(parts[1]).second, to,
                         object::Spoken(set), name);
    }
    case Kind::kGrant: {
      const auto row = object::DecodeAs<kinds::Grant>(body);
      const std::string rights = access::Format(Rights(row.rights()));
      return fmt::format("{} of {} on {} ({}) {}{}", rights.empty() ? "grant" : rights, parts[3],
                         parts[1], parts[2], added ? "added" : "removed", Where(row));
    }
    default:
      return object::Spoken(object::NameOf(kind)) + (added ? " nobody declared" : " gone");
  }
}

}  // namespace

std::string Planner::IdentityAt(const access::Place& place, std::string_view account) const {
  if (const auto* declared = in_.desired->DeclaredIdentity(place, account)) return *declared;
  const std::string_view former = FormerIdentity(place, account);
  if (!former.empty()) return std::string(former);
  if (place.server.empty() && !in_.desired->facts.empty()) {
    // Roles know whom nobody declared by the source's own id.
    const observe::ObservedTarget* source = in_.observed->Find(place.target);
    const Kind kind = place.target.starts_with("iam:") ? Kind::kIamUser : Kind::kUser;
    const object::ObjectView* user =
        source == nullptr ? nullptr : source->objects.Find(kind, account);
    if (user != nullptr && !user->id.empty()) {
      return compile::FactIdentityOf(place.target, *user);
    }
  }
  return in_.desired->IdentityOf(place, account);
}

// Who stood behind an account or entry when it was last applied; empty: nobody that is recorded.
std::string_view Planner::FormerIdentity(const access::Place& place,
                                         std::string_view account) const {
  const auto recorded = in_.recorded->find(place.target);
  if (recorded == in_.recorded->end()) return {};
  const auto of = [&](Kind kind, std::string_view key) -> std::string_view {
    const ledger::Recorded* row = FindRecorded(recorded->second, kind, key);
    if (row == nullptr) return {};
    const std::string_view identity = compile::IdentityInOwner(row->owner);
    // A user that is for nobody is its own identity.
    return identity.empty() && kind == Kind::kIamUser ? std::string_view(row->owner) : identity;
  };
  if (!place.server.empty()) {
    return of(Kind::kAccount, object::MakeKey(Kind::kAccount, {place.server, account}));
  }
  const std::string_view iam_user = of(Kind::kIamUser, account);
  return iam_user.empty() ? of(Kind::kUser, account) : iam_user;
}

namespace {

// Login or entry that a key speaks about, with its place; empty for what is nobody's.
std::pair<access::Place, std::string> HolderOf(const std::string& target, Kind kind,
                                               std::string_view key) {
  const auto parts = object::SplitKey(key);
  switch (kind) {
    case Kind::kUser:
    case Kind::kMembership:
    case Kind::kIamUser:
    case Kind::kIamMembership:
    case Kind::kOauthClient:
      return {{target, ""}, access::EntryOf(kind, key)};
    case Kind::kAccount:
    case Kind::kSshKey:
      return {{target, std::string(parts[0])}, std::string(parts[1])};
    case Kind::kServerMembership:
      return {{target, std::string(parts[0])}, std::string(parts[2])};
    case Kind::kGrant:
      if (parts[3].starts_with("account:")) {
        return {{target, std::string(parts[0])}, std::string(parts[3].substr(8))};
      }
      return {{target, std::string(parts[0])}, ""};
    default:
      return {{target, ""}, ""};
  }
}

}  // namespace

// Whose the row is: an identity, the group or everyone that a grant is for; else the object itself.
std::string Planner::SubjectOf(const Row& row) const {
  const auto [place, account] = HolderOf(plan_.targets[row.target].name, row.kind, row.key);
  if (!account.empty()) return IdentityAt(place, account);
  if (row.kind == Kind::kGrant) return std::string(object::SplitKey(row.key)[3]);
  const auto& body = row.observed != nullptr ? std::string(row.observed->body) : row.recorded->body;
  return object::DescribeSpelled(row.kind, row.key, body);
}

// Live as it was recorded, as far as that can be read. Nearly every row ends here.
bool Planner::AsRecorded(const Row& row) {
  const ledger::Recorded& recorded = *row.recorded;
  if (object::IsOtherId(recorded.id, row.observed->id)) return false;
  const uint64_t unreadable = row.observed->unreadable;
  if (unreadable != 0 && (unreadable & object::FieldsSet(recorded.body)) != 0) return true;
  return !SecretMoved(row) && object::Satisfies(row.kind, recorded.body, row.observed->body);
}

bool Planner::SecretMoved(const Row& row) {
  return !row.recorded->secret_stored.empty() &&
         row.recorded->secret_stored != SecretIn(row.kind, row.observed->body);
}

// A killed apply was writing it: open, neither drift nor foreign.
bool Planner::IsOpen(const Row& row) const {
  return std::any_of(in_.open_intents.begin(), in_.open_intents.end(),
                     [&](const ledger::OpenIntent& open) {
                       return open.intent.target == plan_.targets[row.target].name &&
                              open.intent.kind == row.kind && open.intent.key == row.key;
                     });
}

void Planner::NoteDrift(const Row& row) {
  if (row.recorded == nullptr) return;
  if (row.observed != nullptr && AsRecorded(row)) return;
  if (IsOpen(row)) return;
  Drift drift;
  drift.target = row.target;
  drift.kind = row.kind;
  drift.key = row.key;
  drift.who = SubjectOf(row);
  if (row.observed == nullptr) {
    if (!ScopeFor(row).complete) return;
    drift.type = Drift::Type::kMissing;
    const bool retired = row.recorded->retired_at != 0;
    drift.effect = object::TableOf(row.kind).bears_access && !retired ? Drift::Effect::kLess
                                                                      : Drift::Effect::kEqual;
    drift.what = PresenceText(row.kind, row.key, row.recorded->body, false);
    if (IsBaseline(row.kind, row.key)) {
      drift.effect = Drift::Effect::kMore;
      drift.what =
          fmt::format("the deny-all is gone: folders below {} are open as far as POSIX allows",
                      object::SplitKey(row.key)[1]);
    }
    plan_.drift.push_back(std::move(drift));
    return;
  }
  drift.changed_by = row.observed->changed_by;
  drift.changed_at = row.observed->changed_at;
  drift.how_known = row.observed->how_known;
  NoteChanged(row, std::move(drift));
}

void Planner::NoteChanged(const Row& row, Drift drift) {
  if (object::IsOtherId(row.recorded->id, row.observed->id)) {
    drift.type = Drift::Type::kReplaced;
    drift.effect = Drift::Effect::kUnknown;
    drift.what = fmt::format("{} re-created under the same name (id {} -> {})",
                             object::NameOf(row.kind), row.recorded->id, row.observed->id);
    plan_.drift.push_back(std::move(drift));
    return;
  }
  const auto fields = object::Differences(row.kind, row.recorded->body, row.observed->body);
  drift.type = Drift::Type::kChanged;
  drift.effect = EffectOf(row.kind, fields, row.recorded->body, row.observed->body);
  drift.what = FieldsText(row.kind, fields, row.recorded->body, row.observed->body);
  if (SecretMoved(row)) {
    drift.what += drift.what.empty() ? "password changed" : "; password changed";
    if (drift.effect == Drift::Effect::kEqual) drift.effect = Drift::Effect::kUnknown;
  }
  plan_.drift.push_back(std::move(drift));
}

void Planner::NoteForeign(const Row& row) {
  if (IsOpen(row)) return;
  Drift drift;
  drift.target = row.target;
  drift.kind = row.kind;
  drift.key = row.key;
  // An element of something that is ours alone (a key, a member, a row of our include) changes what
  // we declared; an account or entry of its own is foreign.
  const bool element = IsRelation(row.kind) || row.kind == Kind::kGrant;
  drift.type = element ? Drift::Type::kChanged : Drift::Type::kForeign;
  drift.who = SubjectOf(row);
  const uint32_t open = OpenField(row.kind);
  const bool locked = open != 0 && !FlagIn(row.observed->body, open, true);
  drift.effect = object::TableOf(row.kind).bears_access && !locked ? Drift::Effect::kMore
                                                                   : Drift::Effect::kEqual;
  drift.what = PresenceText(row.kind, row.key, row.observed->body, true);
  if (locked && row.kind == Kind::kSshKey) {
    const auto parts = object::SplitKey(row.key);
    drift.type = Drift::Type::kForeign;
    drift.what = fmt::format("key {} of {} at {} is in quarantine: it opens nothing", parts[2],
                             parts[1], parts[0]);
  }
  drift.changed_by = row.observed->changed_by;
  drift.changed_at = row.observed->changed_at;
  drift.how_known = row.observed->how_known;
  plan_.drift.push_back(std::move(drift));
}

}  // namespace postern::plan
