// providers/filetransfer/server/attempts.h: a write of many rows at once, tried again while
// somebody else writes the same file.
#pragma once
#include <functional>
#include <vector>

#include "core/object/target.h"

namespace postern::filetransfer {

// Runs `attempt` up to three times, as long as it answers kConflict (nothing was done then), on
// outcomes that it fills anew. An error becomes the answer of every row that still counts as
// applied; after a lost answer only a read knows.
std::vector<object::Outcome> TryRows(
    size_t rows, const std::function<Result<void>(std::vector<object::Outcome>&)>& attempt);

}  // namespace postern::filetransfer
