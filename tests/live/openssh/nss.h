// tests/live/openssh/nss.h: a directory that the host has accounts from: slapd, nslcd and the
// `ldap` source of NSS, in the private namespace of machine.h.
//
// nslcd knows one place for its configuration and one for its socket: /etc is the overlay, /run an
// empty tmpfs of its own. Construct it before the SshdWorld and on the main thread; nsswitch.conf
// is as before when it goes. Entries may log in by password: nslcd reads their hashes, as root
// does.
#pragma once
#include <memory>
#include <string>

#include "tests/support/process.h"
#include "tests/support/slapd.h"

namespace postern::live {

class NssDirectory {
 public:
  NssDirectory();
  ~NssDirectory();
  NssDirectory(const NssDirectory&) = delete;
  NssDirectory& operator=(const NssDirectory&) = delete;

  // An entry with that number; password "correct horse", home /srv/exchange.
  void Add(const std::string& login, uint32_t uid);
  // [directory.corp] and its secret, for the operator's file.
  std::string OperatorLines() const;
  // "uid=LOGIN,ou=people,..."
  static std::string Dn(const std::string& login);
  support::Slapd& slapd() { return *slapd_; }
  // The daemon between NSS and the directory.
  void StopNslcd();
  void StartNslcd();

 private:
  support::Scratch scratch_;
  std::unique_ptr<support::Slapd> slapd_;
  std::unique_ptr<support::ServerProcess> nslcd_;
  std::string own_switch_;
};

}  // namespace postern::live
