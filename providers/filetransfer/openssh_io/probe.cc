// What an sshd is, and what it still needs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>

#include "providers/filetransfer/host/nss_accounts.h"
#include "providers/filetransfer/openssh/login.h"
#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/openssh_io/server.h"
#include "providers/filetransfer/server/probe_parts.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

using object::Check;

// Prints a line each: who we are, the host's clock in milliseconds, the daemon's version, the tools
// for ACLs, fs.protected_regular, whether PAM has account lines for sshd and which modules they
// ask, then what we may not do. Arguments: program, the daemon's pid or
// 0, the include's folder. sshd knows no option for its version before 9.8 and says it with the
// complaint.
constexpr std::string_view kProbeScript = R"sh(
printf '%s (uid %s)\n' "$(id -un)" "$(id -u)"
date +%s%3N
"$1" -V 2>&1 | sed -n 's/.*\(OpenSSH_[^, ]*\).*/\1/p' | head -n 1 | grep . || echo
echo $(for tool in getfacl setfacl chage useradd; do command -v "$tool" >/dev/null || echo "$tool"; done)
cat /proc/sys/fs/protected_regular 2>/dev/null || echo unknown
grep -Eqs '^[[:space:]]*(account[[:space:]]|@include[[:space:]]+common-account)' /etc/pam.d/sshd && echo account || echo
for file in sshd $(sed -nE 's/^[[:space:]]*(@include|-?account[[:space:]]+(include|substack))[[:space:]]+([^[:space:]#]+).*/\3/p' /etc/pam.d/sshd 2>/dev/null); do
  sed -nE 's/^[[:space:]]*-?account[[:space:]].*(pam_[a-z0-9_]+)\.so.*/\1/p' "/etc/pam.d/$file" 2>/dev/null
done | sort -u | tr '\n' ' '; echo
if [ "$2" != 0 ]; then kill -s 0 "$2" 2>/dev/null || echo "signal sshd (pid $2)"; fi
if [ ! -d "$3" ]; then echo "find the folder $3"; elif [ ! -w "$3" ]; then echo "write into $3"; fi
if [ ! -r /etc/shadow ]; then echo 'read /etc/shadow'; fi
)sh";

struct Facts {
  std::string identity, clock, version, missing_tools, protected_regular, pam_account, pam_modules;
  std::vector<std::string> cannot;
};

Facts ParseFacts(const std::string& text) {
  Facts out;
  std::istringstream lines(text);
  for (std::string* line : {&out.identity, &out.clock, &out.version, &out.missing_tools,
                            &out.protected_regular, &out.pam_account, &out.pam_modules}) {
    std::getline(lines, *line);
  }
  for (std::string line; std::getline(lines, line);) out.cannot.push_back(line);
  return out;
}

void AddIncludeChecks(const SshdSnapshot& snapshot, const ServerSettings& settings,
                      std::vector<Check>* out) {
  const std::string why =
      snapshot.config_problem.empty() ? snapshot.files.WhyNotReached() : snapshot.config_problem;
  Check line = MakeCheck("include line", why, settings.include);
  if (!why.empty()) {
    line.lines_to_add = {"Include " + settings.include};
    line.where = settings.config + ", before its first Match line";
  }
  out->push_back(std::move(line));
  Check file = MakeCheck(
      "include file", snapshot.include_problem,
      snapshot.include_written ? "written by Postern" : "not there yet; postern apply makes it");
  out->push_back(std::move(file));
  if (!snapshot.include_written) return;
  const auto& edits = snapshot.grants.edits;
  out->push_back(MakeCheck("include untouched",
                           edits.empty() ? ""
                                         : fmt::format("{} edits by hand, the first at line {}: {}",
                                                       edits.size(), edits[0].line, edits[0].why),
                           "as Postern wrote it"));
}

// internal-sftp serves only those who ask for a subsystem, also where it is forced.
Check SubsystemCheck(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  const bool there = snapshot.answers.server.has_subsystem;
  Check out = MakeCheck("subsystem", there ? "" : "no Subsystem sftp: SFTP serves nobody", "sftp");
  if (!there) {
    out.lines_to_add = {"Subsystem sftp internal-sftp"};
    out.where = settings.config;
  }
  return out;
}

// sshd ends a session whose chroot somebody but root could change.
std::string WhyChrootsFail(const SshdSnapshot& snapshot) {
  for (const auto& [login, view] : snapshot.Sessions()) {
    if (view.chroot == "/") continue;
    const auto why = openssh::WhyNoChroot(snapshot.tree.tree, view.chroot);
    const std::string text = why ? *why : why.error().message;
    if (!text.empty()) return fmt::format("{}: {}", login, text);
  }
  return "";
}

// What lets in who stands in no file of keys: Postern neither sees nor ends it.
std::set<std::string> WaysBesideFiles(const SshdSnapshot& snapshot) {
  std::set<std::string> out;
  const auto look = [&](const openssh::Settings& settings) {
    if (!settings.keys_command.empty()) {
      out.insert(
          fmt::format("keys also come from AuthorizedKeysCommand {}: whom it lets in isn't "
                      "known here; AuthorizedKeysCommand none leaves the files alone",
                      settings.keys_command));
    }
    for (const std::string& file : settings.ca_files) {
      out.insert(
          fmt::format("TrustedUserCAKeys {}: what these authorities sign opens accounts that "
                      "no file of keys names; declare `certificates` of the server instead",
                      file));
    }
  };
  look(snapshot.answers.server);
  for (const auto& [login, answered] : snapshot.answers.accounts) {
    for (const openssh::Settings& settings : answered) look(settings);
  }
  return out;
}

std::string FirstRule(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  const auto rules = RuleObjects(snapshot, settings);
  if (rules.empty()) return "";
  const auto rule = object::DecodeAs<kinds::NativeRule>(rules[0].body);
  return fmt::format("{} rules by other hands, the first at {}:{}: {}", rules.size(), rule.file(),
                     rule.line(), rule.effect());
}

// Why an entry that is disabled in a directory comes in all the same; empty: it is asked for.
std::string WhyNotAsked(const Facts& facts, const SshdSnapshot& snapshot) {
  if (!snapshot.answers.server.pam) {
    return "UsePAM is off: of an entry that is disabled in the directory sshd sees a `!` before "
           "the "
           "hash or the day in shadow, and nothing else";
  }
  std::istringstream modules(facts.pam_modules);
  for (std::string module; modules >> module;) {
    if (module == "pam_ldap" || module == "pam_sss" || module == "pam_winbind" ||
        module == "pam_krb5") {
      return "";
    }
  }
  return fmt::format(
      "PAM asks {}for sshd, which look at the day in shadow: an entry that is disabled in the "
      "directory comes in with a key",
      facts.pam_modules.empty() ? "no module " : facts.pam_modules);
}

bool HasDirectory(const SshdSnapshot& snapshot) {
  return !DirectorySources(snapshot.host.sources).empty();
}

// Nothing is asked of a host whose managed accounts are all its own.
Check DirectoryLockCheck(const Facts& facts, const SshdSnapshot& snapshot) {
  const auto& users = snapshot.host.accounts.users();
  const bool some =
      std::any_of(users.begin(), users.end(), [](const auto& user) { return user.elsewhere; });
  Check check = MakeCheck("directory lock", some ? WhyNotAsked(facts, snapshot) : "",
                          fmt::format("PAM asks {}", facts.pam_modules));
  if (check.ok || !snapshot.answers.server.pam) return check;
  check.lines_to_add = {"account required pam_ldap.so  (or pam_sss.so, as the host has it)"};
  check.where = "/etc/pam.d/sshd";
  return check;
}

object::Capability DirectoryLock(const Facts& facts, const SshdSnapshot& snapshot,
                                 const std::string& server) {
  const std::string why = WhyNotAsked(facts, snapshot);
  return {.kind = "account",
          .field = "directory_lock",
          .server = server,
          .support = why.empty() ? "native" : "unsupported",
          .widens_to = {},
          .why = why,
          .alternatives = {"enabled = false of the account: sshd itself refuses it"}};
}

// What only the host's shell says.
std::vector<Check> HostChecks(const Facts& facts, const SshdSnapshot& snapshot) {
  std::vector<Check> out;
  Check tools = MakeCheck("tools",
                          facts.missing_tools.empty()
                              ? ""
                              : facts.missing_tools + " can't be found: install acl and passwd",
                          "getfacl, setfacl, chage, useradd");
  if (!facts.missing_tools.empty()) tools.lines_to_add = {"apt-get install acl passwd"};
  out.push_back(std::move(tools));
  const bool pam = snapshot.answers.server.pam;
  const bool honoured = !pam || !facts.pam_account.empty();
  Check check =
      MakeCheck("lock",
                honoured ? ""
                         : "UsePAM is on and /etc/pam.d/sshd has no account line: it lets in "
                           "accounts whose time is over",
                pam ? "with PAM: an account ends before the day in shadow"
                    : "without PAM: an account ends after the day in shadow");
  if (!honoured) {
    check.lines_to_add = {"@include common-account"};
    check.where = "/etc/pam.d/sshd";
  }
  out.push_back(std::move(check));
  if (HasDirectory(snapshot)) out.push_back(DirectoryLockCheck(facts, snapshot));
  out.push_back(
      MakeCheck("kernel", "", fmt::format("fs.protected_regular = {}", facts.protected_regular)));
  std::string problem;
  for (const std::string& line : facts.cannot) {
    problem += (problem.empty() ? facts.identity + " can't " : ", ") + line;
  }
  if (!problem.empty()) problem += "; connect as a user who may, or set become = \"sudo\"";
  out.push_back(MakeCheck("rights", problem, facts.identity));
  out.push_back(
      MakeCheck("program", facts.version.empty() ? "sshd isn't found" : "", facts.version));
  return out;
}

}  // namespace

std::vector<Check> SshdChecks(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  std::vector<Check> out;
  out.push_back(MakeCheck("configuration", snapshot.config_problem, settings.config));
  out.push_back(MakeCheck("accounts", snapshot.account_problem,
                          fmt::format("{} in scope", snapshot.Logins().size())));
  const HostScope scope(snapshot.host.accounts, snapshot.accounts);
  Check marked = MakeCheck("account scope", scope.problem(), settings.accounts);
  if (!scope.problem().empty() && !scope.mark().empty()) {
    marked.lines_to_add = {"groupadd " + scope.mark()};
    marked.where = "the host's shell";
  }
  out.push_back(std::move(marked));
  AddIncludeChecks(snapshot, settings, &out);
  if (snapshot.config_problem.empty()) {
    out.push_back(SubsystemCheck(snapshot, settings));
    const std::string keys = WhyNoKeys(snapshot, settings);
    Check check =
        MakeCheck("key files", keys, keys.empty() ? snapshot.answers.server.key_files.front() : "");
    if (!keys.empty()) {
      check.lines_to_add = {"AuthorizedKeysFile /etc/ssh/authorized_keys/%u"};
      check.where = settings.config;
    }
    out.push_back(std::move(check));
    if (!settings.revoked.empty()) {
      out.push_back(
          MakeCheck("revocation list", WhyNoRevocation(snapshot, settings), settings.revoked));
    }
    out.push_back(MakeCheck("rules by other hands", FirstRule(snapshot, settings), "none"));
  }
  out.push_back(
      MakeCheck("folders", snapshot.grant_problem, "owners, modes and ACLs are readable"));
  if (settings.chroot_home && snapshot.grant_problem.empty()) {
    out.push_back(MakeCheck("chroot", WhyChrootsFail(snapshot), "root's alone, up to /"));
  }
  std::string down = snapshot.daemon_problem;
  if (down.empty() && !snapshot.daemon.alive()) down = "no sshd runs";
  out.push_back(MakeCheck("daemon", down,
                          fmt::format("pid {}, listens on {} socket{}", snapshot.daemon.pid,
                                      snapshot.daemon.listeners.size(),
                                      snapshot.daemon.listeners.size() == 1 ? "" : "s")));
  for (const std::string& finding : FindingsOf(snapshot.host, snapshot.accounts)) {
    out.push_back(MakeCheck("finding", finding, ""));
  }
  for (const std::string& finding : WaysBesideFiles(snapshot)) {
    out.push_back(MakeCheck("finding", finding, ""));
  }
  return out;
}

Result<object::Probe> OpenSshServer::Probe() {
  auto snapshot = Take({.keys = true, .grants = true});
  if (!snapshot) return tl::unexpected(snapshot.error());
  const auto& start = settings_.control.start;
  const std::string program = !start.empty() && start[0].ends_with("/sshd") ? start[0] : "sshd";
  // The unit is told by systemctl, which decides by itself.
  const int pid = snapshot->control.unit.empty() ? snapshot->daemon.pid : 0;
  const auto began = std::chrono::system_clock::now();
  auto text =
      RunBatch(transport_, {.script = kProbeScript,
                            .args = {program, std::to_string(pid),
                                     settings_.include.substr(0, settings_.include.rfind('/'))}});
  if (!text) return tl::unexpected(text.error());
  const Facts facts = ParseFacts(*text);
  object::Probe probe;
  probe.product = "openssh";
  probe.product_version = facts.version;
  probe.identity = facts.identity;
  probe.clock_skew_ms = ClockSkew(facts.clock, began, std::chrono::system_clock::now());
  for (const access::Capability& capability : openssh::OpenSsh().Capabilities()) {
    probe.capabilities.push_back(FromProduct(capability, settings_.name));
  }
  if (!settings_.chroot_home) {
    probe.capabilities.push_back({.kind = "account",
                                  .field = "chroot",
                                  .server = settings_.name,
                                  .support = "unsupported",
                                  .widens_to = {},
                                  .why = "accounts see the whole file system",
                                  .alternatives = {"chroot = \"home\" of the server"}});
  }
  if (HasDirectory(*snapshot)) {
    probe.capabilities.push_back(DirectoryLock(facts, *snapshot, settings_.name));
  }
  probe.checks = SshdChecks(*snapshot, settings_);
  for (Check& check : HostChecks(facts, *snapshot)) probe.checks.push_back(std::move(check));
  return probe;
}

}  // namespace postern::filetransfer
