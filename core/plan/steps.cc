// Changes split into steps by direction: down before up.
#include <fmt/format.h>

#include <algorithm>

#include "core/plan/looks.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Direction;
using object::Kind;

constexpr uint32_t kAccountEnabled = EnabledFieldOf(Kind::kAccount);

// The file or entry that a row lives in: rows of one container are written together.
std::string ContainerFor(Kind kind, std::string_view key) {
  const auto parts = object::SplitKey(key);
  switch (kind) {
    case Kind::kOu:
    case Kind::kUser:
    case Kind::kDirectoryGroup:
    case Kind::kIamUser:
      return std::string(key);
    case Kind::kMembership:
    case Kind::kIamMembership:
      return std::string(parts[0]);
    case Kind::kFolder:
      return std::string(parts[1]);
    case Kind::kIamGroup:  // of one container with its members
    case Kind::kIamRole:
    case Kind::kIamAccessRole:
      return IamSetType(kind) + std::string(key);
    default:
      return fmt::format("{}:{}", parts[0], object::NameOf(kind));
  }
}

// Fields of `after` by what they mean for access.
struct Fields {
  uint64_t plain = 0, incomparable = 0, enabling = 0, other = 0, secret = 0;
};

Fields Sort(Kind kind) {
  Fields fields;
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    if (field.key) continue;
    const uint64_t bit = uint64_t{1} << field.number;
    if (field.secret) {
      fields.secret |= bit;
    } else if (field.direction == Direction::kNone) {
      fields.plain |= bit;
    } else if (field.direction == Direction::kIncomparable) {
      fields.incomparable |= bit;
    } else if (field.direction == Direction::kAnd) {
      fields.enabling |= bit;
    } else {
      fields.other |= bit;
    }
  }
  return fields;
}

// What both worlds allow, as a change of `before`: fields where before and after differ take the
// value that gives less.
struct Meeting {
  std::string body;
  bool locks = false;    // by a lock alone: neither value of a field is less
  bool nothing = false;  // no body says it: the object goes and comes back
};

Meeting Meet(Kind kind, const std::string& before, const std::string& after) {
  Meeting out;
  std::string& meet = out.body = before;
  for (const object::FieldDifference& field : object::Differences(kind, after, before)) {
    const object::FieldTable& table = *object::TableOf(kind).Find(field.field);
    switch (table.direction) {
      case Direction::kAnd:
        meet = WithFlag(kind, meet, field.field, false);
        break;
      case Direction::kIntersect: {
        if (table.collection) {
          std::string set;
          // A client that went would leave its secret behind, and without scopes it may ask for
          // all: the new ones come in one replacement.
          if (kind == Kind::kOauthClient) break;
          out.nothing = !MeetOfSets(table.number, before, after, &set) || out.nothing;
          meet = object::Overlay(kind, meet, set);
          break;
        }
        auto grant = object::DecodeAs<kinds::Grant>(meet);
        const uint32_t had = grant.rights(), has = object::DecodeAs<kinds::Grant>(after).rights();
        // A row that is wanted without rights is a deny-all and stays.
        out.nothing = had != 0 && has != 0 && (had & has) == 0;
        grant.set_rights(had & has);
        meet = object::EncodeBody(grant);
        break;
      }
      case Direction::kEarlier:
        // RFC 3339 in UTC sorts as text; not set is for ever.
        if (!field.has_before || field.after < field.before) {
          meet = object::Overlay(kind, meet, Restrict(after, uint64_t{1} << field.field));
        }
        break;
      case Direction::kLater:
        if (field.has_before && field.after > field.before) {
          meet = object::Overlay(kind, meet, Restrict(after, uint64_t{1} << field.field));
        }
        break;
      case Direction::kIncomparable:
        out.locks = true;
        break;
      case Direction::kNone:
        break;
    }
  }
  const uint32_t enabled = EnabledFieldOf(kind);
  if (out.locks && enabled != 0 && FlagIn(meet, enabled, true)) {
    meet = WithFlag(kind, meet, enabled, false);
  }
  return out;
}

}  // namespace

bool Planner::CanDisable(const Change& change) const {
  for (const object::Capability& capability : observed_[change.target]->probe.capabilities) {
    if (capability.kind != object::NameOf(change.kind)) continue;
    if (capability.field == "enabled" || capability.field == "active") {
      return capability.support != "unsupported";
    }
  }
  return true;
}

void Planner::AddStep(uint32_t change, Phase phase, std::string before, std::string after,
                      bool removes, bool adds) {
  const Change& of = plan_.changes[change];
  before = WithoutEndOfLocked(of.kind, std::move(before));
  after = WithoutEndOfLocked(of.kind, std::move(after));
  if (of.kind == Kind::kAccount && FlagIn(after, kAccountEnabled, false) &&
      !FlagIn(before, kAccountEnabled, true)) {
    // What opens the account says its end again.
    after = object::Overlay(of.kind, after,
                            Restrict(of.after, uint64_t{1} << kinds::Account::kExpiresFieldNumber));
  }
  Step step;
  step.change = change;
  step.phase = phase;
  step.container = ContainerFor(of.kind, of.key);
  step.operation.kind = of.kind;
  step.operation.key = of.key;
  step.operation.before = std::move(before);
  step.operation.after = std::move(after);
  step.operation.expect_id = of.id;
  step.removes = removes;
  step.adds = adds;
  plan_.steps.push_back(std::move(step));
}

void Planner::MakeSteps() {
  CancelRenames(&plan_);
  const auto steps_of = [this](bool jobs) {
    for (uint32_t i = 0; i < plan_.changes.size(); ++i) {
      const Change& change = plan_.changes[i];
      if (change.held.empty() && (change.kind == Kind::kJob) == jobs) StepsOf(i);
    }
  };
  steps_of(false);
  HoldStarts();
  steps_of(true);
  AddLooks(&plan_, *in_.desired, *in_.sources);
  LookAtServices();
  StopRuns();
  EndSessions();
}

void Planner::StepsOf(uint32_t index) {
  const Change& change = plan_.changes[index];
  switch (change.action) {
    case Action::kCreate:
      StepsOfCreate(index);
      return;
    case Action::kUpdate:
      StepsOfUpdate(index);
      return;
    case Action::kReplace:
      StepsOfReplace(index);
      return;
    case Action::kRename:
      StepsOfRename(index);
      return;
    case Action::kDelete:
    case Action::kDisable:
      StepsOfRemoval(index);
      return;
    default:
      return;  // only the ledger changes
  }
}

void Planner::StepsOfCreate(uint32_t index) {
  const Change& change = plan_.changes[index];
  const bool replaces = change.action == Action::kReplace;
  const size_t first = plan_.steps.size();
  const uint32_t enabled = EnabledFieldOf(change.kind);
  if (enabled != 0 && FlagIn(change.after, enabled, true) && CanDisable(change)) {
    const std::string closed = WithFlag(change.kind, change.after, enabled, false);
    AddStep(index, Phase::kStructure, "", closed, false, false);
    const uint64_t mask = (uint64_t{1} << enabled) | KeyMask(change.kind);
    AddStep(index, Phase::kEnable, Restrict(closed, mask), Restrict(change.after, mask), false,
            true);
  } else if (IsBaseline(change.kind, change.key)) {
    // What isn't granted isn't allowed from here on: a revocation, before anything is granted.
    AddStep(index, Phase::kRevoke, "", change.after, true, false);
  } else if (object::TableOf(change.kind).bears_access) {
    const bool opens = enabled == 0 || FlagIn(change.after, enabled, true);
    AddStep(index, enabled != 0 ? Phase::kStructure : Phase::kOpen, "", change.after, false, opens);
  } else {
    AddStep(index, Phase::kStructure, "", change.after, false, false);
  }
  // The new object has an id that nobody knows yet.
  for (size_t i = first; i < plan_.steps.size(); ++i) {
    if (replaces || change.id.empty()) plan_.steps[i].operation.expect_id.clear();
  }
}

// What gives less goes first, under the old name; then the move; all else under the new name.
void Planner::StepsOfRename(uint32_t index) {
  const Change& change = plan_.changes[index];
  const uint64_t keys = KeyMask(change.kind);
  const std::string before =
      Restrict(change.before, object::FieldsSet(change.after) & ~SecretMask(change.kind));
  // Only entries move: all of their fields have a meet.
  const std::string meet = Meet(change.kind, before, change.after).body;
  if (!object::Satisfies(change.kind, meet, before)) {
    AddStep(index, Phase::kRevoke, before, meet, true, false);
    plan_.steps.back().operation.key = change.old_key;
    plan_.steps.back().container = ContainerFor(change.kind, change.old_key);
  }
  AddStep(index, Phase::kStructure, Restrict(change.before, keys), Restrict(change.after, keys),
          false, false);
  Step& step = plan_.steps.back();
  step.operation.new_key = change.key;
  step.operation.key = change.old_key;
  step.container = ContainerFor(change.kind, change.old_key);
  if (!object::Satisfies(change.kind, change.after, meet) ||
      !SecretIn(change.kind, change.after).empty()) {
    AddStep(index, Phase::kEnable, Restrict(change.after, keys), change.after, false, true);
  }
}

// Nothing that it gave is given afterwards: it goes in the revoke phase, and what comes in the open
// phase keeps of it what nobody manages; not the names of an authority, they are no other key's.
void Planner::GoAndComeBack(uint32_t index, const std::string& now) {
  const Change& change = plan_.changes[index];
  AddStep(index, Phase::kRevoke, now, "", true, false);
  const uint64_t names = change.kind == Kind::kSshKey
                             ? uint64_t{1} << kinds::SshKey::kPrincipalsFieldNumber
                             : uint64_t{0};
  const std::string kept = Restrict(change.before, ~names);
  AddStep(index, Phase::kOpen, "", object::Overlay(change.kind, kept, change.after), false, true);
  plan_.steps.back().operation.expect_id.clear();
}

// before -> meet (revoke) -> other fields (structure) -> wider values (open) -> enabled (enable).
void Planner::StepsOfUpdate(uint32_t index) {
  const Change& change = plan_.changes[index];
  if (change.kind == Kind::kSshKey && !FlagIn(change.before, OpenField(change.kind), true)) {
    // From quarantine, where it opens nothing: nothing of it is revoked.
    AddStep(index, Phase::kOpen, change.before, change.after, false, true);
    return;
  }
  const uint64_t keys = KeyMask(change.kind);
  const uint64_t managed = object::FieldsSet(change.after) | keys;
  const Fields fields = Sort(change.kind);
  const uint32_t enabled = EnabledFieldOf(change.kind);
  uint64_t compared = managed & ~fields.secret;
  std::string now = Restrict(change.before, compared);
  const bool stops = HoldsStart(change);
  if (stops) now = Restrict(change.before, compared | (uint64_t{1} << enabled));
  const Meeting meet =
      Meet(change.kind, stops ? WithFlag(change.kind, now, enabled, false) : now, change.after);
  if (meet.nothing) {
    GoAndComeBack(index, now);
    return;
  }
  if (meet.locks && enabled != 0) {
    // The lock touches `enabled` even where the declaration doesn't name it.
    now = Restrict(change.before, compared | (uint64_t{1} << enabled));
  }
  const auto advance = [&](Phase phase, const std::string& next, bool removes, bool adds) {
    if (object::Satisfies(change.kind, next, now) &&
        object::FieldsSet(next) == (object::FieldsSet(next) & object::FieldsSet(now))) {
      return;
    }
    if (WithoutEndOfLocked(change.kind, now) == WithoutEndOfLocked(change.kind, next)) {
      now = next;
      return;
    }
    AddStep(index, phase, now, next, removes, adds);
    now = object::Overlay(change.kind, now, next);
  };
  if (stops) advance(Phase::kStop, WithFlag(change.kind, now, enabled, false), true, false);
  advance(Phase::kRevoke, meet.body, true, false);
  const std::string structure = object::Overlay(
      change.kind, now, Restrict(change.after, (fields.plain | fields.incomparable) & managed));
  advance(Phase::kStructure, structure, false, false);
  // The secret goes along with what else opens: a change has one step a phase.
  const std::string open =
      object::Overlay(change.kind, now, Restrict(change.after, fields.other & managed));
  const size_t before_open = plan_.steps.size();
  advance(Phase::kOpen, open, false, true);
  const std::string secret = Restrict(change.after, keys | fields.secret);
  if (SecretIn(change.kind, change.after).empty()) {
    // nothing more to write
  } else if (plan_.steps.size() == before_open) {
    AddStep(index, Phase::kOpen, Restrict(now, keys), secret, false, true);
  } else {
    object::Operation& operation = plan_.steps.back().operation;
    operation.after = object::Overlay(change.kind, operation.after, secret);
  }
  const std::string final =
      object::Overlay(change.kind, now, Restrict(change.after, fields.enabling & managed));
  advance(Phase::kEnable, final, false, true);
}

// What can be locked is locked first and goes when its sessions were ended: a host keeps an account
// that still runs something (userdel(8)). What takes its place waits for that.
void Planner::StepsOfReplace(uint32_t index) {
  const Change& change = plan_.changes[index];
  const uint64_t keys = KeyMask(change.kind);
  const std::string before = Restrict(change.before, keys);
  const uint32_t enabled = EnabledFieldOf(change.kind);
  if (enabled != 0 && FlagIn(change.before, enabled, true) && CanDisable(change)) {
    const std::string open = Restrict(change.before, keys | (uint64_t{1} << enabled));
    AddStep(index, Phase::kRevoke, open, WithFlag(change.kind, open, enabled, false), true, false);
    AddStep(index, Phase::kStructure, before, "", false, false);
  } else {
    AddStep(index, Phase::kRevoke, before, "", true, false);
  }
  StepsOfCreate(index);
}

void Planner::StepsOfRemoval(uint32_t index) {
  if (RetireKey(index)) return;
  const Change& change = plan_.changes[index];
  const bool aside = change.action == Action::kDisable;
  const uint32_t enabled = aside ? OpenField(change.kind) : EnabledFieldOf(change.kind);
  const uint64_t keys = KeyMask(change.kind);
  if (enabled != 0 && FlagIn(change.before, enabled, true) && CanDisable(change)) {
    const std::string before = Restrict(change.before, keys | (uint64_t{1} << enabled));
    AddStep(index, HoldsStart(change) ? Phase::kStop : Phase::kRevoke, before,
            WithFlag(change.kind, before, enabled, false), true, false);
  }
  if (change.action != Action::kDelete) return;
  const bool access = object::TableOf(change.kind).bears_access && enabled == 0;
  // What of these is taken away is their content.
  const bool whole = change.kind == Kind::kGrant || change.kind == Kind::kNativeRule;
  const uint64_t mask = whole ? ~uint64_t{0} : keys;
  AddStep(index, access ? Phase::kRevoke : Phase::kRetire, Restrict(change.before, mask), "",
          access, false);
}

}  // namespace postern::plan
