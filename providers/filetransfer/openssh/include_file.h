// providers/filetransfer/openssh/include_file.h: the generated include, written and read back.
// Pure.
//
// One file, included first by sshd_config: one Match block for each account of ours, whose forced
// internal-sftp allows the requests that the account has some row for, and the rows themselves as
// comment lines. POSIX enforces the rows by folder (posix/fit.h); the lines are what it is measured
// against. Property: for rows in normal form (FitRows), ParseInclude(Lower(x)) == x. Version,
// counts, digest and the end line are the sentinel. Source: OpenSSH 9.2, observed: a Match block
// ends with its file, so nothing of ours reaches the lines after the Include.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/rights.h"
#include "core/base/result.h"

namespace postern::openssh {

using access::GrantRow;

struct ManagedAccount {
  std::string login;
  std::string chroot;        // absolute; empty: none
  std::string start_folder;  // as the client sees it; empty: home
  std::string revoked;       // RevokedKeys; empty: whatever the server says
  bool locked = false;       // no way in, whatever shadow says
  auto operator<=>(const ManagedAccount&) const = default;
};

struct IncludeContent {
  std::vector<GrantRow> rows;      // FitRows(...).rows
  std::vector<std::string> roots;  // sorted
  // Sorted by login, all that the server has of ours; each account of a row is one of them.
  std::vector<ManagedAccount> accounts;
  bool operator==(const IncludeContent&) const = default;
};

// Errors: kInvalid naming the row, root, login or folder that can't be said, or the chroot that a
// row would make sshd refuse.
Result<std::string> Lower(const IncludeContent& content);

// One difference between the text and what Postern writes for what it means.
struct Edit {
  uint32_t line = 0;  // 0: the file as a whole
  std::string text;   // the line as it stands; empty when a line is missing
  std::string why;
};

struct ParsedInclude {
  // Rows less what the account's command no longer allows; what it allows beyond them shows when
  // access is raised, not here.
  IncludeContent content;
  std::vector<Edit> edits;  // empty: exactly as Postern wrote it
};

// Errors: kInvalid when the text has no header of ours (never an empty result for a lost file);
// kUnsupported when a newer Postern wrote it.
Result<ParsedInclude> ParseInclude(std::string_view text);

}  // namespace postern::openssh
