#include "providers/iam/scim/target.h"

namespace postern::iam {

Result<void> ScimTarget::Apply(std::span<const object::OperationGroup> groups,
                               const object::Secrets&, object::OutcomeSink& sink) {
  for (const object::OperationGroup& group : groups) {
    for (const object::Operation& op : group.operations) {
      object::Outcome outcome;
      outcome.id = op.id;
      outcome.status = object::Status::kDenied;
      outcome.live.object.kind = op.kind;
      outcome.live.object.key = op.key;
      outcome.live.reason = outcome.message = "a SCIM server is only read";
      sink.Add(std::move(outcome));
    }
  }
  return {};
}

}  // namespace postern::iam
