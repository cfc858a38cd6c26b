// core/jobs/snapshot/snapshot.h: all that is live in the managed scopes, as one file that can be
// restored from.
//
// A file of JSON lines. The first says when, by which ledger and generation, and counts; each
// further one is an object with its target, kind and fields by name (protobuf's JSON); the last has
// the SHA-256 of all bytes before it, so that a flipped bit is seen offline. Objects stand in the
// order of their targets and keys: the same world gives the same bytes but for the first line.
// Secrets are never in it: what was a password must be set anew. What a target says beside what is
// managed is (it is evidence), and isn't restored. One thread. Cost: about 10 microseconds an
// object; reading holds the objects in memory.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/base/time.h"
#include "core/diag/diagnostic.h"
#include "core/jobs/format/encoding.h"
#include "core/object/object.h"
#include "core/observe/observe.h"

namespace postern::jobs {

struct SnapshotHead {
  base::Instant taken = 0;
  std::string ledger_id, revision;
  uint64_t generation = 0;
};

struct SnapshotTarget {
  std::string name;  // "host:edge"
  object::ObjectSet objects;
};

struct Snapshot {
  SnapshotHead head;
  std::vector<SnapshotTarget> targets;  // in order of name
  base::Digest digest{};                // of the whole file
};

struct SnapshotTotals {
  uint64_t objects = 0, bytes = 0;
  base::Digest sha256{};  // of the whole file
};

// Writes what was observed. An incomplete world is no snapshot: each target that wasn't reached,
// scope that wasn't read to its end or kept moving, and object with an unreadable field is a
// diagnostic, and the answer is kIncomplete; then nothing is written.
Result<SnapshotTotals> WriteSnapshot(const SnapshotHead& head, const observe::Observed& observed,
                                     const Sink& sink, diag::Diagnostics* diagnostics);

// kNotFound, kDenied: no such file. kIncomplete: it was cut, or isn't as it was written (says where
// as far as that can be said). kUnsupported: of a newer version. kInvalid: no snapshot.
Result<Snapshot> ReadSnapshot(const std::string& path);

}  // namespace postern::jobs
