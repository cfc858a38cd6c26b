// core/jobs/roster.h: a file from outside -> the rows that an import may look at.
//
// core/jobs/format reads strictly by the declared columns; this judges each row by what it would
// mean: logins, mail domains, parts of paths, secrets, letters that look like others. The values
// are hostile input: what doesn't fit is refused and told with line, column, code and text, never
// mended. Nothing of a file counts when the report refuses it. Pure but for the source; one thread.
// Memory: the rows, until they are matched; about 1 KiB each. Sources: IAM facts §6.2 (safety of
// values), core/compile/role_values.h.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/jobs/format/reader.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

struct RosterValue {
  bool given = false;                 // the row speaks of it
  std::vector<std::string> elements;  // none: it says that there is none
  bool operator==(const RosterValue&) const = default;
};

struct RosterRow {
  uint64_t line = 0;
  Operation operation = Operation::kNone;
  std::vector<RosterValue> values;  // parallel to the import's columns
};

struct RefusedRow {
  uint64_t line = 0;
  std::string code, column, key, text;  // column empty: the row as a whole
  std::string whole_key;                // as in the file; empty: whose row it is can't be said
  // What else says whose it is: values of the import's further `match` attributes, and whether they
  // were all read.
  std::vector<std::pair<std::string, std::string>> further = {};
  bool all_read = false;
  bool operator==(const RefusedRow&) const = default;
};

struct RosterFile {
  std::string name;
  std::vector<RosterRow> rows;      // in the order of their lines
  std::vector<RefusedRow> refused;  // by line
  Report report;                    // with warnings about rows; refused and older: no rows
};

Shape ShapeOf(const decl::Import& import);

// `import` as the loader takes it (core/config/check_imports.cc): fails (kInvalid) for another.
Result<RosterFile> ReadRoster(const decl::Import& import, const Source& source,
                              const std::string& name, uint64_t last_sequence);

// line,column,code,key,text as CSV, for the sender: values of other columns aren't repeated.
std::string RejectsFile(const std::vector<RefusedRow>& refused);

}  // namespace postern::jobs
