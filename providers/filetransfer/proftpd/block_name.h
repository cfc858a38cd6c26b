// providers/filetransfer/proftpd/block_name.h: the names of <Directory>, <Anonymous> and
// DefaultRoot as paths on the host. Pure.
//
// Source: 1.3.8, observed: `x` and `x/` are one block, `//` is `/`; `~`, `~bea` and %u are resolved
// at login, by account.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/proftpd/limit.h"
#include "providers/filetransfer/proftpd/raise.h"

namespace postern::proftpd {

std::string BlockName(std::string name);
// True for a name that only a login resolves.
bool IsPersonal(std::string_view name);
// The name for one account. What stays personal matches nothing.
std::string Personal(std::string name, const RaiseAccount& account,
                     const std::vector<RaiseAccount>& accounts, const AccountNames& names);

}  // namespace postern::proftpd
