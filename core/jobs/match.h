// core/jobs/match.h: rows of a file x people known so far -> who there is from now on.
//
// A row is the person that the first of the import's `match` attributes finds; several refuse the
// row, and two rows that find one person, or are two new ones of one key, refuse both. Who is found
// by none is new. Somebody who left keeps his name for ever: his key, given anew, is a new identity
// and must have another login; only who agrees in all of at least two `match` attributes comes
// back. Missing in a full file counts towards leaving, in a delta it says nothing; a refused row
// isn't a missing one. Only people of this import are looked at (of attributes: those that others
// declare in its base), so no row reaches anybody else; a new login, or value that joins sources,
// that somebody else has is refused. A row that asks for more than `may` is refused and its person
// stays. Pure; any thread. Cost: linear. Source: IAM facts §6.2 (authority, matching, full and
// delta, expiry).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/config/declarations.h"
#include "core/jobs/others.h"
#include "core/jobs/roster.h"
#include "schemas/roster.pb.h"

namespace postern::jobs {

struct RosterCounts {
  uint64_t before = 0;  // people of the import that hadn't left
  uint64_t create = 0, change = 0, disable = 0, back = 0;
  uint64_t rows = 0, rows_before = 0;  // taken, of this file and of the newest full one
  uint64_t refused = 0;                // rows
  bool delta = false;
};

struct MatchInput {
  const decl::Import& import;
  const decl::AcceptedRoster* before = nullptr;        // null: the first file
  const config::Declarations* declarations = nullptr;  // contracts; whom attributes are for
  base::Instant now = 0;
  std::string file_sha256;               // hex
  const OthersValues* others = nullptr;  // null: nobody else is known
};

struct Matched {
  decl::AcceptedRoster roster;  // what would be accepted
  RosterCounts counts;
  std::vector<RefusedRow> refused;  // those of the file and those that are refused here, by line
};

Matched MatchRoster(const MatchInput& input, const RosterFile& file);

}  // namespace postern::jobs
