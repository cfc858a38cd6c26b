// providers/directory/settings.h: a checked [directory] declaration.
#pragma once
#include <string>
#include <vector>

#include "providers/directory/directory.h"

namespace postern::directory {

struct Settings {
  std::string name;
  std::string url;           // as libldap takes it
  std::string scheme, host;  // host without brackets; empty with ldapi
  bool start_tls = false;
  std::string ca, cert, key;  // files; ca is never empty where TLS is used
  bool external = false;      // SASL EXTERNAL instead of a simple bind
  std::string bind_dn, password;
  std::string ledger_key;
  std::vector<std::string> bases;      // as declared
  std::vector<std::string> base_keys;  // normalised, same order
  Patience patience;

  bool uses_tls() const { return start_tls || scheme == "ldaps"; }
};

Result<Settings> MakeSettings(const decl::Directory& declared, const object::Secrets& secrets,
                              const Patience& patience);

}  // namespace postern::directory
