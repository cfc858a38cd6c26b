// providers/filetransfer/proftpd_io/tree_needs.h: what ProFTPD's accounts must be let do by the
// folders. Pure; linear in users, members and rows.
//
// Source: 1.3.8, observed: a daemon that root started gives each session the account's own uid, its
// primary group and the groups of the AuthGroupFile that name it; another has one uid for all.
#pragma once
#include "providers/filetransfer/proftpd_io/snapshot.h"
#include "providers/filetransfer/server/server.h"
#include "providers/filetransfer/server/way_rules.h"

namespace postern::filetransfer {

// Rows of groups and of everyone count for each of their accounts. Errors: kIncomplete naming the
// part of the snapshot that couldn't be read.
Result<TreeNeeds> TreeNeedsOf(const Snapshot& snapshot);

// `given` of the snapshot becomes what the rows give once the folders have had their say: a row
// says what holds for each of its accounts, everywhere below it.
void Narrow(const Shortfall& shortfall, Snapshot* snapshot);

// What the folders behind each way, and those below them, let each account do at most. What wasn't
// read gives everything.
GivenBehind GivenByFolders(const Snapshot& snapshot, const posix::Tree& tree,
                           std::span<const SecondWay> ways);

}  // namespace postern::filetransfer
