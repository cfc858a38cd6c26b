#include "providers/directory/tls_diagnosis.h"

#include <fmt/format.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace postern::directory {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* pointer) const { Free(pointer); }
};
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;

std::string NameText(const X509_NAME* name) {
  const std::unique_ptr<BIO, Freer<BIO, BIO_free_all>> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string TimeText(const ASN1_TIME* at) {
  tm parts{};
  if (ASN1_TIME_to_tm(at, &parts) != 1) return "?";
  return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

// subjectAltName as "DNS:a, IP:127.0.0.1".
std::string AlternativeNames(const X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string text;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    const std::unique_ptr<BIO, Freer<BIO, BIO_free_all>> bio(BIO_new(BIO_s_mem()));
    GENERAL_NAME_print(bio.get(), const_cast<GENERAL_NAME*>(name));
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    if (!text.empty()) text += ", ";
    text.append(data, static_cast<size_t>(size));
  }
  GENERAL_NAMES_free(names);
  return text.empty() ? "none" : text;
}

// The certificate that the server shows, without verifying it and without logging in.
Certificate PeerCertificate(const Settings& settings) {
  LDAP* ld = nullptr;
  if (ldap_initialize(&ld, settings.url.c_str()) != LDAP_SUCCESS) return nullptr;
  const auto end = [](LDAP* handle) { ldap_unbind_ext_s(handle, nullptr, nullptr); };
  const std::unique_ptr<LDAP, decltype(end)> guard(ld, end);
  const int version = LDAP_VERSION3;
  const timeval wait{settings.patience.connect.count() / 1000,
                     settings.patience.connect.count() % 1000 * 1000};
  ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &wait);
  ldap_set_option(ld, LDAP_OPT_TIMEOUT, &wait);
  if (!SetTlsOptions(settings, ld, LDAP_OPT_X_TLS_NEVER)) return nullptr;
  int code = ldap_connect(ld);
  if (code == LDAP_SUCCESS && settings.start_tls) code = ldap_start_tls_s(ld, nullptr, nullptr);
  if (code != LDAP_SUCCESS) return nullptr;
  BerValue der{};
  if (ldap_get_option(ld, LDAP_OPT_X_TLS_PEERCERT, &der) != LDAP_SUCCESS) return nullptr;
  if (der.bv_val == nullptr) return nullptr;
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.bv_val);
  Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.bv_len)));
  ldap_memfree(der.bv_val);
  return certificate;
}

// Which check fails; the chain's intermediates aren't shown to us, so only a direct issuer is
// known.
std::string FailedCheck(const Settings& settings, X509* certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) return "it has expired";
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) return "it is not valid yet";
  const std::unique_ptr<X509_STORE, Freer<X509_STORE, X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_load_file(store.get(), settings.ca.c_str());
  const std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX, X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr);
  if (X509_verify_cert(context.get()) != 1) {
    return fmt::format("no authority in {} has signed it ({})", settings.ca,
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  }
  const bool named =
      X509_check_host(certificate, settings.host.data(), settings.host.size(), 0, nullptr) == 1 ||
      X509_check_ip_asc(certificate, settings.host.c_str(), 0) == 1;
  if (!named) return fmt::format("it isn't made out to {}", settings.host);
  if (settings.host == "localhost") {
    // libldap checks the machine's own name instead.
    return "libldap doesn't take \"localhost\" for its name: write 127.0.0.1 in the URL";
  }
  return "the TLS library refuses it";
}

}  // namespace

Result<void> SetTlsOptions(const Settings& settings, LDAP* ld, int require) {
  const int oldest = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
  ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
  ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &oldest);
  ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, settings.ca.c_str());
  if (!settings.cert.empty()) ldap_set_option(ld, LDAP_OPT_X_TLS_CERTFILE, settings.cert.c_str());
  if (!settings.key.empty()) ldap_set_option(ld, LDAP_OPT_X_TLS_KEYFILE, settings.key.c_str());
  // Last: only now do the options above take effect on this handle.
  const int server = 0;
  if (ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &server) != LDAP_SUCCESS) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("the TLS library can't use the certificates in {}{}{}", settings.ca,
                            settings.cert.empty() ? "" : " or " + settings.cert,
                            settings.key.empty() ? "" : " or " + settings.key));
  }
  return {};
}

std::string DiagnoseTls(const Settings& settings) {
  const Certificate certificate = PeerCertificate(settings);
  if (certificate == nullptr) return {};
  X509* shown = certificate.get();
  return fmt::format(
      "the certificate of {} is not accepted: {}; subject {}, names {}, issuer {}, valid {} to {}; "
      "nothing was sent to it",
      settings.url, FailedCheck(settings, shown), NameText(X509_get_subject_name(shown)),
      AlternativeNames(shown), NameText(X509_get_issuer_name(shown)),
      TimeText(X509_get0_notBefore(shown)), TimeText(X509_get0_notAfter(shown)));
}

}  // namespace postern::directory
