// Opening a target, connecting, and what the server can do.
#include <fmt/format.h>

#include "providers/directory/target.h"

namespace postern::directory {

Result<std::unique_ptr<object::Target>> Open(const decl::Directory& declared,
                                             const object::Secrets& secrets,
                                             const Patience& patience) {
  auto settings = MakeSettings(declared, secrets, patience);
  if (!settings) return tl::unexpected(settings.error());
  return std::make_unique<DirectoryTarget>(std::move(*settings));
}

Result<Connection*> DirectoryTarget::Connect() {
  if (connection_ != nullptr && !connection_->lost()) return connection_.get();
  connection_.reset();
  auto opened = Connection::Open(settings_);
  if (!opened) return tl::unexpected(opened.error());
  connection_ = std::move(*opened);
  if (reading_.ledger_key.empty()) reading_.ledger_key = settings_.ledger_key;
  ReadFeatures();
  if (connection_->lost()) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} ended the connection", settings_.url));
  }
  return connection_.get();
}

Result<Connection*> DirectoryTarget::ConnectAnew() {
  if (connection_ != nullptr && !connection_->lost()) (void)connection_->WhoAmI();
  return Connect();
}

void DirectoryTarget::ReadFeatures() {
  Features features;
  static const char* const kRootAttributes[] = {
      "supportedControl", "supportedExtension",    "namingContexts", "vendorName",
      "vendorVersion",    "structuralObjectClass", nullptr};
  const auto visit = [&](EntryCursor& entry) {
    std::string_view name, value;
    while (entry.Next(&name)) {
      while (entry.NextValue(&value)) {
        features.assertion |= value == "1.3.6.1.1.12";
        features.paged |= value == LDAP_CONTROL_PAGEDRESULTS;
        features.usability |= value == kUsabilityControl;
        features.policy_attributes |= value == "1.3.6.1.4.1.42.2.27.8.5.1";
        features.password_modify |= value == "1.3.6.1.4.1.4203.1.11.1";
        features.openldap |= value == "OpenLDAProotDSE";
        if (name == "namingContexts") features.contexts.emplace_back(value);
        if (name == "vendorName") features.vendor = value;
        if (name == "vendorVersion") features.version = value;
      }
    }
    return true;
  };
  connection_->Search({.base = "", .scope = LDAP_SCOPE_BASE, .attributes = kRootAttributes}, visit);
  static const char* const kNothing[] = {"1.1", nullptr};
  for (const std::string& context : features.contexts) {
    if (!features.policy_attributes || !features.lockout_policy.empty()) break;
    connection_->Search({.base = context,
                         .filter = "(&(objectClass=pwdPolicy)(pwdLockout=TRUE))",
                         .attributes = kNothing},
                        [&](EntryCursor& entry) {
                          features.lockout_policy = entry.dn();
                          return false;
                        });
  }
  features_ = std::move(features);
  reading_.has_policy_attributes = features_.policy_attributes;
  // Without pwdLockout slapd stores pwdAccountLockedTime and lets the account in all the same.
  reading_.locks_by_attribute = features_.policy_attributes && features_.usability;
}

}  // namespace postern::directory
