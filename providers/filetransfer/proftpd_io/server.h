// providers/filetransfer/proftpd_io/server.h: one ProFTPD server as objects.
//
// Kinds: account, ssh_key, server_group, server_membership, grant, session, native_rule,
// server_config.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/proftpd/config.h"
#include "providers/filetransfer/proftpd_io/sessions.h"
#include "providers/filetransfer/proftpd_io/snapshot.h"
#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

class ProftpdServer final : public Server {
 public:
  ProftpdServer(Transport& transport, ServerSettings settings)
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

 private:
  // With rows as the folders let them be, where a peer fits those. Errors: the transport's.
  Result<Snapshot> Take();
  // The tree follows the rows, on a host where a peer fits it.
  void FitTreeFor(std::span<const object::Operation> grants,
                  std::vector<object::Outcome>& outcomes);
  std::vector<object::Outcome> ApplyFiles(std::span<const object::Operation> operations,
                                          const object::Secrets& secrets);
  std::vector<object::Outcome> ApplySessions(std::span<const object::Operation> operations);
  Result<std::vector<OpenSession>> Sessions(const Snapshot& snapshot);
  // Second ways into the managed roots, with what the folders let our accounts do there, where a
  // peer reads those.
  Result<std::vector<object::Object>> Ways(const Snapshot& snapshot);
  Result<std::vector<object::Object>> NativeRules(const Snapshot& snapshot,
                                                  const std::vector<FolderEntry>& access_files);

  // native_rule or server_config.
  Result<std::vector<object::Object>> ObservedOnly(const Snapshot& snapshot, object::Kind kind,
                                                   const std::vector<FolderEntry>* access_files);

  Transport& transport_;
  ServerSettings settings_;
};

// What `providers doctor` prints for this server; pure.
std::vector<object::Check> ChecksOf(const Snapshot& snapshot, const ServerSettings& settings,
                                    const Result<proftpd::LiveConfig>& config);

}  // namespace postern::filetransfer
