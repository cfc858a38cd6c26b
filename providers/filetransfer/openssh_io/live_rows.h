// providers/filetransfer/openssh_io/live_rows.h: the rows of access that are live at an sshd. Pure;
// linear in the nodes that don't fit times the accounts.
//
// What is measured against are the rows of our include, and the tree as posix::Fit would make it
// for them. Where both agree a row is told as it stands. Else, for each account:
//
//   a node gives less           the rows that cover its folder lose the rights that are gone there:
//                               a row says what holds for every entry below it; one of which
//                               nothing is left stays, without rights, as long as the include
//                               has it
//   a node gives more           a row of that account at its folder, or at the highest folder below
//                               which all give it; added to a declared row of the same key
//   a session's requests differ the rows are cut or widened to what they let through
//   a node that others may use  the row of everyone at its root has those rights
//
// An entry that the account made by itself is its own: it isn't told (posix/fit.h).
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"
#include "providers/filetransfer/host/second_ways.h"
#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/posix/fit.h"
#include "providers/filetransfer/posix/tree.h"
#include "providers/filetransfer/server/server.h"

namespace postern::filetransfer {

// What a session of one account may ask for, and from where it looks.
struct SessionView {
  access::Rights allowed = access::Rights::All();
  std::string chroot = "/";
};

struct LiveQuestion {
  const openssh::IncludeContent& content;  // as in force
  const posix::HostAccounts& host;
  const posix::Tree& tree;
  std::vector<std::string> logins;              // in scope, that the host has
  std::map<std::string, SessionView> sessions;  // by login
  std::vector<std::string> roots;               // managed
  TreeNeeds peers = {};                         // accounts of the host's other servers
  std::vector<SecondWay> ways = {};             // other mounts of managed folders
};

// Sorted; the deny-all of a root is a row of everyone. Errors: posix::Fit's. `notes`: of each row
// that isn't what the include has, what makes it so.
Result<std::vector<access::GrantRow>> LiveRows(const LiveQuestion& question,
                                               RowNotes* notes = nullptr);

// What posix::Fit is asked for a set of rows: rows of accounts that the host lacks are left out.
struct FitInput {
  std::vector<posix::Wanted> wanted;
  posix::FitQuestion question;
};
FitInput FitInputOf(std::span<const access::GrantRow> rows, const posix::HostAccounts& host,
                    std::span<const std::string> logins, const TreeNeeds& peers,
                    std::span<const std::string> roots);

// Where peers' accounts have less than their rows say.
Result<Shortfall> PeersShortfall(const LiveQuestion& question);

}  // namespace postern::filetransfer
