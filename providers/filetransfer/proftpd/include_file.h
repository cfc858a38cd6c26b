// providers/filetransfer/proftpd/include_file.h: the generated include, written and read back.
// Pure.
//
// The operator's configuration includes the file inside <Global>. Property: for rows in normal form
// (FitRows), ParseInclude(Lower(rows)).rows == rows. The header's version, row count and digest and
// the end line are the sentinel: a file that was cut, emptied or edited is told apart from one that
// Postern wrote. Cost: linear in rows times the depth of their paths.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"

namespace postern::proftpd {

// `rows` must be FitRows(...).rows for the same roots. `locked_logins` can't log in by any way,
// password or key (Limit LOGIN). Errors: kInvalid, naming the row, root or login that can't be
// said.
Result<std::string> Lower(std::span<const access::GrantRow> rows,
                          std::span<const std::string> roots,
                          std::span<const std::string> locked_logins = {});

// One difference between the text and what Postern writes for the rows that it means.
struct Edit {
  uint32_t line = 0;  // 0: the file as a whole
  std::string text;   // the line as it stands; empty when a line is missing
  std::string why;
};

struct ParsedInclude {
  std::vector<access::GrantRow> rows;  // what the blocks say now, hand edits included
  std::vector<std::string> roots;
  std::vector<std::string> locked_logins;
  size_t blocks = 0;
  std::vector<Edit> edits;  // empty: exactly as Postern wrote it
};

// Errors: kInvalid when the text has no header of ours (never an empty result for a lost file);
// kUnsupported when a newer Postern wrote it.
Result<ParsedInclude> ParseInclude(std::string_view text);

// How many <Directory> blocks the text has: over 1,000 a restart is better than a reload.
size_t CountBlocks(std::string_view text);

}  // namespace postern::proftpd
