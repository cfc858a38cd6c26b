#include "providers/filetransfer/server/row_check.h"

namespace postern::filetransfer {

using object::Operation;
using object::Status;

RowCheck CheckRow(const Operation& operation, const object::Object* live, std::string_view after,
                  bool differs) {
  if (operation.after.empty()) {
    if (live == nullptr) return {false, Status::kAlreadySo, ""};
  } else if (live != nullptr && operation.new_key.empty() && operation.clear.empty() && !differs &&
             object::Satisfies(operation.kind, after, live->body)) {
    return {false, Status::kAlreadySo, ""};
  }
  if (live != nullptr && !operation.expect_id.empty() && operation.expect_id != live->id) {
    return {false, Status::kPreconditionFailed, "another object stands under this key now"};
  }
  if (operation.before.empty()) {
    if (live != nullptr) {
      return {false, Status::kPreconditionFailed, "it exists already, and differs"};
    }
  } else if (live == nullptr) {
    return {false, Status::kPreconditionFailed, "it doesn't exist any more"};
  } else if (!object::Satisfies(operation.kind, operation.before, live->body)) {
    return {false, Status::kPreconditionFailed, "it isn't as it was when this was planned"};
  }
  return {true, Status::kApplied, ""};
}

}  // namespace postern::filetransfer
