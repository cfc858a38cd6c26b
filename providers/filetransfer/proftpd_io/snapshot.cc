#include "providers/filetransfer/proftpd_io/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "providers/filetransfer/proftpd_io/password.h"
#include "providers/filetransfer/server/include_installer.h"

namespace postern::filetransfer {
namespace {

constexpr std::string_view kAsidePrefix = ".postern-locked-";
constexpr std::string_view kOwnPrefix = ".postern-";
constexpr std::string_view kDefaultPidfile = "/run/proftpd.pid";

// The one value of a directive that may be said for each server. More than one: `problem`.
std::string OneValue(const ConfigChain& chain, std::string_view directive, std::string* problem) {
  const auto values = chain.Values(directive);
  if (values.size() > 1) {
    *problem = fmt::format("the configuration names {} different {}", values.size(), directive);
  }
  return values.empty() ? "" : values.front();
}

// What the daemon listens on as far as the configuration says. Port 0 is none.
void FindPorts(const ConfigChain& chain, DaemonSettings& control) {
  for (const std::string& value : chain.Values("Port")) {
    uint16_t port = 0;
    std::from_chars(value.data(), value.data() + value.size(), port);
    if (port != 0) control.ports.push_back(port);
  }
  if (chain.Values("Port").empty()) control.ports.push_back(21);
  std::string ignored;
  control.control = OneValue(chain, "ControlsSocket", &ignored);
}

// What is known of why it is gone, once it is.
void FindReasons(const ServerSettings& settings, Snapshot& out) {
  DaemonSettings& control = out.control;
  const bool starts_it = !control.start.empty() && control.start[0].ends_with("/proftpd");
  control.checker = starts_it ? control.start : CheckerCommand(control, settings.config);
  if (starts_it) control.checker.push_back("-t");
  std::string ignored;
  control.log = OneValue(out.chain, "SystemLog", &ignored);
  if (!control.log.starts_with('/')) control.log.clear();  // none
}

void FindPaths(const ServerSettings& settings, Snapshot& out) {
  const ConfigChain& chain = out.chain;
  out.config_problem = chain.Problem(settings.include);
  out.user_problem = out.group_problem = out.key_problem = out.config_problem;
  out.user_path = OneValue(chain, "AuthUserFile", &out.user_problem);
  out.group_path = OneValue(chain, "AuthGroupFile", &out.group_problem);
  if (out.user_path.empty() && out.user_problem.empty()) {
    out.user_problem = "the configuration names no AuthUserFile";
  }
  for (const auto& stores : chain.Arguments("SFTPAuthorizedUserKeys")) {
    for (const std::string& store : stores) {
      const bool plain = store.starts_with("file:/") && store.ends_with("/%u") &&
                         std::count(store.begin(), store.end(), '%') == 1;
      const std::string folder = plain ? store.substr(5, store.size() - 8) : "";
      if (!plain || (!out.key_folder.empty() && out.key_folder != folder)) {
        out.key_problem =
            fmt::format("SFTPAuthorizedUserKeys {}: only one file:FOLDER/%u can be managed", store);
      } else {
        out.key_folder = folder;
      }
    }
  }
  std::string ignored;
  out.control = settings.control;
  if (out.control.pidfile.empty()) out.control.pidfile = OneValue(chain, "PidFile", &ignored);
  if (out.control.pidfile.empty()) out.control.pidfile = kDefaultPidfile;
  FindPorts(chain, out.control);
  FindReasons(settings, out);
  out.scoreboard =
      settings.sessions.empty() ? OneValue(chain, "ScoreboardFile", &ignored) : settings.sessions;
  out.pending_path = PendingPathOf(settings.include);
}

void ReadColonFile(const Snapshot& out, const std::string& path, ColonFile& into, size_t fields,
                   std::string& problem) {
  if (path.empty() || !problem.empty()) return;
  const FileState& state = out.File(path);
  if (state.presence == Presence::kAbsent) {
    problem = fmt::format(
        "{0} is named by the configuration and doesn't exist; make it: install -m 0600 /dev/null "
        "{0}",
        path);
  } else if (!state.regular || state.presence != Presence::kPresent) {
    problem = path + ": " + (state.reason.empty() ? "not a file" : state.reason);
  } else {
    into = ColonFile(state.content, fields);
  }
}

void ReadKeys(Snapshot& out) {
  if (out.key_folder.empty() || !out.key_problem.empty()) return;
  const FileState& folder = out.File(out.key_folder);
  if (folder.presence != Presence::kPresent || !folder.directory) {
    out.key_problem =
        out.key_folder + ": " +
        (folder.reason.empty()
             ? fmt::format("named by the configuration, and no folder; make it: mkdir -m 0755 {}",
                           out.key_folder)
             : folder.reason);
    return;
  }
  const std::string prefix = out.key_folder + "/";
  for (const auto& [path, state] : out.files) {
    if (!path.starts_with(prefix) || path.find('/', prefix.size()) != std::string::npos) continue;
    std::string login = path.substr(prefix.size());
    const bool aside = login.starts_with(kAsidePrefix);
    if (aside) login.erase(0, kAsidePrefix.size());
    if (login.starts_with(kOwnPrefix)) continue;
    if (state.presence == Presence::kAbsent) continue;
    auto parsed = state.presence == Presence::kPresent
                      ? KeyFile::Parse(state.content)
                      : Result<KeyFile>(Fail(ErrorCode::kDenied, state.reason));
    if (!parsed) {
      out.key_problem = path + ": " + parsed.error().message;
      continue;
    }
    LoginKeys& keys = out.keys[login];
    (aside ? keys.aside : keys.open) = std::move(*parsed);
  }
}

void ReadGrants(const ServerSettings& settings, Snapshot& out) {
  out.grant_problem = out.config_problem;
  const FileState& include = out.File(settings.include);
  const FileState& pending = out.File(out.pending_path);
  const Inclusion* by = out.chain.IncludedBy(settings.include);
  if (by != nullptr && by->whole_folder) {
    out.grant_problem = fmt::format("{}:{} includes a whole folder, candidates too: name the file",
                                    by->from, by->line);
  }
  if (include.presence == Presence::kUnreadable || pending.presence == Presence::kUnreadable) {
    out.grant_problem = settings.include + ": " + include.reason + pending.reason;
  }
  if (!out.grant_problem.empty()) return;
  // Nothing has been written yet, or it was taken away: the daemon only warns of a missing include
  // and opens the folders when it reads its files the next time. That is a host without rules, as
  // with an empty file; the next write makes it anew.
  if (include.presence == Presence::kAbsent || include.content.empty()) return;
  out.include_written = true;
  if (by == nullptr) {
    out.grant_problem = fmt::format("{} doesn't include {}: its rules aren't in force",
                                    settings.config, settings.include);
    return;
  }
  std::string text = include.content;
  if (pending.presence == Presence::kPresent) {
    out.grant_problem = out.daemon_problem;
    if (!out.grant_problem.empty()) return;
    out.reload_due = true;
    if (IsStillLoaded(pending, out.daemon)) {
      text = PendingText(pending);
      if (text.empty()) return;  // there was no include before
    }
  }
  auto parsed = proftpd::ParseInclude(text);
  if (parsed) {
    out.grants = std::move(*parsed);
  } else {
    out.grant_problem = settings.include + ": " + parsed.error().message;
  }
}

}  // namespace

std::vector<std::string> CheckerCommand(const DaemonSettings& control, const std::string& config) {
  std::vector<std::string> out = {"proftpd"};
  const auto& start = control.start;
  if (!start.empty() && start[0].ends_with("/proftpd")) out[0] = start[0];
  for (size_t i = 1; i < start.size(); ++i) {
    if (!start[i].starts_with("-D")) continue;
    out.push_back(start[i]);
    if (start[i] == "-D" && i + 1 < start.size()) out.push_back(start[i + 1]);
  }
  out.insert(out.end(), {"-t", "-c", config});
  return out;
}

const FileState& Snapshot::File(const std::string& path) const {
  static const FileState none{.reason = "not read"};
  const auto found = files.find(path);
  return found == files.end() ? none : found->second;
}

std::string Snapshot::OpenKeyPath(const std::string& login) const {
  return key_folder + "/" + login;
}

std::string Snapshot::AsideKeyPath(const std::string& login) const {
  return fmt::format("{}/{}{}", key_folder, kAsidePrefix, login);
}

bool Snapshot::HasOpenKeys(const std::string& login) const {
  const auto found = keys.find(login);
  return found != keys.end() && found->second.open.OpensAny();
}

bool Snapshot::Locked(const std::string& login) const {
  const auto* fields = users.Find(login);
  return fields != nullptr && IsLockedField((*fields)[1]) && !HasOpenKeys(login);
}

std::string Snapshot::IdOf(const UserLine& user) const {
  const auto found = uid_uses.find(user.uid);
  return found != uid_uses.end() && found->second == 1 ? std::to_string(user.uid) : "";
}

Result<Snapshot> TakeSnapshot(Transport& transport, const ServerSettings& settings) {
  FileReader reader(transport, settings.config);
  auto chain = ConfigChain::Load(reader, settings.config, settings.include);
  if (!chain) return tl::unexpected(chain.error());
  Snapshot out;
  out.chain = std::move(*chain);
  FindPaths(settings, out);
  std::vector<std::string> files = {settings.include, out.pending_path};
  for (const std::string& path : {out.user_path, out.group_path}) {
    if (!path.empty()) files.push_back(path);
  }
  std::vector<std::string> folders;
  if (!out.key_folder.empty()) folders.push_back(out.key_folder);
  auto read = reader.Read(files, folders);
  if (!read) return tl::unexpected(read.error());
  out.files = std::move(*read);
  auto daemon = Daemon(transport, out.control).State();
  if (daemon) {
    out.daemon = std::move(*daemon);
  } else if (daemon.error().code == ErrorCode::kInternal ||
             daemon.error().code == ErrorCode::kDenied) {
    out.daemon_problem = "whether proftpd runs can't be told: " + daemon.error().message;
  } else {
    return tl::unexpected(daemon.error());
  }
  ReadColonFile(out, out.user_path, out.users, 7, out.user_problem);
  ReadColonFile(out, out.group_path, out.groups, 3, out.group_problem);
  for (const std::string& name : out.users.names()) {
    if (const auto user = ParseUser(*out.users.Find(name))) ++out.uid_uses[user->uid];
  }
  ReadKeys(out);
  ReadGrants(settings, out);
  out.given = out.grants.rows;
  return out;
}

}  // namespace postern::filetransfer
