#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/check.h"
#include "core/config/service_needs.h"
#include "core/config/wording.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;
using decl::Credential;
using decl::ServiceAccount;

// Type and bytes of a public key, without the comment.
std::string_view KeyItself(std::string_view line) {
  const size_t blank = line.find(' ');
  return line.substr(0, blank == std::string_view::npos ? blank : line.find(' ', blank + 1));
}

class ServiceChecks {
 public:
  ServiceChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& service : input_.declarations.service_accounts) {
      CheckPeople(service);
      CheckPlaces(service);
      CheckCredentials(service);
      CheckRows(service);
    }
    if (!diagnostics_.has_errors()) WarnOfUnneeded();
  }

 private:
  using Service = Declared<ServiceAccount>;

  diag::Diagnostic& Error(const char* code, const Service& service, const std::string& summary,
                          diag::Span span, std::string label, std::string note) {
    return diagnostics_.Add(
        {.code = code,
         .summary = fmt::format("service account \"{}\" {}", service.message.name(), summary),
         .span = span,
         .label = std::move(label),
         .notes = {std::move(note)}});
  }

  void CheckPeople(const Service& service) {
    const ServiceAccount& m = service.message;
    if (!m.has_deputy() || m.deputy() != m.owner()) return;
    Error(code::kServiceOwner, service, "has one person for owner and deputy",
          service.At(ServiceAccount::kDeputyFieldNumber), "the owner again",
          "the deputy answers when the owner can't: name somebody else")
        .also.push_back({service.At(ServiceAccount::kOwnerFieldNumber), "the owner"});
  }

  void CheckPlaces(const Service& service) {
    const ServiceAccount& m = service.message;
    if (m.has_servers() && !m.has_home()) {
      Error(code::kServiceHome, service, "has no login folder",
            service.At(ServiceAccount::kServersFieldNumber), "an account there needs one",
            "add home = \"/...\" below a managed root");
    }
    if (m.has_dn() && !m.has_directory()) {
      Error(code::kServicePlace, service, "has a dn but no directory",
            service.At(ServiceAccount::kDnFieldNumber), "in which directory?",
            "add directory = \"NAME\", or take the dn out");
    }
    if (m.interactive()) {
      Error(code::kServiceInteractive, service, "can't be interactive",
            service.At(ServiceAccount::kInteractiveFieldNumber), "no account here has a shell",
            "servers let accounts transfer files and nothing else; take the line out");
    }
  }

  void CheckCredentials(const Service& service) {
    const ServiceAccount& m = service.message;
    constexpr int kCurrent = ServiceAccount::kCurrentFieldNumber;
    constexpr int kNext = ServiceAccount::kNextFieldNumber;
    CheckHalves(service, m.current(), kCurrent);
    CheckHalves(service, m.next(), kNext);
    const bool off = m.has_enabled() && !m.enabled();
    const bool opens = m.current().has_key() || m.current().has_password();
    if (m.has_next() && !m.has_current()) {
      Error(code::kServiceSlots, service, "has a next credential and no current one",
            service.At(kNext), "next to what?", "the only credential is `current`");
    } else if (m.has_servers() && !opens && !off) {
      Error(code::kServiceCredential, service, "has accounts that nothing opens",
            service.At(ServiceAccount::kServersFieldNumber), "no key and no password",
            "add current = { key = \"...\" }, or enabled = false until there is one");
    }
    CheckSame(service);
    CheckFrom(service);
  }

  // A source address stands on a key. No server keeps one for a login's password, which would open
  // the account from anywhere.
  void CheckFrom(const Service& service) {
    const ServiceAccount& m = service.message;
    const auto& from = m.from().values();
    if (from.empty() || std::find(from.begin(), from.end(), "*") != from.end()) return;
    for (const auto& [slot, field] :
         {std::pair(&m.current(), int{ServiceAccount::kCurrentFieldNumber}),
          std::pair(&m.next(), int{ServiceAccount::kNextFieldNumber})}) {
      if (!slot->has_password()) continue;
      Error(code::kFieldUnsupported, service, "has a password that works from anywhere",
            service.At(ServiceAccount::kFromFieldNumber), "keys keep this, a password doesn't",
            "give it a key and no password; or take `from` out and let a firewall say it")
          .also.push_back(
              {service.At(Nested(field, Credential::kPasswordFieldNumber)), "the password"});
    }
  }

  void CheckHalves(const Service& service, const Credential& slot, int field) {
    if (!slot.has_private_key() || slot.has_key()) return;
    Error(code::kServiceSlots, service, "has a private key without its public half",
          service.At(Nested(field, Credential::kPrivateKeyFieldNumber)), "servers need `key`",
          "add key = \"ssh-ed25519 ...\", the line of the .pub file");
  }

  void CheckSame(const Service& service) {
    const Credential& current = service.message.current();
    const Credential& next = service.message.next();
    const auto report = [&](int part, std::string_view what) {
      Error(code::kServiceNextSame, service, fmt::format("has one {} in both slots", what),
            service.At(Nested(ServiceAccount::kNextFieldNumber, part)), "the current one again",
            "put a new one here; when it stands as current, this slot goes")
          .also.push_back(
              {service.At(Nested(ServiceAccount::kCurrentFieldNumber, part)), "the current one"});
    };
    if (current.has_key() && next.has_key() && KeyItself(current.key()) == KeyItself(next.key())) {
      report(Credential::kKeyFieldNumber, "key");
    } else if (next.has_private_key() && current.private_key() == next.private_key()) {
      report(Credential::kPrivateKeyFieldNumber, "private key");
    }
    if (next.has_password() && current.password() == next.password()) {
      report(Credential::kPasswordFieldNumber, "password");
    }
  }

  // Hosts at which the identity has an account, its own or a declared one.
  std::set<std::string_view> HostsOf(const std::string& identity) const {
    std::set<std::string_view> hosts;
    for (const auto& account : input_.declarations.accounts) {
      if (account.message.for_() != identity) continue;
      const auto* server = input_.index.Get<decl::Server>(account.message.server());
      if (server != nullptr) hosts.insert(server->message.host());
    }
    return hosts;
  }

  void CheckRows(const Service& service) {
    const auto& rows = service.message.rows().values();
    if (rows.empty() || input_.files_missing) return;
    const std::set<std::string_view> hosts = HostsOf("service:" + service.message.name());
    std::set<std::pair<std::string_view, bool>> seen;
    for (int i = 0; i < rows.size(); ++i) {
      const diag::Span place = service.At(ServiceAccount::kRowsFieldNumber, i);
      if (!seen.insert({rows[i].folder(), rows[i].depth() == "this"}).second) {
        Error(code::kSameRow, service,
              fmt::format("has two rows for folder \"{}\"", rows[i].folder()), place,
              "again, at the same depth", "put their rights into one");
      }
      const auto* folder = input_.index.Get<decl::Folder>(rows[i].folder());
      if (folder == nullptr || hosts.contains(folder->message.host())) continue;
      Error(code::kServiceRow, service,
            fmt::format("has rights on folder \"{}\" and no account there", rows[i].folder()),
            place, fmt::format("the folder is on host \"{}\"", folder->message.host()),
            "name a server of that host in `servers`, or take the row out")
          .also.push_back({folder->span, "the folder"});
    }
  }

  void WarnOfUnneeded() {
    for (const Unneeded& unneeded : FindUnneeded(input_.declarations, input_.index)) {
      const ServiceAccount& m = unneeded.service->message;
      const std::string& folder = m.rows().values(unneeded.row).folder();
      diagnostics_.Add(
          {.severity = diag::Severity::kWarning,
           .code = code::kServiceUnneeded,
           .summary = fmt::format("no job of service account \"{}\" uses {} on folder \"{}\"",
                                  m.name(), Join(unneeded.rights), folder),
           .span = unneeded.service->At(ServiceAccount::kRowsFieldNumber, unneeded.row),
           .label = unneeded.all ? "no job comes here" : "more than its jobs do here",
           .notes = {unneeded.all ? "take the row out, unless something else uses it"
                                  : "take these rights out, unless something else uses them"}});
    }
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

void CheckServiceAccounts(const CheckInput& input, diag::Diagnostics* diagnostics) {
  ServiceChecks(input, diagnostics).Run();
}

}  // namespace postern::config
