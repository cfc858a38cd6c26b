// core/ledger/chain.h: how one event hangs on the one before it. The encoding is in README.md, so
// that it can be recomputed with sqlite3 and sha256sum. Pure; any thread.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/base/hash.h"
#include "core/base/time.h"

namespace postern::ledger {

// `previous` of the first event: 32 zero bytes.
base::Digest EventHash(const base::Digest& previous, uint64_t sequence, base::Instant at,
                       std::string_view type, std::string_view payload);

inline std::string_view View(const base::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace postern::ledger
