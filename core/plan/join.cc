// Desired ⋈ observed ⋈ recorded: a merge join by key, then by stable id over what is left.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/plan/planner.h"
#include "core/plan/unsupported.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

template <class T>
bool Less(const T& a, Kind kind, std::string_view key) {
  return a.kind != kind ? a.kind < kind : std::string_view(a.key) < key;
}

}  // namespace

void Planner::JoinTarget(uint32_t index, const observe::ObservedTarget& target) {
  static const std::vector<compile::DesiredObject> kNoDesired;
  static const std::vector<ledger::Recorded> kNoRecorded;
  const auto& desired = desired_[index] != nullptr ? desired_[index]->objects : kNoDesired;
  const auto at = in_.recorded->find(target.name);
  const auto& recorded = at == in_.recorded->end() ? kNoRecorded : at->second;
  const auto& observed = target.objects.all();
  Unsupported lacks(IamOf(index) != nullptr ? &target : nullptr);
  size_t d = 0, o = 0, r = 0;
  while (d < desired.size() || o < observed.size() || r < recorded.size()) {
    Row row;
    row.target = index;
    bool first = true;
    const auto consider = [&](const auto& list, size_t position) {
      if (position >= list.size()) return;
      if (first || Less(list[position], row.kind, row.key)) {
        row.kind = list[position].kind;
        row.key = list[position].key;
        first = false;
      }
    };
    consider(desired, d);
    consider(observed, o);
    consider(recorded, r);
    const auto matches = [&](const auto& list, size_t position) {
      return position < list.size() && list[position].kind == row.kind &&
             std::string_view(list[position].key) == row.key;
    };
    if (matches(desired, d)) row.desired = &desired[d++];
    // Several declarations may want one object; compile has put their sources together or
    // complained.
    while (matches(desired, d)) ++d;
    if (matches(observed, o)) row.observed = &observed[o++];
    if (matches(recorded, r)) row.recorded = &recorded[r++];
    ClearUndeclared(&row);
    KeepTheirId(&row);
    GiveBack(&row);
    if (const uint64_t fields = lacks.FieldsIn(row.kind, row.desired); fields != 0) {
      const diag::Span place = in_.desired->provenance[row.desired->sources.front()].span;
      lacks.Say(target.name, row.kind, fields, place, diagnostics_);
      PutDesired(&row, Restrict(row.desired->body, ~fields));
    }
    Decide(row);
  }
}

// An end that was declared and isn't any more is none, where the kind says so. Of what is locked
// nothing is said: the lock stands in its place.
void Planner::ClearUndeclared(Row* row) {
  if (row->desired == nullptr || row->recorded == nullptr) return;
  if (row->desired->body == row->recorded->body) return;
  std::string gone;
  const uint64_t wanted = object::FieldsSet(row->desired->body);
  for (const object::FieldTable& field : object::TableOf(row->kind).fields) {
    const uint64_t bit = uint64_t{1} << field.number;
    if (!field.clears || (wanted & bit) != 0) continue;
    if ((object::FieldsSet(row->recorded->body) & bit) != 0) gone += NeverField(field.number);
  }
  if (gone.empty()) return;
  PutDesired(row,
             WithoutEndOfLocked(row->kind, object::Overlay(row->kind, row->desired->body, gone)));
}

// A user or group that is taken over keeps the id that its source gave it; ours goes to what has
// none, and what we gave once stays ours. One that was declared stands, whatever is live.
void Planner::KeepTheirId(Row* row) {
  if (row->kind != Kind::kIamUser && row->kind != Kind::kIamGroup) return;
  if (row->desired == nullptr || row->observed == nullptr) return;
  constexpr uint32_t kExternalId = 2;
  const uint64_t bit = uint64_t{1} << kExternalId;
  if (row->recorded != nullptr && (object::FieldsSet(row->recorded->body) & bit) != 0) return;
  const std::string_view wanted = TextIn(row->desired->body, kExternalId);
  const std::string_view live = TextIn(row->observed->body, kExternalId);
  if (live.empty() || live == wanted) return;
  const std::string_view owner = in_.desired->provenance[row->desired->sources.front()].owner;
  if (wanted != owner.substr(0, owner.find(' '))) return;  // not the address: declared
  PutDesired(row, Restrict(row->desired->body, ~bit));
}

void Planner::PutDesired(Row* row, std::string body) {
  auto& [bytes, object] = cleared_.emplace_back(std::move(body), *row->desired);
  object.body = bytes;
  row->desired = &object;
}

void Planner::Decide(const Row& row) {
  const bool runs = row.kind == Kind::kSession || row.kind == Kind::kJobRun;
  if (runs || object::TableOf(row.kind).observed_only) return;
  if (!IsMoved(row)) {
    NoteDrift(row);
    NoteSilent(row);
  }
  if (row.desired != nullptr) {
    row.observed != nullptr ? DecideBoth(row) : DecideMissing(row);
  } else if (row.recorded != nullptr) {
    DecideRemoved(row);
  } else {
    DecideUndeclared(row);
  }
}

Change& Planner::AddChange(const Row& row, Action action, Reason reason) {
  Change change;
  change.target = row.target;
  change.kind = row.kind;
  change.key = row.key;
  change.action = action;
  change.reason = reason;
  if (row.desired != nullptr) {
    change.after = row.desired->body;
    change.owned = row.desired->owned;
    const compile::Provenance& source = in_.desired->provenance[row.desired->sources.front()];
    change.owner = in_.desired->OwnerOfSources(row.desired->sources);
    change.place = in_.sources->Place(source.span);
  } else if (row.recorded != nullptr) {
    change.owner = row.recorded->owner;
  }
  if (row.observed != nullptr) {
    change.before =
        Restrict(row.observed->body, ~(SecretMask(row.kind) | object::ServerOwnedMask(row.kind)));
    change.note = NoteIn(row.kind, row.observed->body);
    change.id = row.observed->id;
    change.changed_by = row.observed->changed_by;
    change.changed_at = row.observed->changed_at;
    change.how_known = row.observed->how_known;
  }
  SayTime(row, &change);
  if (row.kind == Kind::kIamUser && row.observed != nullptr && WritesTarget(action) &&
      FlagIn(row.observed->body, kinds::IamUser::kSynchronizedFieldNumber, false)) {
    change.held = "it comes from another system: change it there";
  }
  plan_.changes.push_back(std::move(change));
  return plan_.changes.back();
}

// Wanted locked, and open as far as can be seen.
bool Planner::Locks(const Row& row) {
  const uint32_t enabled = EnabledFieldOf(row.kind);
  return enabled != 0 && !FlagIn(row.desired->body, enabled, true) &&
         FlagIn(row.observed->body, enabled, true);
}

// Wanted and live.
void Planner::DecideBoth(const Row& row) {
  const ledger::Recorded* recorded = row.recorded;
  const bool replaced = recorded != nullptr && object::IsOtherId(recorded->id, row.observed->id);
  if (DecideSourced(row, replaced)) return;
  // A container (folder, ou, group entry) bears no access of its own and holds what isn't ours: it
  // is taken over under its new id, never deleted.
  // Somebody else has the login now: the account isn't his.
  if (std::string had = HandedOver(row); !had.empty()) {
    NoteHandover(row, std::move(had));
    if (row.kind == Kind::kAccount) {
      const bool by_role =
          in_.desired->inherited.contains({plan_.targets[row.target].name, std::string(row.key)});
      AddChange(row, Action::kReplace, by_role ? Reason::kFact : Reason::kChanged);
      replaced_.insert({row.target, row.key});
      return;
    }
  }
  if (OfReplaced(row)) {
    ReplaceRow(row);
    return;
  }
  const bool holds_data = object::TableOf(row.kind).on_removal == object::OnRemoval::kRelease;
  if (replaced && !holds_data) {
    AddChange(row, Action::kReplace, Reason::kReplaced);
    if (row.kind == Kind::kAccount) replaced_.insert({row.target, row.key});
    return;
  }
  const uint64_t unreadable = row.observed->unreadable;
  if (unreadable != 0 && (unreadable & object::FieldsSet(row.desired->body)) != 0) {
    return DecideUnread(row);
  }
  std::string secret;
  const bool secret_differs = SecretDiffers(row, &secret);
  if (!secret_differs && object::Satisfies(row.kind, row.desired->body, row.observed->body)) {
    DecideSame(row, replaced, secret);
  } else {
    DecideOther(row, secret_differs, secret);
  }
}

// A row of an account that is made anew, under another number: it is taken away and given anew, as
// what folders say is of the number.
bool Planner::OfReplaced(const Row& row) const {
  if (replaced_.empty() || row.kind != Kind::kGrant) return false;
  const auto parts = object::SplitKey(row.key);
  if (!parts[3].starts_with("account:")) return false;
  const std::string account = object::MakeKey(Kind::kAccount, {parts[0], parts[3].substr(8)});
  return replaced_.contains({row.target, account});
}

// Where the account waits for the next plan, what is given anew waits with it.
void Planner::ReplaceRow(const Row& row) {
  const auto parts = object::SplitKey(row.key);
  const bool waits = without_account_.contains(
      {row.target, std::string(parts[0]), std::string(parts[3].substr(8))});
  Change& change = AddChange(row, waits ? Action::kDelete : Action::kReplace, Reason::kConsequence);
  if (!waits) return;
  change.after.clear();
  if (row.recorded != nullptr) change.owner = row.recorded->owner;
}

// A field that decides couldn't be read.
void Planner::DecideUnread(const Row& row) {
  if (!Locks(row)) {
    AddChange(row, Action::kUpdate, Reason::kChanged).held =
        "a field that decides couldn't be read on the target";
    return;
  }
  // An end isn't held by what else couldn't be read: the lock alone is written.
  const uint64_t lock = uint64_t{1} << EnabledFieldOf(row.kind);
  Change& change = AddChange(row, Action::kUpdate, Reason::kChanged);
  change.after = Restrict(change.after, KeyMask(row.kind) | lock);
  change.fields = object::Differences(row.kind, change.after, row.observed->body);
}

// By which roles it is there, and for whom: the ledger must say, for the day when one of them can't
// be asked, or when its declaration is gone.
bool Planner::SameOwner(const Row& row) const {
  const std::string& recorded = row.recorded->owner;
  const auto& sources = row.desired->sources;
  if (sources.size() == 1 && in_.desired->provenance[sources.front()].owner == recorded) {
    return true;  // nearly always
  }
  const std::string owner = in_.desired->OwnerOfSources(sources);
  if (owner == recorded) return true;
  if (recorded.starts_with("role:") || owner.starts_with("role:")) return false;
  return compile::IdentityInOwner(owner) == compile::IdentityInOwner(recorded);
}

// Recorded are the fields that are wanted, with these values. Nearly every row ends at the first
// comparison.
bool Planner::SameValues(const Row& row) {
  const std::string_view wanted = row.desired->body, recorded = row.recorded->body;
  if (wanted == recorded) return true;
  const uint64_t secret = SecretMask(row.kind);
  const uint64_t fields = object::FieldsSet(wanted) & row.desired->owned;
  return (object::FieldsSet(recorded) | secret) == (fields | secret) &&
         object::Satisfies(row.kind, Restrict(wanted, fields), recorded);
}

// Live as wanted: at most the record is made to say so.
void Planner::DecideSame(const Row& row, bool replaced, const std::string& secret) {
  const ledger::Recorded* recorded = row.recorded;
  if (recorded != nullptr && recorded->retired_at == 0 && !replaced && SameValues(row) &&
      SameOwner(row)) {
    return;
  }
  // What a restore finds as it was, and nobody declares, isn't ours.
  if (in_.desired->provenance[row.desired->sources.front()].owner == compile::kRestored) return;
  const uint64_t wanted = object::FieldsSet(row.desired->body);
  const uint64_t released =
      recorded == nullptr ? 0 : object::FieldsSet(recorded->body) & ~wanted & ~SecretMask(row.kind);
  AddChange(row, Action::kAdopt,
            recorded == nullptr ? Reason::kDeclared
            : replaced          ? Reason::kReplaced
                                : Reason::kChanged)
      .secret_desired = secret;
  if (released == 0) return;
  plan_.looks.push_back(
      {fmt::format("{}: a line is gone from its declaration", object::Describe(row.kind, row.key)),
       "released, the live value stays", plan_.changes.back().place});
}

// Live otherwise than wanted.
void Planner::DecideOther(const Row& row, bool secret_differs, const std::string& secret) {
  const ledger::Recorded* recorded = row.recorded;
  const bool as_recorded = recorded != nullptr &&
                           object::Satisfies(row.kind, row.desired->body, recorded->body) &&
                           (!secret_differs || recorded->secret_desired == secret);
  Change& change = AddChange(row, Action::kUpdate, as_recorded ? Reason::kDrift : Reason::kChanged);
  change.fields = object::Differences(row.kind, row.desired->body, row.observed->body);
  change.secret_desired = secret;
  if (secret_differs) {
    object::FieldDifference difference;
    difference.name = "password";
    difference.secret = true;
    difference.has_after = true;
    difference.has_before = !SecretIn(row.kind, row.observed->body).empty();
    change.fields.push_back(std::move(difference));
  } else {
    // The live secret is the wanted one: don't write it again.
    change.after = Restrict(change.after, ~SecretMask(row.kind));
  }
  const ScopeState& scope = ScopeFor(row);
  if (!scope.complete && row.kind == Kind::kGrant) change.held = scope.reason;
}

bool Planner::SecretDiffers(const Row& row, std::string* wanted_digest) const {
  const std::string_view wanted = SecretIn(row.kind, row.desired->body);
  if (wanted.empty()) return false;
  const auto digest = in_.secret_digests.find(std::string(wanted));
  if (digest == in_.secret_digests.end()) return false;  // reported where secrets are read
  *wanted_digest = digest->second;
  if (row.observed == nullptr || row.recorded == nullptr) return true;
  return row.recorded->secret_desired != digest->second ||
         row.recorded->secret_stored != SecretIn(row.kind, row.observed->body);
}

// Wanted, not live.
void Planner::DecideMissing(const Row& row) {
  const Reason reason = row.recorded == nullptr ? Reason::kDeclared
                        : IsMoved(row)          ? Reason::kChanged
                                                : Reason::kDrift;
  std::string secret;
  SecretDiffers(row, &secret);
  Change& change = AddChange(row, Action::kCreate, reason);
  change.secret_desired = secret;
  const ScopeState& scope = ScopeFor(row);
  if (!scope.complete) {
    change.held = scope.reason;
  } else if (row.recorded == nullptr) {  // nobody asked for it by name
    HoldIfUnstable(row, &change);
  }
  HoldUnknown(row, &change);
}

// What goes because its time is over, or hasn't come: a declaration still has it.
void Planner::SayTime(const Row& row, Change* change) const {
  if (change->action == Action::kCreate) return;
  const std::tuple at{row.target, row.kind, row.key};
  const auto say = [&](const compile::OffTime& off, std::string_view verb) {
    change->cause = fmt::format("{} {} {}", off.whose.empty() ? "its time" : off.whose, verb,
                                base::FormatHuman(off.at));
    if (change->place.empty()) change->place = in_.sources->Place(off.span);
  };
  if (const auto over = expired_.find(at); over != expired_.end()) {
    change->reason = Reason::kExpired;
    return say(*over->second, "ended");
  }
  const auto off = ahead_.find(at);
  if (off == ahead_.end()) return;
  const uint32_t enabled = EnabledFieldOf(row.kind);
  const bool shut =
      enabled != 0 && row.desired != nullptr && !FlagIn(row.desired->body, enabled, true);
  if (row.desired != nullptr && !shut) return;  // another declaration wants it now
  if (change->reason == Reason::kRemoved) change->reason = Reason::kChanged;
  if (change->reason == Reason::kChanged) say(*off->second, "begins");
}

}  // namespace postern::plan
