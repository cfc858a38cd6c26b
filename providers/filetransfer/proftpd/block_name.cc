#include "providers/filetransfer/proftpd/block_name.h"

#include <algorithm>

namespace postern::proftpd {

std::string BlockName(std::string name) {
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  for (size_t at = name.find("//"); at != std::string::npos; at = name.find("//")) {
    name.erase(at, 1);
  }
  return name;
}

bool IsPersonal(std::string_view name) {
  return name.starts_with('~') || name.find("%u") != std::string_view::npos;
}

std::string Personal(std::string name, const RaiseAccount& account,
                     const std::vector<RaiseAccount>& accounts, const AccountNames& names) {
  if (name.starts_with('~')) {
    const size_t end = std::min(name.find('/'), name.size());
    const auto other = names.accounts.find(name.substr(1, end - 1));
    if (end == 1) {
      name = account.home + name.substr(1);
    } else if (other != names.accounts.end()) {
      name = accounts[other->second].home + name.substr(end);
    }
  }
  for (size_t at = name.find("%u"); at != std::string::npos; at = name.find("%u", at)) {
    name.replace(at, 2, account.name);
    at += account.name.size();
  }
  return BlockName(std::move(name));
}

}  // namespace postern::proftpd
