// core/jobs/manifest.h: what a delivered file says about itself, and the proof that is kept of it.
//
// JSON with members in a fixed order; the same values give the same bytes. Written once, when a
// file is whole: a run that has a manifest is prepared, and goes out with these bytes whenever it
// goes. Holds no row. Pure; any thread. Source of the members: facts, export table, "Manifest".
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/jobs/format/table.h"

namespace postern::jobs {

// One file of a distribution, beside the list of them.
struct ManifestFile {
  std::string file;  // path below the folder at the place, as delivered
  uint64_t bytes = 0;
  std::string sha256;
  std::string plain_sha256;  // before encryption; empty: it isn't encrypted
};

struct Manifest {
  std::string job;  // "export.users-acme"
  std::string run;  // RunId
  uint64_t sequence = 0;
  base::Instant slot = 0;
  std::string file;          // final name
  std::string spec;          // digest of the specification that it ran by
  std::string terms;         // digest of for whom, where and in what form it was made (terms.h)
  std::string commit;        // of the reviewed tree; may be empty
  uint64_t generation = 0;   // of the ledger
  std::string census;        // hash over all selected rows, as mapped
  uint64_t census_rows = 0;  // of them
  uint64_t source_rows = 0;  // that the sources have, selected or not
  uint64_t rows = 0;         // in the file
  uint64_t columns = 0;
  uint64_t bytes = 0;        // of the file as delivered
  std::string sha256;        // likewise
  std::string plain_sha256;  // before encryption; empty: it isn't encrypted
  std::string format, encoding;
  std::string schema;  // hash over columns and format: another one, another layout
  base::Instant generated_at = 0, data_as_of = 0;
  std::string mode;                 // "full", "delta"
  uint64_t base_sequence = 0;       // of a delta
  std::string previous;             // run that was delivered before; empty: none
  std::string signer;               // fingerprint of the key that signed; empty: none
  std::vector<ManifestFile> files;  // of a distribution, in the order of their paths
};

std::string WriteManifest(const Manifest& manifest);
// kInvalid: not one.
Result<Manifest> ReadManifest(std::string_view bytes);

// A hash over what a receiver must know to read the file.
std::string SchemaOf(const Shape& shape);
std::string_view ToString(Format format);
std::string_view ToString(Mode mode);

}  // namespace postern::jobs
