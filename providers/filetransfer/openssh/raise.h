// providers/filetransfer/openssh/raise.h: what an account may really do through sshd. Pure.
//
// allowed(account, folder, right) = it gets in AND its session's requests carry the right AND the
// file system lets it. Any of the ways in will do; where a key's command= decides about the
// requests, the rights are the union over the keys that open. Source: OpenSSH 9.2, observed.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/openssh/login.h"
#include "providers/filetransfer/posix/access.h"

namespace postern::openssh {

// All about one account, as gathered by the provider.
struct Account {
  Connection connection;
  Settings settings;  // for that connection
  AccountKeys keys;
};

// What sessions of the account come down to.
struct Session {
  Login login;
  std::string chroot = "/";           // expanded; what the client calls "/"
  std::vector<SftpCommand> commands;  // one for each distinct way to start; empty: no session
  bool shell = false;                 // it may run any program: requests don't bind it
  std::vector<std::string> notes;     // what people should know: dropped words, shadowed rules
  // Why access isn't computable (another program is forced); empty: it is.
  std::string unknown;
};

class Raiser {
 public:
  // All must outlive the raiser.
  Raiser(const posix::HostAccounts& host, const posix::Tree& tree, const HostFacts& facts,
         const posix::KernelRules& kernel)
      : host_(host), tree_(tree), facts_(facts), kernel_(kernel) {}

  // Errors: kIncomplete when a component of the chroot was not read; kNotFound for the login.
  Result<Session> SessionOf(const Account& account) const;
  // One right on one path of the host, as posix::May takes it: list, create and mkdir on the
  // folder, the others on the entry. Errors: as RightsIn.
  Result<bool> May(const Account& account, const Session& session, std::string_view path,
                   Right right) const;
  // Rights on a folder by its path on the host. None when the session can't reach it. Errors:
  // kIncomplete for nodes that weren't read, kUnsupported where it isn't computable.
  Result<posix::FolderRights> RightsIn(const Account& account, const Session& session,
                                       std::string_view folder) const;

 private:
  bool Decide(const SftpCommand& command, const posix::Credentials& who,
              std::span<const posix::Node* const> chain, Right right) const;

  const posix::HostAccounts& host_;
  const posix::Tree& tree_;
  const HostFacts& facts_;
  const posix::KernelRules& kernel_;
};

// A path on the host as the account's client names it; nothing when it lies outside the chroot.
std::optional<std::string> ClientPath(std::string_view host_path, std::string_view chroot);
// And back. ".." and doubled slashes are resolved inside the chroot.
std::string HostPath(std::string_view client_path, std::string_view chroot);

}  // namespace postern::openssh
