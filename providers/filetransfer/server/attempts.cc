#include "providers/filetransfer/server/attempts.h"

namespace postern::filetransfer {

using object::Outcome;
using object::Status;

std::vector<Outcome> TryRows(size_t rows,
                             const std::function<Result<void>(std::vector<Outcome>&)>& attempt) {
  std::vector<Outcome> outcomes(rows);
  Result<void> done = {};
  for (int tries = 0; tries < 3; ++tries) {
    done = attempt(outcomes);
    if (done || done.error().code != ErrorCode::kConflict) break;
  }
  if (done) return outcomes;
  const Status status = done.error().code == ErrorCode::kConflict ? Status::kTransient
                        : done.error().retryable()                ? Status::kUnknown
                                                                  : Status::kDenied;
  for (Outcome& outcome : outcomes) {
    if (outcome.status != Status::kApplied) continue;
    outcome.status = status;
    outcome.message = done.error().message;
  }
  return outcomes;
}

}  // namespace postern::filetransfer
