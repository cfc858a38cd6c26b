#include "providers/filetransfer/openssh/raise.h"

#include <fmt/format.h>

#include <algorithm>

#include "providers/filetransfer/openssh/words.h"

namespace postern::openssh {
namespace {

using posix::FolderRights;
using Kind = SftpCommand::Kind;

// Whether a session of that command starts at all.
class Starter {
 public:
  Starter(const Settings& settings, const posix::User& user, Session* session)
      : settings_(settings),
        session_(session),
        shell_(RunsCommands(user.shell.empty() ? "/bin/sh" : user.shell)) {}

  bool shell() const { return shell_; }

  void Add(const SftpCommand& command) {
    session_->notes.insert(session_->notes.end(), command.warnings.begin(), command.warnings.end());
    switch (command.kind) {
      case Kind::kNone:
      case Kind::kBroken:
        return;
      case Kind::kInternal:
        // sshd serves internal-sftp to those who ask for a subsystem, and refuses commands.
        if (!settings_.has_subsystem) {
          session_->notes.emplace_back(kNoSubsystem);
          return;
        }
        break;
      case Kind::kExternal:
        // The shell starts it: nologin starts nothing, and in a chroot it may not be there.
        if (!shell_) return;
        if (!settings_.chroot.empty()) session_->unknown = kInChroot;
        break;
      case Kind::kOther:
        session_->unknown = "a session runs a program that isn't internal-sftp";
        return;
    }
    session_->commands.push_back(command);
  }

 private:
  static constexpr const char* kNoSubsystem =
      "internal-sftp is forced and no Subsystem is configured: it serves nobody";
  static constexpr const char* kInChroot =
      "a program in a chroot: what runs depends on the files inside";

  const Settings& settings_;
  Session* session_;
  bool shell_;
};

// Without any forced command: the client chooses between the subsystem and the shell.
void AddFree(const Settings& settings, Starter* starter, Session* session) {
  if (starter->shell() && settings.chroot.empty()) {
    session->shell = true;
    session->commands.emplace_back();  // kNone: everything
    session->notes.emplace_back("no command is forced and the shell runs what is asked");
    return;
  }
  if (starter->shell()) {
    session->unknown = "a shell in a chroot: what runs depends on the programs inside";
  }
  starter->Add(settings.subsystem);
}

void AddByKeys(const Account& account, const HostFacts& facts, Starter* starter, Session* session) {
  bool free = false;
  for (const AuthorizedKey& key : account.keys.keys) {
    const Connection& from = account.connection;
    if (key.options.cert_authority || !OpensAt(key.options, facts.now, from.host, from.address)) {
      continue;
    }
    if (key.options.command) {
      starter->Add(ParseSftpCommand(*key.options.command));
    } else {
      free = true;
    }
  }
  const auto& ways = session->login.ways;
  const bool keys_only = ways == std::vector<WayIn>{WayIn::kKey};
  if (free || !keys_only) AddFree(account.settings, starter, session);
}

// Union, for accounts with more than one way to start a session.
void Unite(const FolderRights& more, FolderRights* all) {
  all->reach = all->reach || more.reach;
  all->every |= more.every;
  all->some |= more.some;
}

}  // namespace

Result<Session> Raiser::SessionOf(const Account& account) const {
  const posix::User* user = host_.FindUser(account.connection.user);
  if (user == nullptr) {
    return Fail(ErrorCode::kNotFound, "the host has no account " + account.connection.user);
  }
  Session session;
  const Settings& settings = account.settings;
  session.login = LoginOf(account.connection, settings, host_, account.keys, facts_);
  if (!settings.keys_command.empty()) {
    session.unknown = "AuthorizedKeysCommand decides about keys";
  }
  if (!settings.principals_command.empty() && !account.keys.trusted.empty()) {
    session.unknown = "AuthorizedPrincipalsCommand decides about certificates";
  }
  if (!session.login.open()) return session;
  if (!settings.chroot.empty()) {
    const auto chroot = ExpandTokens(settings.chroot, user->name, user->home, user->uid);
    if (!chroot) {
      session.notes.emplace_back("ChrootDirectory has a token that sshd doesn't know");
      return session;
    }
    session.chroot = HostPath(*chroot, "/");
    const Result<std::string> why = WhyNoChroot(tree_, session.chroot);
    if (!why) return tl::unexpected<Error>(why.error());
    if (!why->empty()) {
      session.notes.push_back("sessions end at once: " + *why);
      return session;
    }
  }
  Starter starter(settings, *user, &session);
  if (settings.forced.kind != Kind::kNone) {
    starter.Add(settings.forced);
  } else {
    AddByKeys(account, facts_, &starter, &session);
  }
  return session;
}

bool Raiser::Decide(const SftpCommand& command, const posix::Credentials& who,
                    std::span<const posix::Node* const> chain, Right right) const {
  if (!RightsOf(command).Has(right) || !posix::May(who, chain, right, kernel_)) return false;
  if (right != Right::kRename || !RenamesByLink(command)) return true;
  return chain.back()->type != posix::Node::Type::kFolder && posix::MayLink(who, chain, kernel_);
}

Result<bool> Raiser::May(const Account& account, const Session& session, std::string_view path,
                         Right right) const {
  if (!session.unknown.empty()) return Fail(ErrorCode::kUnsupported, session.unknown);
  if (session.commands.empty() || !ClientPath(path, session.chroot)) return false;
  const Result<posix::Credentials> who = host_.CredentialsOf(account.connection.user);
  if (!who) return tl::unexpected<Error>(who.error());
  const auto chain = tree_.Chain(path, session.chroot);
  if (!chain) return tl::unexpected<Error>(chain.error());
  return std::any_of(
      session.commands.begin(), session.commands.end(),
      [&](const SftpCommand& command) { return Decide(command, *who, *chain, right); });
}

Result<FolderRights> Raiser::RightsIn(const Account& account, const Session& session,
                                      std::string_view folder) const {
  FolderRights all;
  if (!session.unknown.empty()) return Fail(ErrorCode::kUnsupported, session.unknown);
  if (session.commands.empty() || !ClientPath(folder, session.chroot)) return all;
  const Result<posix::Credentials> who = host_.CredentialsOf(account.connection.user);
  if (!who) return tl::unexpected<Error>(who.error());
  for (const SftpCommand& command : session.commands) {
    const posix::EntryRule rule = [&](std::span<const posix::Node* const> chain, Right right) {
      return Decide(command, *who, chain, right);
    };
    auto found = posix::RightsIn(tree_, *who, folder, session.chroot, rule);
    if (!found) return found;
    Unite(*found, &all);
  }
  return all;
}

std::optional<std::string> ClientPath(std::string_view host_path, std::string_view chroot) {
  if (chroot == "/") return std::string(host_path);
  if (!access::IsWithin(host_path, chroot)) return std::nullopt;
  const std::string_view rest = host_path.substr(chroot.size());
  return rest.empty() ? "/" : std::string(rest);
}

std::string HostPath(std::string_view client_path, std::string_view chroot) {
  std::vector<std::string> parts;
  for (std::string& part : SplitList(client_path, '/')) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (part != ".") {
      parts.push_back(std::move(part));
    }
  }
  std::string path(chroot == "/" ? "" : chroot);
  for (const std::string& part : parts) path += "/" + part;
  return path.empty() ? "/" : path;
}

}  // namespace postern::openssh
