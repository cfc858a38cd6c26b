// providers/directory/tls_diagnosis.h: TLS options of a handle, and why a handshake failed.
//
// libldap (GnuTLS build) answers every failed verification with "unknown error" or "can't contact":
// so we look at the certificate ourselves, over a second connection that sends no credentials.
#pragma once
#include <ldap.h>

#include <string>

#include "providers/directory/settings.h"

namespace postern::directory {

// `require`: LDAP_OPT_X_TLS_DEMAND for everything but the diagnosis.
Result<void> SetTlsOptions(const Settings& settings, LDAP* ld, int require);

// Why the server's certificate isn't accepted: what it says and which check fails. Empty when the
// trouble is another one (no server, no certificate shown).
std::string DiagnoseTls(const Settings& settings);

}  // namespace postern::directory
