// providers/filetransfer/host/nss_accounts.h: accounts that the host has from a directory through
// NSS, read; never written.
//
// Asked by name, because a directory needn't list what it has (sssd doesn't by default): for the
// members of the mark group that the host's files don't know, and for whom a directory that does
// list its accounts shows with that group's gid. Nothing is asked where nsswitch.conf
// names no source but the host's own. getent(1) says "not found" also while the directory is down:
// an answer for any name proves that it is up, and the names are asked twice, before and after all
// else. With no answer at all `nss_silent` is set, and what is missing isn't known to be absent.
#pragma once
#include <string_view>

#include "providers/filetransfer/host/accounts_io.h"

namespace postern::filetransfer {

// The sources beyond the host's own files: "ldap", "sss", ...
std::vector<std::string> DirectorySources(const std::vector<std::string>& sources);

// Puts them into the state's accounts and groups; `shadow` gets their lines. One batch, two where
// the mark group itself stands in the directory. Errors: the transport's, kUnavailable when the
// directory stops answering on the way.
Result<void> AddNssAccounts(Transport& transport, const AccountSettings& settings, HostState* state,
                            std::string* shadow);

}  // namespace postern::filetransfer
