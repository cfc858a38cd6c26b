#include "providers/filetransfer/server/server.h"

namespace postern::filetransfer {

using object::ObjectKey;
using object::Operation;
using object::Outcome;
using object::Status;

void Server::ReadBack(std::span<const Operation> operations, std::vector<Outcome>& outcomes) {
  std::vector<ObjectKey> keys;
  for (const Operation& operation : operations) {
    keys.push_back({operation.kind, operation.new_key.empty() ? operation.key : operation.new_key});
  }
  const std::vector<FolderEntry> none;
  auto live = Read(keys, &none);
  for (size_t i = 0; i < operations.size(); ++i) {
    Outcome& outcome = outcomes[i];
    outcome.live.object.kind = operations[i].kind;
    outcome.live.object.key = keys[i].key;
    if (!live) {
      outcome.live.reason = live.error().message;
      if (outcome.status == Status::kApplied) {
        outcome.status = Status::kUnknown;
        outcome.message = "written; reading it back failed: " + live.error().message;
      }
      continue;
    }
    outcome.live = std::move((*live)[i]);
    const bool there = outcome.live.answer == object::Answer::kValue;
    if (outcome.status == Status::kApplied && operations[i].after.empty() && there) {
      outcome.status = Status::kUnknown;
      outcome.message = "written, and it is still there";
    }
  }
}

}  // namespace postern::filetransfer
