#include "providers/directory/settings.h"

#include <fmt/format.h>
#include <ldap.h>
#include <unistd.h>

#include <memory>

namespace postern::directory {
namespace {

// Debian's bundle, used when the declaration names no authority.
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

bool IsLoopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<void> ReadUrl(const decl::Directory& declared, Settings* settings) {
  settings->url = declared.url();
  LDAPURLDesc* parsed = nullptr;
  if (ldap_url_parse(settings->url.c_str(), &parsed) != LDAP_URL_SUCCESS) {
    return Fail(
        ErrorCode::kInvalid,
        fmt::format("\"{}\" is not an LDAP URL: write ldap://host:port, ldaps://host:port or "
                    "ldapi://%2Fpath%2Fto%2Fsocket",
                    settings->url));
  }
  const std::unique_ptr<LDAPURLDesc, void (*)(LDAPURLDesc*)> guard(parsed, ldap_free_urldesc);
  settings->scheme = parsed->lud_scheme == nullptr ? "" : parsed->lud_scheme;
  if (settings->scheme != "ldapi" && parsed->lud_host != nullptr) settings->host = parsed->lud_host;
  if (settings->scheme != "ldapi" && settings->host.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("\"{}\" names no host", settings->url));
  }
  return {};
}

Result<void> ReadableFile(const char* what, const std::string& path) {
  if (path.empty() || access(path.c_str(), R_OK) == 0) return {};
  return Fail(ErrorCode::kInvalid, fmt::format("tls.{} names {}, which can't be read", what, path));
}

// StartTLS is the default; without it a password would cross the network in clear text.
Result<void> ReadTls(const decl::Directory& declared, Settings* settings) {
  if (settings->scheme == "ldapi") return {};
  const bool start = !declared.tls().has_start() || declared.tls().start();
  settings->start_tls = settings->scheme == "ldap" && start;
  if (!settings->uses_tls() && !IsLoopback(settings->host)) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("tls.start = false would send the password to {} in clear text: it is "
                            "allowed on loopback only",
                            settings->host));
  }
  settings->ca = declared.tls().has_ca() ? declared.tls().ca() : kSystemBundle;
  settings->cert = declared.tls().cert();
  settings->key = declared.tls().key();
  if (!settings->uses_tls()) return {};
  if (auto ok = ReadableFile("ca", settings->ca); !ok) return ok;
  if (auto ok = ReadableFile("cert", settings->cert); !ok) return ok;
  return ReadableFile("key", settings->key);
}

Result<void> ReadBind(const decl::Directory& declared, const object::Secrets& secrets,
                      Settings* settings) {
  const decl::Bind& bind = declared.bind();
  settings->external = bind.mechanism() == "external";
  if (settings->external) return {};
  settings->bind_dn = bind.dn();
  std::string name = bind.password();
  if (name.starts_with("secret:")) name.erase(0, 7);
  if (!bind.has_dn() || name.empty()) {
    return Fail(ErrorCode::kInvalid,
                "bind needs dn and password, or mechanism = \"external\" over ldapi");
  }
  const auto found = secrets.find(name);
  // An empty password would be an unauthenticated bind, which succeeds as nobody (RFC 4513 §5.1.2).
  if (found == secrets.end() || found->second.empty()) {
    return Fail(ErrorCode::kInvalid, fmt::format("secret:{} has no value", name));
  }
  settings->password = found->second;
  return {};
}

}  // namespace

Result<Settings> MakeSettings(const decl::Directory& declared, const object::Secrets& secrets,
                              const Patience& patience) {
  Settings settings;
  settings.name = declared.name();
  settings.patience = patience;
  if (auto ok = ReadUrl(declared, &settings); !ok) return tl::unexpected(ok.error());
  if (auto ok = ReadTls(declared, &settings); !ok) return tl::unexpected(ok.error());
  if (auto ok = ReadBind(declared, secrets, &settings); !ok) return tl::unexpected(ok.error());
  for (const std::string& base : declared.manage().bases().values()) {
    settings.bases.push_back(base);
    settings.base_keys.push_back(object::Normalise(object::Comparator::kDn, base));
  }
  if (settings.bases.empty()) {
    return Fail(ErrorCode::kInvalid, "manage.bases is empty: name the subtrees that are managed");
  }
  if (const auto key = secrets.find("ledger-key"); key != secrets.end()) {
    settings.ledger_key = key->second;
  }
  return settings;
}

}  // namespace postern::directory
