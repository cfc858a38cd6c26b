// providers/filetransfer/posix/fit.h: modes and ACLs made to fit what is declared. Pure; linear in
// nodes times the accounts that have rights there.
//
// The table, for one account on one folder. "Files" are the entries of the folder that others own.
//
//   wanted            folder  files   comes along, and why
//   nothing           ---     ---     an ACL entry isn't written at all
//   a folder below    --x     ---     whether a known name exists: entering needs x on the way
//   list              r-x     ---     r alone shows no entry over SFTP: each is asked for by stat
//   read              --x     r--     by name, without list
//   overwrite         --x     -w-     by name; appending too
//   create, delete,   -wx     ---     the other four: all are w on the folder; delete, rename and
//   rename, mkdir,                    rmdir of others' entries not where the folder is sticky, so a
//   rmdir                             sticky bit goes where one of them is granted
//   chmod             --x     ---     only of what the account made: who made an entry owns it, and
//                                     must get there
//
// Several rights of one account unite. Of several entries that match an account only one counts
// (acl(5)), so: an account has an entry of its own with all that it gets by any way; where it owns
// the node the owner entry says the same; named groups that an account of ours is in, the owning
// group and other get nothing. Entries of accounts and groups that aren't ours stay.
//
// New entries get the folder's default ACL. It is one for files and folders, so what it gives is
// what both may have: r and w only as far as files and folders below are both meant (a folder made
// under a `this` row is open like its parent until the next apply). A maker owns what it made.
// Existing children get what their folder means, whatever their default ACL history is.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"
#include "providers/filetransfer/posix/acl.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::posix {

using access::Depth;
using access::Rights;

// What one account shall have; groups are expanded to their members before.
struct Wanted {
  std::string path;
  Depth depth = Depth::kSubtree;
  uint32_t uid = 0;
  Rights rights;
};

struct Needs {
  Perm folder = 0, file = 0;
};
Needs NeedsOf(Rights rights);
// The rights on others' entries that these bits give; the closure of a wish is GivenBy(NeedsOf(w)).
Rights GivenBy(Needs needs);

struct FitQuestion {
  std::vector<std::string> roots;    // managed: what isn't wanted there isn't allowed
  std::vector<Credentials> managed;  // every account in scope, wanted somewhere or not
};

struct Change {
  std::string path;
  Node before, after;
};

struct PosixFit {
  std::vector<Change> changes;  // in path order; empty: the tree fits
  // Folders above the roots that keep an account out of what it wants: never changed from here.
  std::vector<std::string> obstacles;
};

// Errors: kIncomplete when a root, or the type of a node within, was not read.
Result<PosixFit> Fit(const Tree& tree, std::span<const Wanted> wanted, const FitQuestion& question);

// True when the change gives nobody more than before.
bool OnlyLoses(const Change& change);

// The text for `setfacl --restore=-`. Running it again changes nothing; a run that was cut leaves
// nodes as before or as after. Deny first: nodes that only lose come before all others.
std::string RestoreText(std::span<const Change> changes);

}  // namespace postern::posix
