// providers/filetransfer/posix/foreign_entries.h: entries of ACLs in the managed roots for accounts
// and groups that aren't ours. Pure; linear in the nodes times the entries that are told.
//
// Fit keeps them (fit.h), so nothing else would tell of them: whom an entry by hand lets in, and
// numbers that no account has, whose next owner would inherit what stands there.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/posix/fit.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::posix {

// What one account or group has at a node and at the nodes below that name it and give no more.
struct ForeignEntry {
  std::string path;  // the highest node that names it
  std::string text;  // as setfacl takes it: "user:nobody:rwx", a default entry behind a comma
  std::string subject;
  uint32_t id = 0;
  bool group = false;
  bool known = true;      // false: no account, or group, of the host has the number
  bool reached = true;    // false: a folder above keeps it out
  access::Rights rights;  // beyond what everyone has
  size_t below = 0;       // nodes below that name it
};

// In path order. `managed`: the accounts of all servers. An entry that gives no more than what
// everyone has, or what the mask leaves nothing of, isn't told, unless nobody has its number; those
// of root and of groups that an account of ours is in aren't either: root may do everything, and
// Fit takes such a group's entry away.
std::vector<ForeignEntry> ForeignEntriesIn(const Tree& tree, std::span<const std::string> roots,
                                           std::span<const Credentials> managed,
                                           const HostAccounts& host);

// The nodes at and below `path` that change when the subjects of these entries go there, as they
// are then. What the mask had cut of others stays cut.
std::vector<Change> WithoutEntries(const Tree& tree, std::string_view path,
                                   std::span<const ForeignEntry> entries);

}  // namespace postern::posix
