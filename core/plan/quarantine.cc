// What nobody declared is put out of force and kept (manage.foreign = "quarantine"): accounts as a
// whole, and single keys of accounts whose keys are declared.
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {

using object::Kind;

// Nobody gets in any more, and everything stays for whoever looks into it.
void Planner::Quarantine(const Row& row) {
  if (row.kind != Kind::kAccount && row.kind != Kind::kSshKey) return;
  if (!FlagIn(row.observed->body, OpenField(row.kind), true)) return;
  AddChange(row, Action::kDisable, Reason::kForeign).retired_at = in_.as_of;
}

// A key or member that nobody declared in a set that is declared as a whole: it never stays in
// force. What is in quarantine opens nothing; only `remove` deletes it.
void Planner::DecideForeignElement(const Row& row) {
  NoteForeign(row);
  const std::string policy = ForeignPolicy(row.target);
  if (row.kind == Kind::kSshKey && policy != "remove") {
    const bool open = FlagIn(row.observed->body, OpenField(row.kind), true);
    if (policy == "quarantine" || !open) return Quarantine(row);
  }
  HoldIfUnstable(row, &AddChange(row, Action::kDelete, Reason::kForeign));
}

// A key that an apply put in quarantine, and that still nobody declares.
void Planner::DecideSetAside(const Row& row) {
  const bool exact = AuthorityFor(row) == compile::Authority::kExact;
  const std::string policy = ForeignPolicy(row.target);
  if (!FlagIn(row.observed->body, OpenField(row.kind), true)) {
    NoteForeign(row);
    if (policy == "remove") AddChange(row, Action::kDelete, Reason::kForeign);
    return;
  }
  // Opened again by hand; where the account's keys are nobody's now, that is its owner's business.
  if (!exact) {
    AddChange(row, Action::kRelease, Reason::kRemoved);
  } else if (policy == "quarantine") {
    AddChange(row, Action::kDisable, Reason::kDrift).retired_at = row.recorded->retired_at;
  } else {
    AddChange(row, Action::kDelete, Reason::kDrift);
  }
}

// A key that is declared comes out of quarantine, and stays out.
void Planner::GiveBack(Row* row) {
  if (row->kind != Kind::kSshKey || row->desired == nullptr) return;
  const uint32_t field = OpenField(row->kind);
  const bool aside = row->observed != nullptr && !FlagIn(row->observed->body, field, true);
  const bool managed = row->recorded != nullptr &&
                       (object::FieldsSet(row->recorded->body) & (uint64_t{1} << field)) != 0;
  if (!aside && !managed) return;
  auto& [bytes, object] =
      cleared_.emplace_back(WithFlag(row->kind, row->desired->body, field, true), *row->desired);
  object.body = bytes;
  row->desired = &object;
}

}  // namespace postern::plan
