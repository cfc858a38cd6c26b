#include "core/plan/unsupported.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/object/kind.h"

namespace postern::plan {

using object::Kind;

Unsupported::Unsupported(const observe::ObservedTarget* target) {
  if (target == nullptr) return;
  for (const object::Capability& row : target->probe.capabilities) {
    const object::KindTable* table = object::FindKind(row.kind);
    if (table == nullptr || row.support != "unsupported") continue;
    for (const object::FieldTable& field : table->fields) {
      if (field.name == row.field) fields_[table->kind] |= uint64_t{1} << field.number;
    }
  }
}

uint64_t Unsupported::FieldsIn(Kind kind, const compile::DesiredObject* desired) const {
  if (fields_.empty() || desired == nullptr) return 0;
  const auto at = fields_.find(kind);
  return at == fields_.end() ? 0 : object::FieldsSet(desired->body) & at->second;
}

void Unsupported::Say(const std::string& target, Kind kind, uint64_t fields,
                      const diag::Span& place, diag::Diagnostics* diagnostics) {
  for (const object::FieldTable& field : object::TableOf(kind).fields) {
    // The id that we give is ours; nobody wrote it.
    if ((fields >> field.number & 1) == 0 || field.name == "external_id") continue;
    if (!said_.insert({kind, field.number}).second) continue;
    diagnostics->Add(
        {.severity = diag::Severity::kWarning,
         .code = diag::code::kFieldUnsupported,
         .summary = fmt::format("{} has no {} of an {}", target, field.name,
                                object::Spoken(object::NameOf(kind))),
         .span = place,
         .label = "not written",
         .notes = {"take the line out; `postern providers doctor` says what the system keeps"}});
  }
}

bool KeepsDeleted(const object::Probe& probe, Kind kind) {
  return std::any_of(probe.capabilities.begin(), probe.capabilities.end(), [&](const auto& row) {
    return row.field == "deletion" && row.support == "unsupported" &&
           row.kind == object::NameOf(kind);
  });
}

}  // namespace postern::plan
