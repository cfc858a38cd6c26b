// providers/filetransfer/proftpd_io/server.h: one ProFTPD server as objects.
//
// Kinds: account, ssh_key, server_group, server_membership, grant, session, native_rule,
// server_config. Not thread-safe. No state between calls: every call reads anew.
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

class ProftpdServer {
 public:
  ProftpdServer(Transport& transport, ServerSettings settings)
      : transport_(transport), settings_(std::move(settings)) {}

  const ServerSettings& settings() const { return settings_; }
  // `access_files`: the .ftpaccess files under the roots; null: they could not be looked for.
  Result<std::vector<object::ScopeStatus>> Enumerate(std::span<const object::Kind> kinds,
                                                     const std::vector<FolderEntry>* access_files,
                                                     object::ObjectSink& sink);
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys,
                                               const std::vector<FolderEntry>* access_files);
  // One outcome for each operation, in order, read back.
  std::vector<object::Outcome> Apply(std::span<const object::Operation> operations,
                                     const object::Secrets& secrets);
  Result<object::Probe> Probe();

 private:
  std::vector<object::Outcome> ApplyFiles(std::span<const object::Operation> operations,
                                          const object::Secrets& secrets);
  std::vector<object::Outcome> ApplySessions(std::span<const object::Operation> operations);
  Result<std::vector<OpenSession>> Sessions(const Snapshot& snapshot);
  bool Names(const object::Operation& operation, const OpenSession& session) const;
  void ReadBack(std::span<const object::Operation> operations,
                std::vector<object::Outcome>& outcomes);
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
