#include "providers/filetransfer/openssh_io/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "providers/filetransfer/openssh/login.h"
#include "providers/filetransfer/openssh/raise.h"
#include "providers/filetransfer/openssh/words.h"
#include "providers/filetransfer/server/include_installer.h"

namespace postern::filetransfer {
namespace {

using object::Kind;

std::string ProgramOf(const ServerSettings& settings) {
  const auto& start = settings.control.start;
  return !start.empty() && start[0].ends_with("/sshd") ? start[0] : "sshd";
}

AccountSettings AccountSettingsOf(const ServerSettings& settings) {
  AccountSettings out;
  out.server = settings.name;
  out.accounts = settings.accounts;
  if (settings.last_uid != 0) {
    out.uids = UidRange{settings.first_uid, settings.last_uid, settings.uid_group};
  }
  out.roots = settings.roots;
  out.ledger_key = settings.ledger_key;
  return out;
}

// The files that sshd asks for an account's keys. Of one that it wasn't asked about (yet to be
// made), as for anybody.
KeyPlaces PlacesOf(const Answers& answers) {
  return [accounts = answers.accounts,
          server = answers.server](const posix::User& user) -> Result<std::vector<std::string>> {
    const auto at = accounts.find(user.name);
    const openssh::Settings& settings =
        at == accounts.end() || at->second.empty() ? server : at->second.front();
    return openssh::KeyFilesOf(settings, user);
  };
}

void FindControl(const ServerSettings& settings, SshdSnapshot* out) {
  out->control = settings.control;
  const auto& all = out->answers.server.all;
  if (out->control.pidfile.empty()) {
    const auto at = all.find("pidfile");
    if (at != all.end() && at->second != "none") out->control.pidfile = at->second;
  }
  DaemonSettings& control = out->control;
  const bool starts_it = !control.start.empty() && control.start[0].ends_with("/sshd");
  control.checker = {ProgramOf(settings), "-t", "-f", settings.config};
  if (starts_it) {
    control.checker = control.start;
    control.checker.push_back("-t");
  }
  const auto [begin, end] = all.equal_range("port");
  for (auto at = begin; at != end; ++at) {
    uint16_t port = 0;
    std::from_chars(at->second.data(), at->second.data() + at->second.size(), port);
    if (port != 0) out->control.ports.push_back(port);
  }
}

void ReadInclude(const ServerSettings& settings, SshdSnapshot* out) {
  out->include_problem = out->config_problem;
  const FileState &include = out->include, &pending = out->pending;
  if (include.presence == Presence::kUnreadable || pending.presence == Presence::kUnreadable) {
    out->include_problem = settings.include + ": " + include.reason + pending.reason;
  }
  if (!out->include_problem.empty()) return;
  // Nothing has been written yet, or it was taken away: sshd goes on without it from its next
  // reload. That is a server without rules; the next write makes it anew.
  if (include.presence == Presence::kAbsent || include.content.empty()) return;
  out->include_written = true;
  if (std::string why = out->files.WhyNotReached(); !why.empty()) {
    out->include_problem = std::move(why) + ": its rules aren't in force";
    return;
  }
  std::string text = include.content;
  if (pending.presence == Presence::kPresent) {
    out->include_problem = out->daemon_problem;
    if (!out->include_problem.empty()) return;
    out->reload_due = true;
    if (IsStillLoaded(pending, out->daemon)) {
      text = PendingText(pending);
      if (text.empty()) return;  // there was no include before
    }
  }
  auto parsed = openssh::ParseInclude(text);
  if (parsed) {
    out->grants = std::move(*parsed);
  } else {
    out->include_problem = settings.include + ": " + parsed.error().message;
  }
}

Result<void> ReadAnswers(Transport& transport, const ServerSettings& settings, SshdSnapshot* out) {
  if (!out->config_problem.empty()) return {};
  const Question question{.program = ProgramOf(settings),
                          .main = settings.config,
                          .include = settings.include,
                          .edited = !out->grants.edits.empty(),
                          .config = &out->config,
                          .host = &out->host.accounts,
                          .logins = out->Logins()};
  auto answers = AskSshd(transport, question);
  if (answers) {
    out->answers = std::move(*answers);
    return {};
  }
  if (answers.error().retryable()) return tl::unexpected(answers.error());
  out->config_problem = answers.error().message;
  return {};
}

// Who is shut out by lines of ours that are in force.
void FindDenied(SshdSnapshot* out) {
  for (const openssh::ManagedAccount& block : out->grants.content.accounts) {
    if (block.locked) out->accounts.denied.insert(block.login);
  }
}

// Whose keys and certificates are held against the declared list, and no other: who has a line of
// ours that says so, and nothing before it that says another.
void FindUnrevoked(const ServerSettings& settings, SshdSnapshot* out) {
  auto& unrevoked = out->accounts.unrevoked;
  if (!settings.revoked.empty()) {
    for (const std::string& login : out->Logins()) unrevoked[login] = kUnrevoked;
  }
  for (const openssh::ManagedAccount& block : out->grants.content.accounts) {
    if (block.revoked != settings.revoked) {
      if (settings.revoked.empty())
        unrevoked[block.login] = std::string(kRevokedBy) + block.revoked;
      continue;
    }
    const auto answered = out->answers.accounts.find(block.login);
    const bool other =
        answered != out->answers.accounts.end() &&
        std::any_of(answered->second.begin(), answered->second.end(),
                    [&](const openssh::Settings& one) {
                      return !one.revoked_keys.empty() && one.revoked_keys != settings.revoked;
                    });
    if (!other) unrevoked.erase(block.login);
  }
}

Result<void> ReadDaemon(Transport& transport, const ServerSettings& settings, SshdSnapshot* out) {
  FindControl(settings, out);
  if (out->control.unit.empty() && out->control.pidfile.empty()) {
    out->daemon_problem =
        "PidFile is none and nothing names a unit: whether sshd runs can't be told";
    return {};
  }
  auto daemon = Daemon(transport, out->control).State();
  if (daemon) {
    out->daemon = std::move(*daemon);
  } else if (daemon.error().retryable()) {
    return tl::unexpected(daemon.error());
  } else {
    out->daemon_problem = "whether sshd runs can't be told: " + daemon.error().message;
  }
  return {};
}

// A folder that another mount shows in the roots once more is fitted and told by the path that
// counts alone: its modes can't follow two.
void DropSecondMounts(std::span<const SecondWay> ways, posix::Tree* tree) {
  for (const SecondWay& way : ways) {
    std::vector<std::string> below;
    const auto& nodes = tree->nodes();
    for (auto at = nodes.lower_bound(way.path); at != nodes.end(); ++at) {
      if (!access::IsWithin(at->first, way.path)) break;
      below.push_back(at->first);
    }
    for (const std::string& path : below) tree->Drop(path);
  }
}

Result<void> ReadTreeOf(Transport& transport, const ServerSettings& settings, const Parts& parts,
                        SshdSnapshot* out) {
  for (const std::string* problem :
       {&out->config_problem, &out->include_problem, &out->account_problem}) {
    if (out->grant_problem.empty()) out->grant_problem = *problem;
  }
  if (!out->grant_problem.empty() || settings.roots.empty()) return {};
  if (parts.peers) {
    auto peers = parts.peers();
    if (!peers) {
      if (peers.error().retryable()) return tl::unexpected(peers.error());
      out->grant_problem =
          "another server's accounts use these folders, too: " + peers.error().message;
      return {};
    }
    out->peers = std::move(*peers);
  }
  auto tree = ReadTree(transport, settings.roots);
  if (!tree) {
    if (tree.error().retryable()) return tl::unexpected(tree.error());
    out->grant_problem = tree.error().message;
    return {};
  }
  out->tree = std::move(*tree);
  auto ways = ReadWaysByMounts(transport, settings.roots);
  if (!ways) return tl::unexpected(ways.error());
  out->ways = std::move(*ways);
  DropSecondMounts(out->ways, &out->tree.tree);
  if (!out->tree.complete) {
    out->grant_problem = out->tree.why_not;
    return {};
  }
  auto rows = LiveRows(LiveQuestionOf(*out, settings), &out->notes);
  if (rows) {
    out->rows = std::move(*rows);
  } else {
    out->grant_problem = rows.error().message;
  }
  return {};
}

}  // namespace

Parts PartsFor(std::span<const Kind> kinds) {
  const auto wants = [&](Kind kind) {
    return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  return {.keys = wants(Kind::kSshKey), .grants = wants(Kind::kGrant) || wants(Kind::kNativeRule)};
}

std::vector<std::string> SshdSnapshot::Logins() const {
  const HostScope scope(host.accounts, accounts);
  std::vector<std::string> out;
  for (const std::string& login : scope.logins()) {
    if (host.accounts.FindUser(login) != nullptr) out.push_back(login);
  }
  return out;
}

std::string WhyNoKeys(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  if (!snapshot.config_problem.empty()) return snapshot.config_problem;
  const auto& files = snapshot.answers.server.key_files;
  if (files.empty()) return "AuthorizedKeysFile is none";
  const std::string& first = files.front();
  // Login folders lie within the roots.
  const bool below_home = !first.starts_with('/');
  const bool exposed =
      below_home ? !settings.roots.empty()
                 : std::any_of(settings.roots.begin(), settings.roots.end(),
                               [&](const auto& root) { return access::IsWithin(first, root); });
  if (!exposed) return "";
  return fmt::format(
      "AuthorizedKeysFile {} lies in a managed root: who may create files there "
      "could let himself in; say AuthorizedKeysFile /etc/ssh/authorized_keys/%u",
      first);
}

std::map<std::string, SessionView> SshdSnapshot::Sessions() const {
  std::map<std::string, SessionView> out;
  for (const auto& [login, answered] : answers.accounts) {
    const std::vector<openssh::Settings>& settings = answered;
    const posix::User* user = host.accounts.FindUser(login);
    if (user == nullptr || settings.empty()) continue;
    SessionView& view = out[login];
    view.allowed = RequestRights(settings, *user);
    // From several places the widest view counts.
    const bool apart = std::any_of(settings.begin(), settings.end(), [&](const auto& one) {
      return one.chroot != settings.front().chroot;
    });
    const auto chroot =
        openssh::ExpandTokens(settings.front().chroot, user->name, user->home, user->uid);
    if (!apart && chroot && !chroot->empty()) view.chroot = openssh::HostPath(*chroot, "/");
  }
  return out;
}

// A list is a KRL or lines of public keys: with anything else sshd refuses every key of everybody.
std::string WhyNoRevocation(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  if (settings.revoked.empty()) return "";
  const FileState& list = snapshot.revoked;
  const std::string refuses = ": sshd would refuse every key of everybody";
  if (list.presence == Presence::kAbsent) {
    return fmt::format("the revocation list {} isn't there{}", settings.revoked, refuses);
  }
  if (list.presence != Presence::kPresent || !list.regular) {
    return fmt::format("the revocation list {} can't be read{}", settings.revoked, refuses);
  }
  constexpr std::string_view kMagic("SSHKRL\n\0", 8);
  if (list.content.starts_with(kMagic)) return "";
  const auto lines = openssh::ParseAuthorizedKeys(list.content);
  if (lines.problems.empty()) return "";
  return fmt::format("the revocation list {} is neither made by ssh-keygen -k nor a list of keys{}",
                     settings.revoked, refuses);
}

openssh::ManagedAccount AccountBlock(const std::string& login, const std::string& home,
                                     const ServerSettings& settings) {
  openssh::ManagedAccount out{.login = login};
  out.revoked = settings.revoked;
  if (settings.chroot_home && home.starts_with('/') && home != "/") {
    out.chroot = home;
    out.start_folder = "/";
  }
  return out;
}

std::vector<openssh::ManagedAccount> AccountBlocks(const SshdSnapshot& snapshot,
                                                   const ServerSettings& settings) {
  std::vector<openssh::ManagedAccount> out;
  for (const std::string& login : snapshot.Logins()) {
    const posix::User& user = *snapshot.host.accounts.FindUser(login);
    out.push_back(AccountBlock(login, user.home, settings));
    out.back().locked = snapshot.accounts.denied.contains(login);
  }
  // A lock stays also while nobody answers for the login.
  for (const openssh::ManagedAccount& block : snapshot.grants.content.accounts) {
    if (block.locked && snapshot.host.accounts.FindUser(block.login) == nullptr) {
      out.push_back(block);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

LiveQuestion LiveQuestionOf(const SshdSnapshot& snapshot, const ServerSettings& settings) {
  return {.content = snapshot.grants.content,
          .host = snapshot.host.accounts,
          .tree = snapshot.tree.tree,
          .logins = snapshot.Logins(),
          .sessions = snapshot.Sessions(),
          .roots = settings.roots,
          .peers = snapshot.peers,
          .ways = snapshot.ways};
}

Result<SshdSnapshot> TakeSshdSnapshot(Transport& transport, const ServerSettings& settings,
                                      const Parts& parts) {
  SshdSnapshot out;
  FileReader reader(transport, settings.config);
  auto files = ConfigFiles::Load(reader, settings.config, settings.include);
  if (!files) return tl::unexpected(files.error());
  out.files = std::move(*files);
  auto config = openssh::ReadConfig(out.files, settings.config);
  if (config) {
    out.config = std::move(*config);
  } else {
    out.config_problem = config.error().message;
  }
  out.pending_path = PendingPathOf(settings.include);
  std::vector<std::string> paths = {settings.include, out.pending_path};
  if (!settings.revoked.empty()) paths.push_back(settings.revoked);
  auto read = reader.Read(paths);
  if (!read) return tl::unexpected(read.error());
  out.include = read->at(settings.include);
  out.pending = read->at(out.pending_path);
  if (!settings.revoked.empty()) out.revoked = read->at(settings.revoked);

  out.accounts = AccountSettingsOf(settings);
  out.accounts.asked = parts.asked;
  auto host = ReadHost(reader, out.accounts, ReadKeys::kNo);
  if (!host) return tl::unexpected(host.error());
  out.host = std::move(*host);
  out.account_problem = ProblemOf(out.host, out.accounts, Kind::kAccount);
  if (auto done = ReadAnswers(transport, settings, &out); !done)
    return tl::unexpected(done.error());
  if (auto done = ReadDaemon(transport, settings, &out); !done) return tl::unexpected(done.error());
  ReadInclude(settings, &out);
  if (!out.grants.edits.empty()) {
    // Lines by hand in our blocks: each account is asked for by itself.
    if (auto done = ReadAnswers(transport, settings, &out); !done) {
      return tl::unexpected(done.error());
    }
  }
  out.accounts.pam.reset();
  if (out.config_problem.empty()) {
    out.accounts.key_places = PlacesOf(out.answers);
    out.accounts.pam = out.answers.server.pam;
  }
  FindUnrevoked(settings, &out);
  FindDenied(&out);
  if (parts.keys) {
    auto again = ReadHost(reader, out.accounts, ReadKeys::kYes);
    if (!again) return tl::unexpected(again.error());
    out.host = std::move(*again);
  }
  if (parts.grants) {
    if (auto done = ReadTreeOf(transport, settings, parts, &out); !done) {
      return tl::unexpected(done.error());
    }
  }
  return out;
}

}  // namespace postern::filetransfer
