// Places that files are delivered to or fetched from, and runners: as far as no other machine must
// be asked.
#include <fmt/format.h>

#include <map>
#include <set>

#include "core/config/job_checks.h"
#include "core/diag/codes.h"
#include "core/jobs/zone.h"

namespace postern::config {
namespace {

namespace code = diag::code;

using decl::Endpoint;
using decl::Runner;

class EndpointChecks {
 public:
  EndpointChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& endpoint : input_.declarations.endpoints) Check(endpoint);
    for (const auto& runner : input_.declarations.runners) Check(runner);
  }

 private:
  void Check(const Declared<Endpoint>& endpoint) {
    const Endpoint& m = endpoint.message;
    const Said said{diagnostics_, fmt::format("endpoint \"{}\"", m.name())};
    if (m.has_for_() == m.has_server()) {
      said.Error(code::kEndpointWho,
                 m.has_for_() ? endpoint.At(Endpoint::kServerFieldNumber) : endpoint.span,
                 fmt::format("{} {}", said.what,
                             m.has_for_() ? "is a foreign place and one of our servers"
                                          : "doesn't say who reads there"),
                 "one of for and server",
                 "write for = \"partner:NAME\" for a foreign place, server = \"NAME\" for one of "
                 "ours");
    }
    if (m.has_address() && !IsHostPort(m.address())) {
      said.Error(code::kBadAddress, endpoint.At(Endpoint::kAddressFieldNumber),
                 fmt::format("this is no address of {}", said.what), "not host or host:port");
    }
    CheckTrust(endpoint, said);
    CheckLogin(endpoint, said);
    CheckSigner(endpoint, said);
  }

  void CheckTrust(const Declared<Endpoint>& endpoint, const Said& said) {
    const Endpoint& m = endpoint.message;
    const diag::Span protocol = endpoint.At(Endpoint::kProtocolFieldNumber);
    if (m.protocol() == "sftp" && !Wrote(endpoint, Endpoint::kKnownHostFieldNumber)) {
      said.Error(code::kEndpointTrust, protocol,
                 fmt::format("known_host is missing in {}", said.what), "who answers there?",
                 "write known_host = \"ssh-ed25519 ...\", as the place gave it to you; not what "
                 "ssh-keyscan finds");
    }
    if (m.protocol() == "ftp" && !m.plain() && !IsLoopback(m.address())) {
      said.Error(code::kEndpointTrust, protocol,
                 fmt::format("{} would get passwords and files in the clear", said.what),
                 "ftp without TLS beyond this machine",
                 "write protocol = \"ftps\", or plain = true when the place has nothing else");
    }
    const auto only = [&](bool has, int field, const char* name, bool fits, const char* of) {
      if (!has || fits || !m.has_protocol()) return;
      said.Error(code::kEndpointTrust, endpoint.At(field),
                 fmt::format("{} in {} has no meaning", name, said.what),
                 fmt::format("it is for {}, the protocol is {}", of, m.protocol()), "leave it out");
    };
    const bool sftp = m.protocol() == "sftp", tls = m.protocol().starts_with("ftps");
    only(m.has_known_host(), Endpoint::kKnownHostFieldNumber, "known_host", sftp, "sftp");
    only(m.has_private_key(), Endpoint::kPrivateKeyFieldNumber, "private_key", sftp, "sftp");
    only(m.has_ca(), Endpoint::kCaFieldNumber, "ca", tls, "ftps");
    only(m.plain(), Endpoint::kPlainFieldNumber, "plain", m.protocol() == "ftp", "ftp");
  }

  // Whose signature counts for what comes from there.
  void CheckSigner(const Declared<Endpoint>& endpoint, const Said& said) {
    const Endpoint& m = endpoint.message;
    if (!m.has_signed_by()) return;
    const diag::Span span = endpoint.At(Endpoint::kSignedByFieldNumber);
    if (!m.has_gpg_home()) {
      said.Error(code::kJobEncrypt, span,
                 fmt::format("signatures of what {} gives can't be looked at", said.what),
                 "where is the key?",
                 "write gpg_home = \"/var/lib/postern/gpg\", gpg's home on the runner");
    }
    // A shorter one can be made to fit another key.
    std::string digits = m.signed_by();
    std::erase(digits, ' ');
    const bool full = (digits.size() == 40 || digits.size() == 64) &&
                      digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (full) return;
    said.Error(code::kJobEncrypt, span,
               fmt::format("\"{}\" isn't the fingerprint of a key", m.signed_by()),
               "40 hexadecimal digits, or 64", "gpg --fingerprint shows it");
  }

  // A foreign place gave us a login; at a server of ours the job has its service account's.
  void CheckLogin(const Declared<Endpoint>& endpoint, const Said& said) {
    const Endpoint& m = endpoint.message;
    const bool secret = m.has_password() || m.has_private_key();
    if (m.has_server() && (m.has_login() || secret)) {
      said.Error(
          code::kEndpointWho,
          endpoint.At(m.has_login() ? Endpoint::kLoginFieldNumber : Endpoint::kServerFieldNumber),
          fmt::format("{} is one of our servers and has a login of its own", said.what),
          "a job signs in there as its service account", "leave login and secrets out");
    } else if (m.has_for_() && (!m.has_login() || !secret)) {
      said.Error(code::kEndpointWho, endpoint.span,
                 fmt::format("{} has nothing to sign in with", said.what),
                 m.has_login() ? "no password and no private_key" : "no login",
                 "write login and password = \"secret:NAME\" (sftp: or private_key)");
    }
  }

  void Check(const Declared<Runner>& runner) {
    const Runner& m = runner.message;
    const Said said{diagnostics_, fmt::format("runner \"{}\"", m.name())};
    if (m.has_zone() && !jobs::FindZone(m.zone())) {
      said.Error(code::kUnknownZone, runner.At(Runner::kZoneFieldNumber),
                 fmt::format("no time zone \"{}\"", m.zone()), "not in the system's tzdata");
    }
    if (m.has_zone() && m.starter() != "cron") {
      said.Error(code::kBadSetting, runner.At(Runner::kZoneFieldNumber),
                 fmt::format("zone of {} has no meaning", said.what),
                 "timers of systemd name their zone", "leave it out, or write starter = \"cron\"");
    }
    const auto* host = input_.index.Get<decl::Host>(m.host());
    if (host == nullptr || m.user() != "root") return;
    said.Error(code::kBadSetting, runner.At(Runner::kUserFieldNumber),
               fmt::format("{} would run its jobs as root", said.what), "of no job's need",
               "give it an account of its own");
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void CheckEndpoints(const CheckInput& input, diag::Diagnostics* diagnostics) {
  EndpointChecks(input, diagnostics).Run();
}

}  // namespace postern::config
