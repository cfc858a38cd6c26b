// core/jobs/intake.h: which files at a place are complete, and the way of one into quarantine.
//
// A file is taken when what the import declares says that it is whole, never by its size alone. Its
// bytes go to IN/SHA256/file (0600) and nowhere else before checksum and signature fit. The same
// bytes have the same folder, so a fetch that was cut off is begun anew and one that is done isn't
// repeated. One thread. Errors are those of the place and the disk. Source: IAM facts §6.2.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/jobs/place.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

struct ReadyFile {
  std::string name;
  std::string trigger, checksum, signature;  // names beside it; empty: none there
};

// What `stable` saw when: name -> size, modified, first seen so.
struct Sighting {
  uint64_t bytes = 0;
  base::Instant modified = 0, since = 0;
  bool operator==(const Sighting&) const = default;
};
using Sightings = std::map<std::string, Sighting>;

// Complete files in the order of names. `seen` is kept from run to run; `waiting` gets a line for
// each that isn't complete yet.
std::vector<ReadyFile> ReadyFiles(const decl::Fetch& fetch, const std::vector<PlaceFile>& listing,
                                  base::Instant now, Sightings* seen,
                                  std::vector<std::string>* waiting);

// Empty: the signature in `signature` is of `file` and of the key that must have made it.
using CheckSignature =
    std::function<std::string(const std::string& file, const std::string& signature)>;

struct Fetched {
  std::string sha256;    // hex
  std::string folder;    // IN/SHA256
  std::string path;      // IN/SHA256/file
  std::string unproven;  // why it counts for nothing; empty: it is what its sender says
};

// `limit`: bytes; a larger file is unproven. Files beside it are read up to 64 KiB.
Result<Fetched> FetchFile(const decl::Fetch& fetch, const ReadyFile& file, uint64_t limit,
                          const std::string& in, const CheckSignature& check, Place& place);

}  // namespace postern::jobs
