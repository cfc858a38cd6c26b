// core/jobs/format/reader.h: the bytes of a file -> rows, strictly, or a reason why not.
//
// Three answers. A row that is right goes to Taker::Take; one that isn't to Taker::Reject, with its
// line and a reason, and the file goes on; a file that is broken as a whole (another header, cut
// off, not the format, over a limit, reaching for other files) is refused, and then none of its
// rows counts: whoever takes rows acts on them only when Read() has answered and refused nothing.
// Nothing is guessed: encoding, delimiter, columns and types are declared.
// Memory: a row, a piece, and 16 bytes a row for the keys seen (up to 24 while that grows).
// Pure but for the source; one thread. Sources: RFC 4180, RFC 8259, RFC 2849, XML 1.0.
#pragma once
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/diag/diagnostic.h"
#include "core/jobs/format/encoding.h"
#include "core/jobs/format/table.h"

namespace postern::jobs {

inline constexpr uint64_t kMostRows = 2'000'000;  // their keys are held within 48 MiB

struct Limits {
  uint64_t bytes = uint64_t{256} << 20;
  uint64_t rows = 1'000'000;  // at most kMostRows
  size_t columns = 512;
  size_t row_bytes = size_t{1} << 20;  // also of a line
  size_t depth = 16;
};

struct ReadOptions {
  Limits limits;
  uint64_t last_sequence = 0;   // of the file that was taken last; 0: none, or not known
  bool take_formulas = false;   // cells that a spreadsheet would run
  bool ignore_unknown = false;  // what no column names
  bool may_be_empty = false;    // a delta always may
};

// Why a row isn't taken.
struct Rejection {
  uint64_t line = 0;
  const char* code = nullptr;  // a constant of core/diag/codes.h
  std::string column;          // empty: the row as a whole
  // As it stands in the file; empty: it couldn't be read, or is too long for one. May hold personal
  // data.
  std::string key;
  std::string reason;  // fit for a terminal
  // The row was taken before it was known that another has its key: none of them counts.
  bool was_taken = false;
};

class Taker {
 public:
  virtual ~Taker() = default;
  // The row's bytes are gone when it returns. A delete of a delta may have no more than its key.
  virtual void Take(const Row& row, uint64_t line) = 0;
  // Those with was_taken come at the end, in the order of their lines.
  virtual void Reject(const Rejection& rejection) = 0;
};

struct Report {
  Head head;
  uint64_t rows = 0;  // taken
  uint64_t rejected = 0;
  uint64_t bytes = 0;    // read
  bool refused = false;  // the diagnostics say why
  bool older = false;    // was taken before: nothing to do, no row was looked at
  diag::Diagnostics diagnostics;
};

// `name` is what messages call the file. Fails (kInvalid) only for a shape that can't be.
Result<Report> Read(const Shape& shape, const ReadOptions& options, const Source& source,
                    const std::string& name, Taker* taker);

}  // namespace postern::jobs
