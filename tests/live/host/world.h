// tests/live/host/world.h: a host with one managed group, and operations as the core sends them.
//
// Accounts live in the private /etc, homes and data below /srv/x. Use one at a time.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/host/account_editor.h"
#include "providers/filetransfer/host/accounts_io.h"
#include "schemas/kinds.pb.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/process.h"

namespace postern::filetransfer {

inline const std::string kRoot = "/srv/x";
inline constexpr uint32_t kPartners = 30000;  // gid of all accounts that are made

class World {
 public:
  // Accounts by other hands: "admin" (uid 1500, in no managed group), "sys" (uid 900, in it).
  World();
  ~World();

  HostState Read();
  // All objects of that kind.
  std::vector<object::Object> Tell(object::Kind kind);
  object::Outcome Apply(const object::Operation& operation);
  std::vector<object::Outcome> ApplyAll(const std::vector<object::Operation>& operations);

  // An account as the planner wants it: home below /srv/x, which is made, root's and open to enter.
  kinds::Account Account(const std::string& login, uint32_t uid, bool enabled = true) const;
  kinds::SshKey Key(const std::string& login, const std::string& public_key) const;
  object::Operation Create(const google::protobuf::Message& after);
  object::Operation Update(const google::protobuf::Message& before,
                           const google::protobuf::Message& after);
  object::Operation Remove(const google::protobuf::Message& before);

  std::unique_ptr<Transport> transport = MakeLocalTransport();
  AccountSettings settings;
  object::Secrets secrets = {{"pw", "pw"}};

 private:
  uint64_t next_ = 0;
};

// The line of a file of the private /etc that begins with NAME:, or empty.
std::string LineOf(const std::string& file, const std::string& name);
// A new public key, "ssh-ed25519 AAAA...".
std::string NewKey(const std::string& name);
void WriteTo(const std::string& path, const std::string& text, unsigned mode = 0644);

}  // namespace postern::filetransfer
