// providers/filetransfer/proftpd/rule_section.h: what one section (a server, a <Directory>, an
// <Anonymous>) says by itself. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "providers/filetransfer/proftpd/limit.h"
#include "providers/filetransfer/proftpd/name_regex.h"

namespace postern::proftpd {

// Reasons why decisions below a section can't be computed; 0: none.
struct Unknowns {
  ReasonId all = 0;      // any decision
  ReasonId listing = 0;  // what a listing shows
  ReasonId sftp_listing = 0;
  ReasonId names = 0;  // decisions about names that a client chooses or changes
};

// PathAllowFilter, PathDenyFilter or HideFiles.
struct NameFilter {
  std::optional<NameRegex> regex;   // none: nothing is filtered
  bool negated = false;             // HideFiles !P hides all others
  bool about_access_files = false;  // it finds .ftpaccess and nothing else
  ReasonId reason = 0;              // to tell of it
  bool Finds(const std::string& text) const {
    return regex.has_value() && regex->Finds(text) != negated;
  }
};

struct RuleSection {
  std::vector<Limit> limits;  // in the daemon's order of search
  bool deny_all = false;      // outside of a Limit
  bool allow_all = false;
  std::optional<bool> overwrite, store_restart;
  std::optional<NameFilter> path_allow, path_deny, hide_files;
  Unknowns unknown;
  ReasonId unknown_pattern = 0;  // why, where only some of the objects asked for are covered
};

// Adds a section's own lines to `section`; lines of other sections (Directory, Anonymous, IfUser)
// in it are left to the caller. `node`: a section of the tree, or a server's lines wrapped as one.
// `backward`: of several Limits the last in file is asked first; so it is but within IfUser.
void AddLines(const ConfigNode& node, const AccountNames& names, const RaiseRules& rules,
              const NoteReason& note, bool backward, RuleSection* section);

bool IsOn(const ConfigNode& directive);
bool IsOff(const ConfigNode& directive);

}  // namespace postern::proftpd
