// Opening targets: which provider serves what, with which secrets.
#include <algorithm>
#include <set>

#include "core/object/target.h"
#include "core/observe/observe.h"
#include "core/provider/client.h"
#include "schemas/provider.pb.h"

namespace postern::observe {
namespace {

using provider::v1::TargetConfig;

struct Wanted {
  std::string provider;
  TargetConfig config;
  std::set<std::string> secret_names;
};

bool IsMemory(std::string_view address) {
  return address.starts_with("memory:");
}

std::vector<Wanted> WantedOf(const config::Declarations& declarations) {
  std::vector<Wanted> wanted;
  for (const auto& host : declarations.hosts) {
    Wanted target;
    target.provider = IsMemory(host.message.address()) ? "memory" : "filetransfer";
    target.config.set_name("host:" + host.message.name());
    *target.config.mutable_host() = host.message;
    for (const auto& server : declarations.servers) {
      if (server.message.host() == host.message.name()) {
        *target.config.add_servers() = server.message;
      }
    }
    wanted.push_back(std::move(target));
  }
  for (const auto& directory : declarations.directories) {
    Wanted target;
    target.provider = IsMemory(directory.message.url()) ? "memory" : "directory";
    target.config.set_name("directory:" + directory.message.name());
    *target.config.mutable_directory() = directory.message;
    if (directory.message.bind().has_password()) {
      target.secret_names.insert(directory.message.bind().password());
    }
    wanted.push_back(std::move(target));
  }
  for (const auto& iam : declarations.iams) {
    Wanted target;
    target.provider = IsMemory(iam.message.url()) ? "memory" : "iam";
    target.config.set_name("iam:" + iam.message.name());
    *target.config.mutable_iam() = iam.message;
    const decl::IamAuth& auth = iam.message.auth();
    for (const std::string* secret : {&auth.token(), &auth.client_secret(), &auth.password()}) {
      if (!secret->empty()) target.secret_names.insert(*secret);
    }
    wanted.push_back(std::move(target));
  }
  for (const auto& runner : declarations.runners) {
    Wanted target;
    target.config.set_name("runner:" + runner.message.name());
    *target.config.mutable_runner() = runner.message;
    for (const auto& host : declarations.hosts) {
      if (host.message.name() == runner.message.host()) {
        *target.config.mutable_host() = host.message;
      }
    }
    target.provider = IsMemory(target.config.host().address()) ? "memory" : "runner";
    wanted.push_back(std::move(target));
  }
  std::sort(wanted.begin(), wanted.end(),
            [](const Wanted& a, const Wanted& b) { return a.config.name() < b.config.name(); });
  return wanted;
}

std::string BareName(const std::string& reference) {
  return reference.starts_with("secret:") ? reference.substr(7) : reference;
}

OpenTarget OpenOne(Wanted wanted, const SecretStore& store, const OpenOptions& options) {
  OpenTarget open;
  open.name = wanted.config.name();
  wanted.config.set_ledger_id(options.ledger_id);
  wanted.config.set_generation(options.generation);
  object::Secrets secrets;
  secrets["ledger-key"] = options.ledger_key;
  for (const std::string& reference : wanted.secret_names) {
    auto value = store.Find(BareName(reference), open.name);
    if (!value) {
      open.error = value.error();
      return open;
    }
    secrets[BareName(reference)] = *std::move(value);
  }
  auto client =
      provider::Start({provider::ProviderProgram(wanted.provider)}, wanted.config, secrets);
  if (client) {
    open.target = *std::move(client);
  } else {
    open.error = client.error();
  }
  return open;
}

}  // namespace

std::vector<OpenTarget> OpenTargets(const config::Declarations& declarations,
                                    const OpenOptions& options) {
  const SecretStore store(&declarations);
  std::vector<Wanted> wanted = WantedOf(declarations);
  std::vector<OpenTarget> targets(wanted.size());
  // A provider dies with the thread that spawned it (PR_SET_PDEATHSIG follows the parent thread),
  // so the spawning happens here, on the caller's thread; it costs about 10 ms each.
  for (size_t i = 0; i < wanted.size(); ++i) {
    targets[i] = OpenOne(std::move(wanted[i]), store, options);
  }
  return targets;
}

}  // namespace postern::observe
