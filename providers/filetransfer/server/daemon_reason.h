// providers/filetransfer/server/daemon_reason.h: why a daemon ended or refuses, in its own words.
// Pure.
#pragma once
#include <string>
#include <string_view>

namespace postern::filetransfer {

// The first line of a checker's standard error that says what is wrong. Empty: it says nothing.
std::string CheckerReason(std::string_view text);
// As far as it is fatal. ProFTPD 1.3.8 ends well also with a mistake in a file that a pattern
// includes, and goes on without all that stands behind that Include: rules, servers.
std::string FatalReason(std::string_view text);
// The first line of a log that says why the daemon itself is in trouble: what it says of single
// sessions is passed over. Empty: no line does.
std::string LogReason(std::string_view text);

}  // namespace postern::filetransfer
