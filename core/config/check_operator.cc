#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include "core/config/check.h"
#include "core/config/values.h"
#include "core/diag/codes.h"

namespace postern::config {
namespace {

namespace code = diag::code;

bool IsPort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65536;
}

class OperatorChecks {
 public:
  OperatorChecks(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  void Run() {
    for (const auto& host : input_.declarations.hosts) CheckHost(host);
    for (const auto& directory : input_.declarations.directories) CheckDirectory(directory);
    for (const auto& secret : input_.declarations.secrets) CheckSecret(secret);
    CheckBreakGlass(input_.declarations.operator_file);
  }

 private:
  diag::Diagnostic& Error(const char* code, std::string summary, diag::Span span, std::string label,
                          std::string note) {
    auto& d = diagnostics_.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
    if (!note.empty()) d.notes.push_back(std::move(note));
    return d;
  }

  void CheckHost(const Declared<decl::Host>& host) {
    const decl::Host& m = host.message;
    CheckManage(host, m.manage(), decl::Host::kManageFieldNumber);
    if (!m.has_address()) return;
    const diag::Span span = host.At(decl::Host::kAddressFieldNumber);
    std::string_view address = m.address();
    if (address == "local:") {
      if (m.become() == "sudo") {
        Error(code::kBadSetting, "become isn't possible with address = \"local:\"",
              host.At(decl::Host::kBecomeFieldNumber), "a local provider can't raise its rights",
              "run postern as the user that owns the files, or use ssh://user@localhost");
      }
      return;
    }
    if (address.starts_with("memory:") && address.size() > 7) return;
    if (!address.starts_with("ssh://")) {
      BadAddress(span, "\"local:\", \"ssh://user@host:port\" or \"memory:FILE\"");
      return;
    }
    address.remove_prefix(6);
    const size_t at = address.rfind('@');
    const std::string_view user = at == std::string_view::npos ? "" : address.substr(0, at);
    const bool plain_user = user.find_first_of(":/@ ") == std::string_view::npos;
    const std::string_view place = at == std::string_view::npos ? address : address.substr(at + 1);
    if (user.find(':') != std::string_view::npos) input_.sources->Hide(span);
    if (at == 0 || !plain_user || !IsHostPort(place)) {
      BadAddress(span, "\"ssh://user@host:port\", without a password or a path");
    } else if (!Wrote(host, decl::Host::kKnownHostFieldNumber)) {
      Error(code::kHostKeyMissing, fmt::format("host \"{}\" has no known_host", m.name()), span,
            "reached over the network",
            "add known_host = \"...\" with a line of the host's /etc/ssh/ssh_host_ed25519_key.pub");
    }
  }

  void BadAddress(diag::Span span, std::string_view form) {
    Error(code::kBadAddress, "this is no address of a target", span, "not understood",
          fmt::format("write {}", form));
  }

  template <class M>
  void CheckManage(const Declared<M>& target, const decl::Manage& manage, int outer) {
    const std::string_view accounts = manage.accounts();
    if (!manage.has_accounts() || accounts == "all") return;
    if (accounts.starts_with("group:") && !CheckFormat(schema::LOGIN, accounts.substr(6))) return;
    Error(code::kBadSetting, fmt::format("accounts in manage can't be \"{}\"", accounts),
          target.At(Nested(outer, decl::Manage::kAccountsFieldNumber)), "not understood",
          "write \"all\" or \"group:NAME\"");
  }

  void CheckDirectory(const Declared<decl::Directory>& directory) {
    const decl::Directory& m = directory.message;
    CheckManage(directory, m.manage(), decl::Directory::kManageFieldNumber);
    if (!m.has_url()) return;
    const diag::Span span = directory.At(decl::Directory::kUrlFieldNumber);
    const std::string_view url = m.url();
    if ((url.starts_with("memory:") && url.size() > 7) || url.starts_with("ldapi://")) return;
    const bool secure = url.starts_with("ldaps://");
    if (!secure && !url.starts_with("ldap://")) {
      BadAddress(span,
                 "\"ldap://host:port\", \"ldaps://host:port\", \"ldapi://\" or \"memory:FILE\"");
      return;
    }
    std::string_view place = url.substr(secure ? 8 : 7);
    if (place.ends_with('/')) place.remove_suffix(1);
    if (!IsHostPort(place)) {
      BadAddress(span, "\"ldap://host:port\", without a user, a base or a filter");
    } else if (!secure && m.tls().has_start() && !m.tls().start() && !IsLoopback(place)) {
      auto& d = Error(
          code::kClearText, fmt::format("directory \"{}\" would be used without TLS", m.name()),
          directory.At(Nested(decl::Directory::kTlsFieldNumber, decl::Tls::kStartFieldNumber)),
          "switches StartTLS off", "this is for loopback only; use ldaps:// or leave StartTLS on");
      d.also.push_back({span, "crosses the network"});
    }
  }

  void CheckSecret(const Declared<decl::Secret>& secret) {
    const std::string_view from = secret.message.from();
    if (secret.message.has_from() && !IsSource(from)) {
      input_.sources->Hide(secret.At(decl::Secret::kFromFieldNumber));  // may be the secret itself
      Error(
          code::kSecretSource,
          fmt::format("from in [secret.{}] is no source", secret.message.name()),
          secret.At(decl::Secret::kFromFieldNumber), "not understood",
          "write \"env:VAR\", \"file:/path\", \"fd:N\" or \"exec:/path\"; never the value itself");
    }
    const auto& targets = secret.message.targets().values();
    for (int i = 0; i < targets.size(); ++i) CheckTarget(secret, targets[i], i);
  }

  static bool IsSource(std::string_view from) {
    if (from.starts_with("env:")) return from.size() > 4;
    if (from.starts_with("file:/")) return from.size() > 6;
    if (from.starts_with("exec:/")) return from.size() > 6;
    return from.starts_with("fd:") && from.size() > 3 &&
           from.find_first_not_of("0123456789", 3) == std::string_view::npos;
  }

  void CheckTarget(const Declared<decl::Secret>& secret, std::string_view text, int element) {
    const auto address = SplitAddress(text);
    const diag::Span span = secret.At(decl::Secret::kTargetsFieldNumber, element);
    static const std::set<std::string_view> kTables = {"host", "directory", "iam", "endpoint"};
    if (!address || !kTables.contains(address->table)) {
      Error(code::kReferenceForm, "targets takes hosts, directories, iams and endpoints", span,
            "no target",
            "write \"host:NAME\", \"directory:NAME\", \"iam:NAME\" or \"endpoint:NAME\"");
    } else if (!input_.index.Find(address->table, address->name)) {
      Error(code::kUnknownName, fmt::format("no {} named \"{}\"", address->table, address->name),
            span, "not declared", "");
    }
  }

  void CheckBreakGlass(const Declared<decl::Operator>& top) {
    const auto& accounts = top.message.break_glass().values();
    for (int i = 0; i < accounts.size(); ++i) {
      const std::string_view text = accounts[i];
      const diag::Span span = top.At(decl::Operator::kBreakGlassFieldNumber, i);
      const size_t slash = text.find('/');
      if (!text.starts_with("account:") || slash == std::string_view::npos || slash < 9 ||
          slash + 1 == text.size()) {
        Error(code::kBadSetting, "break_glass takes accounts at servers", span, "not understood",
              "write \"account:SERVER/LOGIN\"");
      } else if (const auto server = text.substr(8, slash - 8);
                 !input_.index.Find("server", server)) {
        Error(code::kUnknownName, fmt::format("no server named \"{}\"", server), span,
              "not declared", "");
      }
    }
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
};

}  // namespace

bool IsHostPort(std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) return false;
    port = text.substr(close + 1);
    if (!port.empty() && port[0] != ':') return false;
  } else {
    const size_t colon = text.find(':');
    if (colon == 0 || text.empty()) return false;
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (text.substr(0, colon).find_first_of("/@ ?#") != std::string_view::npos) return false;
  }
  return port.empty() || IsPort(port.substr(1));
}

bool IsLoopback(std::string_view host_port) {
  return host_port.starts_with("127.") || host_port.starts_with("[::1]") ||
         host_port.substr(0, host_port.find(':')) == "localhost";
}

void CheckOperator(const CheckInput& input, diag::Diagnostics* diagnostics) {
  OperatorChecks(input, diagnostics).Run();
}

}  // namespace postern::config
