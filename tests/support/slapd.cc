#include "tests/support/slapd.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace postern::support {
namespace {

const Env kQuiet = {{"LDAPNOINIT", "1"}};

// A command of the fixture itself: a failure is a test failure with its output.
RunResult Must(const std::vector<std::string>& argv, const std::string& input = "") {
  const RunResult result = RunCommand(argv, {.input = input, .env = kQuiet, .limit = seconds(180)});
  EXPECT_EQ(result.exit, 0) << argv[0] << ": " << result.out << result.err;
  return result;
}

std::string PercentEncode(const std::string& path) {
  std::string encoded;
  for (const char c : path) encoded += c == '/' ? std::string("%2F") : std::string(1, c);
  return encoded;
}

}  // namespace

Slapd::Slapd(const Options& options) : port_(FreePort()), tls_port_(FreePort()) {
  scratch_.Folder("db");
  if (options.tls) MakeCertificates(options);
  const std::string config = scratch_.Write("slapd.conf", Config(options));
  const std::string ldif = scratch_.Write("first.ldif", FirstEntries(options));
  Must({FindProgram("slapadd"), "-q", "-f", config, "-l", ldif});
  std::string urls = url() + "/";
  if (options.tls) urls += " " + ldaps_url() + "/";
  if (options.ldapi) urls += " " + ldapi_url();
  // "none" is what it says at every level: why it ended, and nothing of its traffic.
  command_ = {"slapd", "-d", "none", "-f", config, "-h", urls};
  Restart();
}

void Slapd::Restart() {
  process_ =
      std::make_unique<ServerProcess>(scratch_, command_, ServerProcess::Options{.name = "slapd"});
  EXPECT_TRUE(process_->WaitForPort(port_));
}

std::string Slapd::url() const {
  return "ldap://127.0.0.1:" + std::to_string(port_);
}
std::string Slapd::ldaps_url() const {
  return "ldaps://127.0.0.1:" + std::to_string(tls_port_);
}
std::string Slapd::ldapi_url() const {
  return "ldapi://" + PercentEncode(scratch_.File("ldapi.sock"));
}

std::string Slapd::Config(const Options& options) const {
  std::string text;
  for (const char* schema : {"core", "cosine", "nis", "inetorgperson"}) {
    text += "include /etc/ldap/schema/" + std::string(schema) + ".schema\n";
  }
  text += "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload back_monitor\n";
  if (options.ppolicy) text += "moduleload ppolicy\n";
  if (options.memberof) text += "moduleload memberof\nmoduleload refint\n";
  if (options.sortvals) text += "sortvals member\n";
  text += "pidfile " + scratch_.File("slapd.pid") + "\n";
  if (options.tls) {
    text += "TLSCACertificateFile " + ca() + "\nTLSCertificateFile " + scratch_.File("cert.pem") +
            "\nTLSCertificateKeyFile " + scratch_.File("key.pem") + "\n";
  }
  if (options.ldapi) {
    text += "authz-regexp gidNumber=[0-9]+[+]uidNumber=" + std::to_string(getuid()) +
            ",cn=peercred,cn=external,cn=auth \"" + kBindDn + "\"\n";
  }
  for (const std::string& line : options.global_access) text += line + "\n";
  if (!options.global_access.empty()) text += "access to * by * read\n";
  text += "database monitor\naccess to * by dn.exact=" + std::string(kBindDn) +
          " read by dn.exact=" + kRootDn + " read\n";
  text += "database mdb\nsuffix " + std::string(kSuffix) + "\nrootdn " + kRootDn +
          "\nrootpw root-pw\nmaxsize 4294967296\ndirectory " + scratch_.File("db") +
          "\ndbnosync\nindex objectClass,uid,member,entryUUID,entryCSN eq\n";
  if (options.ppolicy) text += "overlay ppolicy\n";
  if (options.ppolicy && options.lockout_policy) {
    text += "ppolicy_default cn=policy," + std::string(kSuffix) + "\n";
  }
  if (options.memberof) text += "overlay memberof\noverlay refint\nrefint_attributes member\n";
  text += "limits dn.exact=\"" + std::string(kBindDn) + "\" " +
          (options.limits.empty() ? "size=unlimited" : options.limits) + "\n";
  for (const std::string& line : options.access) text += line + "\n";
  text += "access to * by dn.exact=\"" + std::string(kBindDn) + "\" manage by * break\n";
  text += "access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n";
  return text;
}

std::string Slapd::FirstEntries(const Options& options) const {
  const std::string suffix = kSuffix;
  std::string text = "dn: " + suffix +
                     "\nobjectClass: domain\ndc: example\n\n"
                     "dn: ou=people," +
                     suffix + "\nobjectClass: organizationalUnit\nou: people\n\ndn: ou=groups," +
                     suffix + "\nobjectClass: organizationalUnit\nou: groups\n\ndn: " + kBindDn +
                     "\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\n"
                     "cn: postern\nuserPassword: " +
                     kPassword + "\n\n";
  if (options.ppolicy && options.lockout_policy) {
    text += "dn: cn=policy," + suffix +
            "\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n"
            "pwdAttribute: userPassword\npwdLockout: TRUE\n\n";
  }
  return text + options.ldif;
}

void Slapd::MakeCertificates(const Options& options) {
  const auto authority = [&](const std::string& name) {
    Must({FindProgram("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
          "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout",
          scratch_.File(name + ".key"), "-out", scratch_.File(name + ".pem")});
  };
  authority("ca");
  authority("other");
  Must({FindProgram("openssl"), "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-subj", "/CN=directory", "-keyout", scratch_.File("key.pem"), "-out",
        scratch_.File("request.pem")});
  const std::string names = scratch_.Write(
      "names.cnf", options.wrong_name ? "subjectAltName=DNS:elsewhere.example,IP:192.0.2.1\n"
                                      : "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  Must({FindProgram("openssl"), "x509", "-req", "-days", options.expired ? "-1" : "2", "-in",
        scratch_.File("request.pem"), "-CA", ca(), "-CAkey", scratch_.File("ca.key"),
        "-CAcreateserial", "-extfile", names, "-out", scratch_.File("cert.pem")});
}

void Slapd::Modify(const std::string& ldif) {
  Must({FindProgram("ldapmodify"), "-x", "-H", url(), "-D", kRootDn, "-w", "root-pw"}, ldif);
}

std::string Slapd::Search(const std::string& base, const std::string& filter,
                          const std::vector<std::string>& attributes) {
  std::vector<std::string> argv = {FindProgram("ldapsearch"),
                                   "-x",
                                   "-LLL",
                                   "-o",
                                   "ldif-wrap=no",
                                   "-H",
                                   url(),
                                   "-D",
                                   kRootDn,
                                   "-w",
                                   "root-pw",
                                   "-b",
                                   base,
                                   filter};
  argv.insert(argv.end(), attributes.begin(), attributes.end());
  return Must(argv).out;
}

bool Slapd::CanBind(const std::string& dn, const std::string& password) {
  const RunResult result = RunCommand(
      {FindProgram("ldapwhoami"), "-x", "-H", url(), "-D", dn, "-w", password}, {.env = kQuiet});
  return result.exit == 0;
}

std::string Slapd::PersonLdif(const std::string& uid, const std::string& more) {
  return "dn: uid=" + uid + "," + kPeople + "\nobjectClass: inetOrgPerson\nuid: " + uid +
         "\ncn: " + uid + " Person\nsn: Person\nmail: " + uid + "@example.org\n" + more + "\n";
}

}  // namespace postern::support
