// providers/filetransfer/openssh_io/server.h: one sshd with internal-sftp as objects.
//
// Kinds: account, ssh_key, server_group, server_membership (the host's own, in scope), grant,
// session, native_rule.
#pragma once
#include <span>
#include <vector>

#include "providers/filetransfer/host/ssh_sessions.h"
#include "providers/filetransfer/openssh_io/grant_writer.h"
#include "providers/filetransfer/openssh_io/snapshot.h"
#include "providers/filetransfer/server/server.h"

namespace postern::filetransfer {

class OpenSshServer final : public Server {
 public:
  OpenSshServer(Transport& transport, ServerSettings settings)
      : transport_(transport), settings_(std::move(settings)) {}

  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     const std::vector<FolderEntry>* access_files,
                                                     object::ObjectSink& sink) override;
  Result<std::vector<object::ReadAnswer>> Read(
      std::span<const object::ObjectKey> keys,
      const std::vector<FolderEntry>* access_files) override;
  std::vector<object::Outcome> Apply(std::span<const object::Operation> operations,
                                     const object::Secrets& secrets) override;
  Result<object::Probe> Probe() override;
  Result<TreeNeeds> NeedsOfTree() override;
  bool fits_tree() const override { return true; }
  Result<void> FitTree() override;
  Result<Shortfall> ShortfallOfPeers() override;
  Result<posix::Tree> TreeOfRoots() override;

 private:
  // Objects of one kind, or why they can't be told.
  struct Part {
    std::vector<object::Object> objects;
    std::string problem;
  };
  Part PartOf(const SshdSnapshot& snapshot, object::Kind kind);
  Result<SshdSnapshot> Take(Parts parts);
  // When what other hands have done to the folders, or to sshd's configuration, was done.
  Result<void> AskTimes(SshdSnapshot* snapshot);
  SshdGrantWriter Writer();
  std::vector<object::Outcome> ApplyToAccounts(std::span<const object::Operation> operations,
                                               const object::Secrets& secrets);
  std::vector<object::Outcome> ApplySessions(std::span<const object::Operation> operations);
  std::vector<object::Outcome> ApplyEntries(std::span<const object::Operation> operations);
  // Of accounts in scope.
  Result<std::vector<SshdSession>> Sessions(const SshdSnapshot& snapshot);

  Transport& transport_;
  ServerSettings settings_;
};

// What `providers doctor` prints for this server; pure.
std::vector<object::Check> SshdChecks(const SshdSnapshot& snapshot, const ServerSettings& settings);

}  // namespace postern::filetransfer
