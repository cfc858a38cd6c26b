// providers/filetransfer/openssh/product.h: OpenSSH as the planner sees it.
//
// Stateless; shared by all threads. A row is enforced by two layers: the requests of its account
// (for the whole account) and POSIX on the folder (posix/fit.h). What it really gives is
// GivenBy(NeedsOf(row)) less what the account's requests leave off.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/access/product.h"
#include "core/base/result.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/posix/fit.h"

namespace postern::openssh {

using access::GrantRow;
using access::Subject;

class OpenSshProduct final : public access::Product {
 public:
  std::string_view name() const override { return "openssh"; }
  std::vector<access::Capability> Capabilities() const override;
  bool TakesGroups() const override { return false; }
  // Refused: chmod (the rest of its row stays), paths outside the roots, names that sshd's lists
  // read otherwise, and rows of groups or everyone: a user entry hides group entries and requests
  // hold for an account, so they are enforced as rows of their members (ExpandMembers before).
  // Widened: see posix/fit.h and requests.h.
  access::Fit FitRows(std::span<const GrantRow> rows,
                      std::span<const std::string> roots) const override;
};

// The one instance.
const access::Product& OpenSsh();

// Group -> logins at this server. "" holds all of its accounts, for everyone.
using Members = std::map<std::string, std::vector<std::string>>;
// Rows of accounts for rows of any subject, merged to one a key, sorted. A row without rights (the
// deny-all of a root) and one of a group that isn't in `members` stay as they are.
std::vector<GrantRow> ExpandMembers(std::span<const GrantRow> rows, const Members& members);

// What the folders need for rows of accounts. Errors: kNotFound for a login that the host lacks.
Result<std::vector<posix::Wanted>> WantedOf(std::span<const GrantRow> rows,
                                            const posix::HostAccounts& host);

// The rights that rows in FitRows' form give a login in a folder, on entries that others own.
access::Rights RightsOfRows(std::span<const GrantRow> rows, std::string_view login,
                            std::string_view folder);

// Why the row can't be said, whatever stands beside it; empty: it can.
std::string WhyRowUnfit(const GrantRow& row, std::span<const std::string> roots);

}  // namespace postern::openssh
