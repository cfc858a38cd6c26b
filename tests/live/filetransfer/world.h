// A ProFTPD on loopback, a target over it, and short ways to ask and tell it things.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/support/process.h"
#include "tests/support/proftpd.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {

using object::Kind;
using object::Object;
using object::Operation;
using object::Outcome;
using object::Status;

// What one enumeration said.
struct Seen : object::ObjectSink {
  std::map<object::ObjectKey, Object> objects;
  std::vector<object::ScopeStatus> scopes;

  bool Add(const object::ObjectView& view) override;
  const object::ScopeStatus& Scope(Kind kind) const;
  const Object* Find(Kind kind, std::initializer_list<std::string_view> parts) const;
  size_t Count(Kind kind) const;
};

class World {
 public:
  // `ssh`: reach the host through a real sshd instead of directly.
  explicit World(bool ssh, support::Proftpd::Options options = {});
  ~World();

  // Reaches the host through an sshd of this kind.
  void Through(const support::Sshd::Options& options);
  bool Start();
  provider::v1::TargetConfig Config() const;
  std::unique_ptr<object::Target> Connect() const { return Connect(Config()); }
  std::unique_ptr<object::Target> Connect(const provider::v1::TargetConfig& config) const;
  Seen Enumerate(std::vector<Kind> kinds = {});
  // Applies them as one group and answers by operation id.
  std::vector<Outcome> Apply(const std::vector<Operation>& operations);
  Outcome ApplyOne(Operation operation);

  Operation Create(const google::protobuf::Message& message);
  // From what is live now to `message`'s fields over it.
  Operation Change(const google::protobuf::Message& message);
  Operation Remove(const Object& live);
  // Creates the deny-all of the one managed root.
  Operation Baseline();

  kinds::Account Account(const std::string& login) const;
  kinds::Grant Grant(const std::string& path, const std::string& subject, uint32_t rights) const;
  kinds::SshKey Key(const std::string& login, const std::string& public_key_file) const;

  // Clients. FTP: curl; answers curl's exit code. SFTP: OpenSSH's, by key.
  int FtpList(const std::string& login, const std::string& password, const std::string& path = "");
  // Listing a denied folder is an empty success; a download isn't.
  int FtpGet(const std::string& login, const std::string& password, const std::string& path);
  int FtpUpload(const std::string& login, const std::string& password, const std::string& path);
  int SftpLogin(const std::string& login, const std::string& identity);

  support::Scratch scratch;
  support::Proftpd proftpd;
  std::unique_ptr<support::Sshd> sshd;
  std::unique_ptr<object::Target> target;
  object::Secrets secrets;
  std::string accounts = "all";
  std::string become;
  std::string unit;  // instead of the command that starts the daemon

 private:
  uint64_t next_id_ = 1;
};

void ExpectAll(const std::vector<Outcome>& outcomes, Status status);

}  // namespace postern::filetransfer
