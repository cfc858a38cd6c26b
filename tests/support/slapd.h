// tests/support/slapd.h: a real slapd (OpenLDAP 2.5) in a scratch folder, on a free loopback port.
//
// No root needed. The world starts with SUFFIX, ou=people and ou=groups under it, the reconciler's
// entry (manage rights) and what `ldif` adds, loaded by slapadd -q before the start. Ends with the
// object. Use from the main thread, as process.h says.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace postern::support {

class Slapd {
 public:
  static constexpr const char* kSuffix = "dc=example,dc=org";
  static constexpr const char* kPeople = "ou=people,dc=example,dc=org";
  static constexpr const char* kGroups = "ou=groups,dc=example,dc=org";
  static constexpr const char* kBindDn = "cn=postern,dc=example,dc=org";
  static constexpr const char* kPassword = "reconciler-pw";
  static constexpr const char* kRootDn = "cn=admin,dc=example,dc=org";

  struct Options {
    bool ppolicy = true;              // the module and the overlay
    bool lockout_policy = true;       // a default policy with pwdLockout TRUE
    bool tls = false;                 // certificates for 127.0.0.1, StartTLS and an ldaps port
    bool wrong_name = false;          // the certificate is made out to another host
    bool expired = false;             // it was valid until yesterday
    bool ldapi = false;               // a socket too; the own uid maps to the reconciler
    bool memberof = false;            // memberof and refint overlays
    bool sortvals = false;            // "sortvals member"
    std::string limits;               // of the reconciler; default "size=unlimited"
    std::vector<std::string> access;  // "access to ..." lines before ours
    // The same for what belongs to no database, such as the root DSE.
    std::vector<std::string> global_access;
    std::string ldif;  // more entries
  };

  explicit Slapd(const Options& options);
  Slapd() : Slapd(Options()) {}

  std::string url() const;        // ldap://127.0.0.1:port
  std::string ldaps_url() const;  // with tls
  std::string ldapi_url() const;  // with ldapi
  // The authority that signed the certificate; a second one that didn't.
  std::string ca() const { return scratch_.File("ca.pem"); }
  std::string other_ca() const { return scratch_.File("other.pem"); }
  uint16_t port() const { return port_; }
  const Scratch& scratch() const { return scratch_; }
  ServerProcess& process() { return *process_; }
  // Starts it again over the same data, after process().Kill() or Stop().
  void Restart();

  // ldapmodify as the root DN, by the stock client: changes by other hands.
  void Modify(const std::string& ldif);
  // ldapsearch -LLL as the root DN; its output.
  std::string Search(const std::string& base, const std::string& filter,
                     const std::vector<std::string>& attributes = {});
  // True when a real client may log in with this password.
  bool CanBind(const std::string& dn, const std::string& password);

  // An inetOrgPerson in ou=people with cn, sn and mail from the uid.
  static std::string PersonLdif(const std::string& uid, const std::string& more = "");

 private:
  void MakeCertificates(const Options& options);
  std::string Config(const Options& options) const;
  std::string FirstEntries(const Options& options) const;

  Scratch scratch_;
  uint16_t port_ = 0, tls_port_ = 0;
  std::vector<std::string> command_;
  std::unique_ptr<ServerProcess> process_;
};

}  // namespace postern::support
