// core/plan/unsupported.h: what a target says it can't keep or do. Internal to core/plan.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/plan/plan.h"

namespace postern::plan {

// What an IAM system has no place for would be wanted again by every plan: it isn't wanted, and
// that is said once where somebody wrote it.
class Unsupported {
 public:
  // Null: not an IAM system; it has a place for everything.
  explicit Unsupported(const observe::ObservedTarget* target);

  // As bits; none of what isn't desired.
  uint64_t FieldsIn(object::Kind kind, const compile::DesiredObject* desired) const;
  // Warns of each of them, once.
  void Say(const std::string& target, object::Kind kind, uint64_t fields, const diag::Span& place,
           diag::Diagnostics* diagnostics);

 private:
  std::map<object::Kind, uint64_t> fields_;
  std::set<std::pair<object::Kind, uint32_t>> said_;
};

// Whether objects of the kind stay when they are deleted (Okta deactivates a user): a deletion that
// is done and isn't seen would be planned again by every plan.
bool KeepsDeleted(const object::Probe& probe, object::Kind kind);

}  // namespace postern::plan
