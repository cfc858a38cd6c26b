// core/jobs/intake.h: which files at a place are complete, and the way of one into quarantine.
//
// A file is taken when what the import declares says that it is whole, never by its size alone:
// where its format can't show a cut, `stable` wants a checksum or a manifest beside it. Its bytes
// go to IN/KEY/file (0600) and nowhere else before checksum, manifest and signature fit; the key is
// of name, sequence and bytes (import_order.h), so that a fetch which is repeated ends in the same
// folder. One thread; starts gpg and age. Errors are those of the place and the disk. Source: IAM
// facts §6.2.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/jobs/place.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

struct ReadyFile {
  std::string name;
  std::string trigger, checksum, manifest, signature;  // names beside it; empty: none there
};

// What `stable` saw when: name -> size, modified, first seen so.
struct Sighting {
  uint64_t bytes = 0;
  base::Instant modified = 0, since = 0;
  bool operator==(const Sighting&) const = default;
};
using Sightings = std::map<std::string, Sighting>;
// From run to run; what can't be read waits anew.
Sightings ReadSightings(const std::string& path);
Result<void> KeepSightings(const std::string& path, const Sightings& seen);

// Complete files in the order of names. `seen` is kept from run to run; `waiting` gets a line for
// each that isn't complete yet.
std::vector<ReadyFile> ReadyFiles(const decl::Import& import, const std::vector<PlaceFile>& listing,
                                  base::Instant now, Sightings* seen,
                                  std::vector<std::string>* waiting);
// Deltas in the order of names: those behind one that waits, and whose name is behind `last`,
// aren't ready either, because that one would be too old after them.
void StopAtWaiting(const decl::Fetch& fetch, const std::vector<PlaceFile>& listing,
                   const std::string& last, std::vector<ReadyFile>* ready,
                   std::vector<std::string>* waiting);

// One that was fetched, as the place showed it then.
struct TakenFile {
  ReadyFile file;
  std::string sha256;  // hex
  uint64_t bytes = 0;
  base::Instant modified = 0;
};

struct Fetched {
  std::string sha256;  // hex
  std::string key;     // import_order.h
  std::string folder;  // IN/KEY
  std::string path;    // IN/KEY/file
  uint64_t bytes = 0;  // as the place shows it
  base::Instant modified = 0;
  bool changed = false;  // while it was fetched: nothing else is said of it
  // What the manifest beside it says; 0: no sequence.
  std::optional<uint64_t> rows;
  uint64_t sequence = 0, base_sequence = 0;
  std::string unproven;   // why it counts for nothing; empty: it is what its sender says
  const char* code = "";  // of unproven
};

// `limit`: bytes; a larger file is unproven. Files beside it are read up to 64 KiB. `from` says
// whose signature counts.
Result<Fetched> FetchFile(const decl::Fetch& fetch, const decl::Endpoint& from,
                          const ReadyFile& file, uint64_t limit, const std::string& in,
                          Place& place);

// How a file is sealed, by the ending of its name: ".gpg" and ".pgp", ".age".
enum class Seal : uint8_t { kNone, kOpenPgp, kAge };
Seal SealOf(const std::string& name);
// What is in a sealed file, into `to` (0600): by gpg with the keys of from.gpg_home, whose
// signature inside counts where there is none beside it; by age with the identity in
// `age_identity`. More than `limit` bytes are refused (kIncomplete). Errors: those of OpenFile,
// kNotFound without an identity.
Result<void> OpenSealed(const decl::Endpoint& from, const ReadyFile& file, const Fetched& fetched,
                        const std::string& age_identity, uint64_t limit, const std::string& to);

// Removes all but the newest keep.remote_files taken files, and what came with them, from the
// folder `done`, by the order of names; never `last`. How many files; nothing where it isn't
// declared.
Result<size_t> CleanArchive(const decl::Import& import, const std::string& last, Place& place);

}  // namespace postern::jobs
