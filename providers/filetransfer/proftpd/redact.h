// providers/filetransfer/proftpd/redact.h: configuration text without what doesn't matter to
// access. Pure.
//
// A configuration holds secrets (SQLConnectInfo, LDAPBindDN, UserPassword, a Define's value, a
// comment) and Postern needs none of them. What stays: sections, the directives that the raiser
// computes from, and switches; of every other directive its name and how many arguments it has.
// Property: the raiser computes the same from the redacted text as from the text itself.
#pragma once
#include <string>
#include <string_view>

#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {

// Every statement on its own line number, a continued one on its first; all other lines empty.
std::string Redact(std::string_view text);
// One statement for people: "SQLConnectInfo ... ...", "AllowUser bea".
std::string Redact(const Statement& statement);

}  // namespace postern::proftpd
