// core/jobs/import_order.h: whether a sender's file says something new.
//
// A full file says who is there, also with bytes that an earlier one had: whoever came in between
// has left. So what tells files apart is their name, their sequence and their bytes together, and
// what was said last stands in the ledger. Pure; any thread.
#pragma once
#include <cstdint>
#include <string>

#include "schemas/job_declarations.pb.h"
#include "schemas/roster.pb.h"

namespace postern::jobs {

struct Fetched;  // intake.h

struct Statement {
  std::string name;
  uint64_t sequence = 0;  // 0: neither the file nor the manifest beside it has one
  std::string sha256;     // hex
};

// 64 hex digits; the quarantine's folder of the file.
std::string KeyOf(const Statement& file);

// Whether it is the file that was accepted last (`before`; null: none was), come again.
bool IsLast(const Statement& file, const decl::AcceptedRoster* before);

// Why nothing is done with the file; empty: it comes next. Where there is no sequence the order of
// names is one.
std::string WhyOld(const Statement& file, const decl::AcceptedRoster* before);

// Whether the import's next delta is told by its name alone.
bool IsByName(const decl::Import& import, const decl::AcceptedRoster* before);

// Why the file can't be put into the order: files before it had sequences.
std::string WhyUnnumbered(const Statement& file, const decl::AcceptedRoster* before);

// What the manifest says and a file of so many rows, with the sequence `in_file` (0: none), isn't;
// of states the file's own word counts first. `last`: the sequence that was taken last.
std::string WhyNotAsSaid(const decl::Import& import, const Fetched& fetched, uint64_t rows,
                         uint64_t in_file, uint64_t last);

// Of a sequence so far ahead that a mistake, or a malice, would make every later file an old one;
// for a second person to look at. Empty: it isn't.
std::string WhyFarAhead(const Statement& file, const decl::AcceptedRoster* before);

}  // namespace postern::jobs
