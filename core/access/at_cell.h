// core/access/at_cell.h: what accounts of a server may do at one place. Pure; any thread.
#pragma once
#include <string>
#include <vector>

#include "core/access/effective.h"
#include "core/access/enforced.h"

namespace postern::access {

bool Covers(const std::string& path, Depth depth, const Cell& cell);

// What the account may do there if it can come in: what its rows say (`rows` of RowsOf), and what
// other hands' rules make of it.
Rights RightsAt(const ServerWorld& server, const std::string& login,
                const std::vector<GrantRow>& rows, const Cell& cell);

// Accounts that somebody can come in as and that have all of `rights` there, sorted. Cost: the
// accounts of the server and their rows.
std::vector<std::string> LoginsWith(const ServerWorld& server, const Cell& cell, Rights rights);

}  // namespace postern::access
