#include "providers/filetransfer/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/host/folders.h"
#include "providers/filetransfer/openssh_io/server.h"
#include "providers/filetransfer/proftpd_io/server.h"
#include "providers/filetransfer/transport/open.h"
#include "providers/filetransfer/transport/transport.h"
#include "schemas/provider.pb.h"

namespace postern::filetransfer {
namespace {

using object::Kind;
using object::ObjectKey;
using object::Operation;
using object::OperationGroup;
using object::Outcome;
using object::ReadAnswer;
using object::ScopeStatus;

bool Wants(std::span<const Kind> kinds, Kind kind) {
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// First part of a key: the server's name, or the host's.
std::string OwnerOf(std::string_view key) {
  return std::string(object::SplitKey(key).front());
}

std::unique_ptr<Server> MakeServer(Transport& transport, ServerSettings settings) {
  if (settings.control.program == "sshd") {
    return std::make_unique<OpenSshServer>(transport, std::move(settings));
  }
  return std::make_unique<ProftpdServer>(transport, std::move(settings));
}

class HostTarget final : public object::Target {
 public:
  HostTarget(std::unique_ptr<Transport> transport, std::string host, std::vector<std::string> roots,
             std::vector<ServerSettings> servers)
      : transport_(std::move(transport)), folders_(*transport_, std::move(host), std::move(roots)) {
    for (ServerSettings& settings : servers) {
      std::string name = settings.name;
      servers_.emplace(std::move(name), MakeServer(*transport_, std::move(settings)));
    }
    for (auto& [name, server] : servers_) {
      std::vector<Server*> peers;
      for (auto& [other, peer] : servers_) {
        if (peer != server) peers.push_back(peer.get());
      }
      server->SetPeers(std::move(peers));
    }
  }

  Result<object::Probe> ProbeTarget() override {
    object::Probe probe;
    for (auto& [name, server] : servers_) {
      auto one = server->Probe();
      if (!one) return base::Wrap(name, one.error());
      // "openssh + proftpd": a host is as many products as it has servers of.
      if (probe.product.find(one->product) == std::string::npos) {
        const char* joint = probe.product.empty() ? "" : " + ";
        probe.product += joint + one->product;
        probe.product_version += joint + one->product_version;
      }
      probe.identity = one->identity;
      probe.clock_skew_ms = one->clock_skew_ms;
      for (auto& capability : one->capabilities)
        probe.capabilities.push_back(std::move(capability));
      for (auto& check : one->checks) {
        check.name = name + ": " + check.name;
        probe.checks.push_back(std::move(check));
      }
    }
    auto folders = folders_.Enumerate(nullptr, nullptr);
    if (!folders) return tl::unexpected(folders.error());
    probe.checks.push_back(
        {.name = "managed roots",
         .ok = folders->complete,
         .found = folders->complete ? fmt::format("{} folders", folders->count) : folders->reason,
         .lines_to_add = {},
         .where = ""});
    for (const Kind kind : {Kind::kAccount, Kind::kSshKey, Kind::kServerGroup,
                            Kind::kServerMembership, Kind::kGrant}) {
      probe.concurrency[kind] = "atomic replace";
    }
    probe.concurrency[Kind::kFolder] = "verify-then-write";
    probe.concurrency[Kind::kSession] = "verify-then-write";
    return probe;
  }

  Result<std::vector<ScopeStatus>> Enumerate(std::span<const Kind> kinds,
                                             object::ObjectSink& sink) override {
    std::vector<ScopeStatus> out;
    std::vector<FolderEntry> access_files;
    bool searched = false;
    if (Wants(kinds, Kind::kFolder) || Wants(kinds, Kind::kNativeRule) ||
        Wants(kinds, Kind::kServerConfig)) {
      const bool wanted = Wants(kinds, Kind::kFolder);
      auto status = folders_.Enumerate(wanted ? &sink : nullptr, &access_files);
      if (!status) return tl::unexpected(status.error());
      searched = status->complete;
      if (wanted) out.push_back(std::move(*status));
    }
    for (auto& [name, server] : servers_) {
      auto statuses = server->Enumerate(kinds, searched ? &access_files : nullptr, sink);
      if (!statuses) return base::Wrap(name, statuses.error());
      for (ScopeStatus& status : *statuses) {
        // A host-only question asks no server anything.
        if (Wants(kinds, status.kind)) out.push_back(std::move(status));
      }
    }
    return out;
  }

  Result<std::vector<ReadAnswer>> Read(std::span<const ObjectKey> keys) override {
    std::vector<ReadAnswer> out(keys.size());
    std::map<std::string, std::pair<std::vector<ObjectKey>, std::vector<size_t>>> parts;
    bool rules = false;
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::string owner = keys[i].kind == Kind::kFolder ? "" : OwnerOf(keys[i].key);
      auto& [some, places] = parts[owner];
      some.push_back(keys[i]);
      places.push_back(i);
      rules = rules || object::TableOf(keys[i].kind).observed_only;
    }
    std::vector<FolderEntry> access_files;
    bool searched = false;
    if (rules) {
      auto status = folders_.Enumerate(nullptr, &access_files);
      searched = status && status->complete;
    }
    for (auto& [owner, part] : parts) {
      Result<std::vector<ReadAnswer>> answers = std::vector<ReadAnswer>(part.first.size());
      const auto server = servers_.find(owner);
      if (owner.empty()) {
        answers = folders_.Read(part.first);
      } else if (server != servers_.end()) {
        answers = server->second->Read(part.first, searched ? &access_files : nullptr);
      } else {
        for (size_t i = 0; i < part.first.size(); ++i) {
          (*answers)[i].object.kind = part.first[i].kind;
          (*answers)[i].object.key = part.first[i].key;
          (*answers)[i].reason = fmt::format("there is no server {} on this host", owner);
        }
      }
      if (!answers) return tl::unexpected(answers.error());
      for (size_t i = 0; i < part.second.size(); ++i)
        out[part.second[i]] = std::move((*answers)[i]);
    }
    return out;
  }

  Result<void> Apply(std::span<const OperationGroup> groups, const object::Secrets& secrets,
                     object::OutcomeSink& sink) override {
    for (const OperationGroup& group : groups) {
      std::map<std::string, std::vector<Operation>> parts;
      for (const Operation& operation : group.operations) {
        parts[operation.kind == Kind::kFolder ? "" : OwnerOf(operation.key)].push_back(operation);
      }
      for (const auto& [owner, operations] : parts) {
        for (Outcome& outcome : ApplyPart(owner, operations, secrets)) sink.Add(std::move(outcome));
      }
    }
    return {};
  }

 private:
  std::vector<Outcome> ApplyPart(const std::string& owner, const std::vector<Operation>& operations,
                                 const object::Secrets& secrets) {
    if (owner.empty()) return folders_.Apply(operations);
    const auto server = servers_.find(owner);
    if (server != servers_.end()) return server->second->Apply(operations, secrets);
    std::vector<Outcome> out;
    for (const Operation& operation : operations) {
      out.push_back(Refusal(operation, fmt::format("there is no server {} on this host", owner)));
    }
    return out;
  }

  std::unique_ptr<Transport> transport_;
  Folders folders_;
  std::map<std::string, std::unique_ptr<Server>> servers_;
};

Result<ServerSettings> SettingsOf(const decl::Host& host, const decl::Server& server,
                                  const object::Secrets& secrets) {
  const bool sshd = server.product() == "openssh";
  if (!sshd && server.product() != "proftpd") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("server {}: product {} isn't known", server.name(), server.product()));
  }
  ServerSettings out;
  out.name = server.name();
  out.config = server.config();
  if (sshd && out.config.empty()) out.config = "/etc/ssh/sshd_config";
  if (!out.config.starts_with('/')) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("server {}: config must be the absolute path of {}", server.name(),
                            sshd ? "sshd_config" : "proftpd.conf"));
  }
  const std::string folder = out.config.substr(0, out.config.rfind('/'));
  out.include = server.has_include() ? server.include()
                                     : folder + (sshd ? "/sshd_config.d" : "") + "/postern.conf";
  if (sshd) out.control.program = "sshd";
  out.chroot_home = server.chroot() == "home";
  out.revoked = server.certificates().revoked();
  out.first_uid = server.uids().from();
  out.last_uid = server.uids().to();
  out.uid_group = server.uids().gid();
  out.control.unit = server.control().unit();
  out.control.pidfile = server.control().pidfile();
  const auto& start = server.control().start().values();
  out.control.start.assign(start.begin(), start.end());
  out.sessions = server.control().sessions();
  const auto& roots = host.manage().roots().values();
  out.roots.assign(roots.begin(), roots.end());
  out.accounts = host.manage().accounts();
  const auto key = secrets.find("ledger-key");
  if (key != secrets.end()) out.ledger_key = key->second;
  return out;
}

}  // namespace

Result<std::unique_ptr<object::Target>> MakeTarget(const provider::v1::TargetConfig& config,
                                                   const object::Secrets& secrets) {
  if (!config.has_host()) return Fail(ErrorCode::kInvalid, "this provider serves hosts only");
  auto transport = OpenTransport(config.host());
  if (!transport) return tl::unexpected(transport.error());
  std::vector<ServerSettings> servers;
  for (const decl::Server& server : config.servers()) {
    auto settings = SettingsOf(config.host(), server, secrets);
    if (!settings) return tl::unexpected(settings.error());
    servers.push_back(std::move(*settings));
  }
  const auto& roots = config.host().manage().roots().values();
  return std::make_unique<HostTarget>(std::move(*transport), config.host().name(),
                                      std::vector<std::string>(roots.begin(), roots.end()),
                                      std::move(servers));
}

}  // namespace postern::filetransfer
