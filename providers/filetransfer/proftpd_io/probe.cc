// What a server is, and what it still needs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <sstream>

#include "providers/filetransfer/proftpd/product.h"
#include "providers/filetransfer/proftpd_io/foreign.h"
#include "providers/filetransfer/proftpd_io/server.h"
#include "providers/filetransfer/server/probe_parts.h"

namespace postern::filetransfer {
namespace {

using object::Check;

// Prints who we are, the host's clock in milliseconds, and the daemon's version. Arguments:
// program.
constexpr std::string_view kProbeScript = R"sh(
printf '%s (uid %s)\n' "$(id -un)" "$(id -u)"
date +%s%3N
"$1" -v 2>&1 | head -n 1
command -v ftpwho >/dev/null && echo ftpwho
)sh";

// Arguments: the daemon's pid or 0, then folders in which files are replaced. Prints what we may
// not do, a line each.
constexpr std::string_view kRightsScript = R"sh(
pid=$1; shift
if [ "$pid" != 0 ]; then kill -s 0 "$pid" 2>/dev/null || echo "signal proftpd (pid $pid)"; fi
for d do
  if [ ! -d "$d" ]; then echo "find the folder $d"; elif [ ! -w "$d" ]; then echo "write into $d"; fi
done
)sh";

// A scope by a group needs that group.
void AddScopeCheck(const Snapshot& snapshot, const ServerSettings& settings,
                   std::vector<Check>& out) {
  const std::string group = AccountScope(snapshot, settings).group();
  if (group.empty()) return;
  const bool there = snapshot.groups.Find(group) != nullptr;
  const std::string missing =
      snapshot.group_path.empty()
          ? fmt::format(
                "manage.accounts names the group {}, and the configuration no AuthGroupFile", group)
          : fmt::format("there is no group {} that would say which accounts are managed", group);
  Check check = MakeCheck("account scope", there ? "" : missing, "the group " + group);
  if (!there && snapshot.group_problem.empty() && !snapshot.group_path.empty()) {
    check.where = snapshot.group_path + ", with a free gid";
    check.lines_to_add = {group + ":x:GID:"};
  }
  out.push_back(std::move(check));
}

void AddIncludeChecks(const Snapshot& snapshot, const ServerSettings& settings,
                      std::vector<Check>& out) {
  const Inclusion* by = snapshot.chain.IncludedBy(settings.include);
  Check included{.name = "include line",
                 .ok = by != nullptr && !by->whole_folder,
                 .found = "",
                 .lines_to_add = {},
                 .where = settings.config};
  included.found = by == nullptr ? settings.include + " is not included"
                                 : fmt::format("{}:{}", by->from, by->line);
  if (by != nullptr && by->whole_folder) {
    included.found += " includes a whole folder, candidates too: name the file instead";
  }
  if (!included.ok) {
    included.lines_to_add = {"<Global>", "  Include " + settings.include, "</Global>"};
  }
  out.push_back(std::move(included));
  const FileState& file = snapshot.File(settings.include);
  // The daemon only warns of a missing include: before the line is there that is as it should be.
  const bool there = file.presence == Presence::kPresent;
  const bool lost = by != nullptr && file.presence == Presence::kAbsent;
  Check exists{.name = "include file",
               .ok = there || (file.presence == Presence::kAbsent && !lost),
               .found = "",
               .lines_to_add = {},
               .where = ""};
  exists.found = there ? (snapshot.include_written ? "written by Postern" : "empty, ready")
                 : lost
                     ? "it is included and doesn't exist: the daemon goes on without its rules and "
                       "the folders are open from its next reload; postern apply writes it"
                 : exists.ok ? "not there yet; postern apply makes it"
                             : file.reason;
  out.push_back(std::move(exists));
  if (snapshot.include_written) {
    const auto& edits = snapshot.grants.edits;
    out.push_back(MakeCheck("include untouched",
                            edits.empty()
                                ? ""
                                : fmt::format("{} edits by hand, the first at line {}: {}",
                                              edits.size(), edits[0].line, edits[0].why),
                            "as Postern wrote it"));
  }
}

// A daemon that dies of a reload, or that has more than 1,000 blocks, must be started by us.
Check StartCheck(const DaemonSettings& control) {
  const bool known = !control.unit.empty() || !control.start.empty();
  Check out =
      MakeCheck("start",
                known ? ""
                      : "nothing says how to start proftpd: an apply reloads it only, which "
                        "takes minutes above some 3,000 folders, and can't revive it",
                control.unit.empty() ? fmt::format("{}", fmt::join(control.start, " "))
                                     : "systemctl start " + control.unit);
  if (!known) {
    out.lines_to_add = {"control = { unit = \"proftpd.service\" }"};
    out.where = "the server's table in the operator file";
  }
  return out;
}

// The lines that the product library misses, and the traps that it sees.
void AddLibraryChecks(const Result<proftpd::LiveConfig>& config, const ServerSettings& settings,
                      std::vector<Check>& out) {
  if (!config) {
    out.push_back(MakeCheck("settings", config.error().message, ""));
    return;
  }
  for (const proftpd::MissingLine& missing : config->missing) {
    // The include line has a check of its own.
    if (missing.line.find(settings.include) != std::string::npos) continue;
    Check check = MakeCheck(missing.line.substr(0, missing.line.find(' ')), missing.why, "");
    check.where = settings.config + ", " + missing.where;
    check.lines_to_add = {missing.line};
    out.push_back(std::move(check));
  }
  for (const std::string& warning : config->warnings) {
    out.push_back(MakeCheck("reload", warning, ""));
  }
  out.push_back(MakeCheck(
      "rules by other hands",
      config->foreign.empty()
          ? ""
          : fmt::format("{}, the first at {}:{}: {}", config->foreign.size(),
                        config->foreign[0].file, config->foreign[0].line, config->foreign[0].why),
      "none"));
}

std::string FolderOf(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// Whether we may do what an apply does: put files beside the old ones, tell the daemon.
Result<Check> RightsCheck(Transport& transport, const Snapshot& snapshot,
                          const ServerSettings& settings, const std::string& identity) {
  std::set<std::string> folders = {FolderOf(settings.include)};
  for (const std::string& path : {snapshot.user_path, snapshot.group_path}) {
    if (!path.empty()) folders.insert(FolderOf(path));
  }
  if (!snapshot.key_folder.empty()) folders.insert(snapshot.key_folder);
  // The unit is told by systemctl, which decides by itself.
  const int pid = snapshot.control.unit.empty() ? snapshot.daemon.pid : 0;
  std::vector<std::string> args = {std::to_string(pid)};
  args.insert(args.end(), folders.begin(), folders.end());
  auto missing = RunBatch(transport, {.script = kRightsScript, .args = args});
  if (!missing) return tl::unexpected(missing.error());
  std::string problem;
  std::istringstream lines(*missing);
  for (std::string line; std::getline(lines, line);) {
    problem += (problem.empty() ? identity + " can't " : ", ") + line;
  }
  if (!problem.empty()) problem += "; connect as a user who may, or set become = \"sudo\"";
  return MakeCheck("rights", problem, identity);
}

}  // namespace

std::vector<Check> ChecksOf(const Snapshot& snapshot, const ServerSettings& settings,
                            const Result<proftpd::LiveConfig>& config) {
  std::vector<Check> out;
  out.push_back(MakeCheck("configuration", snapshot.config_problem, settings.config));
  std::string accounts = snapshot.user_problem;
  constexpr uint32_t kOthersWrite = 0002;
  if (accounts.empty() && (snapshot.File(snapshot.user_path).mode & kOthersWrite) != 0) {
    // 1.3.8 reads it all the same.
    accounts = fmt::format("everybody may write {0}, and make accounts so: chmod o-w {0}",
                           snapshot.user_path);
  }
  out.push_back(MakeCheck("accounts", accounts, snapshot.user_path));
  out.push_back(MakeCheck("groups", snapshot.group_problem,
                          snapshot.group_path.empty() ? "no AuthGroupFile" : snapshot.group_path));
  out.push_back(
      MakeCheck("keys", snapshot.key_problem,
                snapshot.key_folder.empty() ? "no SFTPAuthorizedUserKeys" : snapshot.key_folder));
  AddScopeCheck(snapshot, settings, out);
  AddIncludeChecks(snapshot, settings, out);
  AddLibraryChecks(config, settings, out);
  const std::string& by =
      snapshot.control.unit.empty() ? snapshot.control.pidfile : snapshot.control.unit;
  std::string down = snapshot.daemon_problem;
  if (down.empty() && !snapshot.daemon.alive()) down = fmt::format("no proftpd runs by {}", by);
  out.push_back(MakeCheck("daemon", down,
                          fmt::format("pid {}, listens on {} port{}", snapshot.daemon.pid,
                                      snapshot.daemon.listeners.size(),
                                      snapshot.daemon.listeners.size() == 1 ? "" : "s")));
  out.push_back(StartCheck(snapshot.control));
  return out;
}

Result<object::Probe> ProftpdServer::Probe() {
  const auto& start = settings_.control.start;
  const std::string program =
      !start.empty() && start[0].ends_with("/proftpd") ? start[0] : "proftpd";
  const auto began = std::chrono::system_clock::now();
  auto text = RunBatch(transport_, {.script = kProbeScript, .args = {program}});
  if (!text) return tl::unexpected(text.error());
  const auto ended = std::chrono::system_clock::now();
  auto snapshot = TakeSnapshot(transport_, settings_);
  if (!snapshot) return tl::unexpected(snapshot.error());

  object::Probe probe;
  std::istringstream lines(*text);
  std::string clock, version, ftpwho;
  std::getline(lines, probe.identity);
  std::getline(lines, clock);
  std::getline(lines, version);
  std::getline(lines, ftpwho);
  probe.product = "proftpd";
  const size_t at = version.find("Version ");
  probe.product_version = at == std::string::npos ? "" : version.substr(at + 8);
  probe.clock_skew_ms = ClockSkew(clock, began, ended);
  for (const access::Capability& capability : proftpd::Proftpd().Capabilities()) {
    probe.capabilities.push_back(FromProduct(capability, settings_.name));
  }
  // One uid for all: the numbers in the user file are kept and mean nothing on disk.
  const bool root = probe.identity.find("(uid 0)") != std::string::npos;
  if (!root) {
    for (const char* field : {"uid", "gid"}) {
      probe.capabilities.push_back(
          {.kind = "account",
           .field = field,
           .server = settings_.name,
           .support = "coarser",
           .widens_to = {},
           .why = "the daemon runs without root: all accounts act under one uid",
           .alternatives = {}});
    }
  }
  auto config = Understand(*snapshot, settings_, {});
  if (config) {
    auto added = AddComplaint(transport_, *snapshot, settings_, &*config);
    if (!added) return tl::unexpected(added.error());
  }
  // Without DefaultRoot a login folder is where a session starts, not the end of what it sees.
  const bool chroot =
      !config || std::all_of(config->servers.begin(), config->servers.end(),
                             [](const auto& server) { return !server.default_root.empty(); });
  if (!chroot) {
    probe.capabilities.push_back({.kind = "account",
                                  .field = "chroot",
                                  .server = settings_.name,
                                  .support = "unsupported",
                                  .widens_to = {},
                                  .why = "no DefaultRoot: accounts see the whole file system",
                                  .alternatives = {"DefaultRoot ~"}});
  }
  probe.checks = ChecksOf(*snapshot, settings_, config);
  auto rights = RightsCheck(transport_, *snapshot, settings_, probe.identity);
  if (!rights) return tl::unexpected(rights.error());
  probe.checks.push_back(std::move(*rights));
  probe.checks.push_back(
      MakeCheck("program", at == std::string::npos ? program + " isn't found" : "", version));
  probe.checks.push_back(
      MakeCheck("sessions",
                ftpwho.empty() ? "ftpwho isn't installed: sessions are neither seen nor ended" : "",
                "ftpwho"));
  return probe;
}

}  // namespace postern::filetransfer
