// providers/filetransfer/proftpd/raise_directives.h: the table of every directive that can change
// access, and how the raiser treats it. README.md has it for people.
//
// What isn't here is looked up in directives.h: known to be harmless, or not computable in the
// scope where it stands. Nothing is passed over in silence.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "providers/filetransfer/proftpd/config_tree.h"

namespace postern::proftpd {

enum class Treatment : unsigned char {
  kHarmless,     // changes no decision
  kRaised,       // computed, section by section
  kServer,       // computed, for a server and its logins
  kListing,      // what a listing shows isn't computable
  kSftpListing,  // ... over SFTP
  kNames,        // decisions about names that a client chooses aren't computable
  kUnknown,      // nothing is computable in its scope
};

struct DirectiveUse {
  Treatment treatment = Treatment::kUnknown;
  std::string why;
};

// How one line is treated; a switch that is off changes nothing.
DirectiveUse UseOf(const ConfigNode& line);
bool IsSectionRaised(std::string_view word);

// The table's own rows, for tests and documentation.
struct RaisedDirective {
  std::string_view word;
  Treatment treatment;
  std::string_view how;
};
std::span<const RaisedDirective> RaisedDirectives();

}  // namespace postern::proftpd
