// What this directory can do, and what it still needs.
#include <fmt/format.h>

#include "providers/directory/ldap_error.h"
#include "providers/directory/target.h"

namespace postern::directory {

using object::Capability;
using object::Check;
using object::Kind;
using object::Probe;

namespace {

const char kConfigFile[] = "slapd.conf (or the same settings in cn=config)";

// slapd tells its version and its clock in cn=Monitor only, and only where that is loaded.
void ReadMonitor(Connection& connection, Probe* probe, bool* has_clock) {
  static const char* const kVersion[] = {"monitoredInfo", nullptr};
  static const char* const kClock[] = {"monitorTimestamp", nullptr};
  const auto first = [&](const char* base, const char* const* attributes) {
    std::string text;
    connection.Search({.base = base, .scope = LDAP_SCOPE_BASE, .attributes = attributes},
                      [&](EntryCursor& entry) {
                        std::string_view name, value;
                        if (entry.Next(&name) && entry.NextValue(&value)) text = value;
                        return true;
                      });
    return text;
  };
  const std::string version = first("cn=Monitor", kVersion);
  if (const size_t at = version.find("slapd "); at != std::string::npos) {
    const std::string rest = version.substr(at + 6);
    probe->product_version = rest.substr(0, rest.find_first_of(" ("));
  }
  const std::string clock = first("cn=Current,cn=Time,cn=Monitor", kClock);
  const base::Instant there = ParseGeneralizedTime(clock);
  *has_clock = there != 0;
  if (there != 0) probe->clock_skew_ms = (there - base::Now()) * 1000;
}

Check PolicyCheck(const Features& features) {
  Check check{.name = "password policy", .where = kConfigFile};
  check.ok = features.policy_attributes && !features.lockout_policy.empty();
  if (check.ok) {
    check.found = fmt::format("pwdLockout is TRUE in {}", features.lockout_policy);
    return check;
  }
  if (!features.policy_attributes) {
    check.found =
        "the ppolicy module isn't loaded: accounts are disabled by their password, and "
        "have no expiry";
    check.lines_to_add = {"moduleload ppolicy", "overlay ppolicy",
                          "ppolicy_default \"cn=default,ou=policies,SUFFIX\""};
    return check;
  }
  check.found =
      "no policy with pwdLockout TRUE can be seen: slapd then stores a disabled or expired "
      "state and lets the account in all the same";
  check.where = "the entry that ppolicy_default names";
  check.lines_to_add = {"objectClass: pwdPolicy", "pwdAttribute: userPassword", "pwdLockout: TRUE"};
  return check;
}

Check LimitCheck(const std::string& identity, Connection& connection, const Settings& settings) {
  Check check{.name = "size limit", .where = kConfigFile};
  static const char* const kNothing[] = {"1.1", nullptr};
  size_t entries = 0;
  int code = LDAP_SUCCESS;
  for (const std::string& base : settings.bases) {
    const SearchEnd end = connection.Search({.base = base, .attributes = kNothing},
                                            [](EntryCursor&) { return true; });
    entries += end.entries;
    if (end.code != LDAP_SUCCESS && code == LDAP_SUCCESS) {
      code = end.code;
      check.found = fmt::format("{}: {}", base, end.message);
    }
  }
  check.ok = code == LDAP_SUCCESS;
  if (check.ok) check.found = fmt::format("{} entries were read, none was cut off", entries);
  if (code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_TIMELIMIT_EXCEEDED ||
      code == LDAP_ADMINLIMIT_EXCEEDED) {
    const std::string dn = identity.starts_with("dn:") ? identity.substr(3) : identity;
    check.lines_to_add = {fmt::format("limits dn.exact=\"{}\" size=unlimited time=unlimited", dn)};
  }
  return check;
}

Check BaseCheck(Connection& connection, const Settings& settings) {
  Check check{.name = "bases", .where = "operator file"};
  static const char* const kNothing[] = {"1.1", nullptr};
  check.ok = true;
  for (const std::string& base : settings.bases) {
    const SearchEnd end =
        connection.Search({.base = base, .scope = LDAP_SCOPE_BASE, .attributes = kNothing},
                          [](EntryCursor&) { return true; });
    if (end.entries == 1) continue;
    check.ok = false;
    if (!check.found.empty()) check.found += "; ";
    check.found += fmt::format("{} doesn't exist or is hidden from us", base);
    check.where = kConfigFile;
    check.lines_to_add.push_back(
        fmt::format("access to dn.subtree=\"{}\" by dn.exact=\"{}\" manage by * break", base,
                    settings.bind_dn));
  }
  if (check.ok) check.found = fmt::format("{} can be read", settings.bases.size());
  return check;
}

void AddCapabilities(const Features& features, Probe* probe) {
  const auto add = [&](std::string kind, std::string field, std::string support, std::string why,
                       std::vector<std::string> alternatives = {}) {
    probe->capabilities.push_back({.kind = std::move(kind),
                                   .field = std::move(field),
                                   .support = std::move(support),
                                   .why = std::move(why),
                                   .alternatives = std::move(alternatives)});
  };
  const bool enforced = features.policy_attributes && !features.lockout_policy.empty();
  if (enforced) {
    add("user", "enabled", "native",
        "pwdAccountLockedTime stops every password login; consumers that never bind, such as key "
        "logins, have to look at it themselves");
    add("user", "expires", "native",
        "pwdEndTime stops every password login from then on; shadowExpire is written too where "
        "the entry has class shadowAccount");
  } else {
    add("user", "enabled", "coarser",
        "no policy enforces pwdAccountLockedTime here: the stored password is made unusable and "
        "kept, so that enabling restores it; other ways in stay open",
        {"load ppolicy with pwdLockout TRUE"});
    add("user", "expires", "unsupported", "no policy enforces pwdEndTime here",
        {"load ppolicy with pwdLockout TRUE", "remove the user on its day"});
  }
  add("directory_group", "", "native",
      "class groupOfNames demands a member: an empty group holds its own name, which is not shown "
      "as a member and opens nothing");
  if (!features.password_modify) {
    add("user", "password", "coarser",
        "the server doesn't hash passwords itself: {SSHA} is written",
        {"give the secret's value as a hash, such as {ARGON2}..."});
  }
}

}  // namespace

Result<Probe> DirectoryTarget::ProbeTarget() {
  auto connection = ConnectAnew();
  if (!connection) return tl::unexpected(connection.error());
  Probe probe;
  probe.product = features_.openldap ? "openldap" : features_.vendor;
  probe.product_version = features_.version;
  auto identity = (*connection)->WhoAmI();
  if (!identity) return tl::unexpected(identity.error());
  probe.identity = *identity;
  bool has_clock = false;
  ReadMonitor(**connection, &probe, &has_clock);
  AddCapabilities(features_, &probe);
  probe.checks.push_back(BaseCheck(**connection, settings_));
  probe.checks.push_back(LimitCheck(*identity, **connection, settings_));
  probe.checks.push_back(PolicyCheck(features_));
  Check clock{.name = "clock", .ok = has_clock, .where = kConfigFile};
  clock.found = has_clock ? fmt::format("{} ms away from ours", probe.clock_skew_ms)
                          : "cn=Monitor can't be read, so the server's clock isn't known";
  if (!has_clock) {
    clock.lines_to_add = {"moduleload back_monitor", "database monitor",
                          fmt::format("access to dn.subtree=\"cn=Monitor\" by dn.exact=\"{}\" read",
                                      settings_.bind_dn)};
  }
  probe.checks.push_back(std::move(clock));
  const char* entry_class = features_.assertion ? "native CAS" : "value CAS";
  for (const Kind kind : {Kind::kOu, Kind::kUser, Kind::kDirectoryGroup}) {
    probe.concurrency[kind] = entry_class;
  }
  probe.concurrency[Kind::kMembership] = "value CAS";
  if ((*connection)->lost()) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} ended the connection", settings_.url));
  }
  return probe;
}

}  // namespace postern::directory
