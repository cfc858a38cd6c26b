#include "tests/live/host/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "providers/filetransfer/openssh/keys.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {

using object::Operation;
using object::Outcome;

World::World() {
  const live::Machine& machine = live::Machine::Get();
  EXPECT_TRUE(machine.entered());
  machine.WriteAccounts(
      "admin:x:1500:1500:an administrator:/srv/x/admin:/bin/bash\n"
      "sys:x:900:900::/nonexistent:/usr/sbin/nologin\n",
      "partners:x:30000:\nmanaged:x:29999:sys\nadmin:x:1500:\nstaffx:x:1501:admin\n",
      "admin:*:19000:0:99999:7:::\nsys:*:19000:0:99999:7:::\n");
  for (const char* leftover : {"passwd.lock", "shadow.lock", "group.lock", "gshadow.lock"}) {
    ::unlink(fmt::format("/etc/{}", leftover).c_str());
  }
  std::filesystem::remove_all(kRoot);
  ::mkdir(kRoot.c_str(), 0755);
  settings.server = "edge";
  settings.accounts = "group:managed";
  settings.uids = UidRange{30000, 39999, kPartners};
  settings.roots = {kRoot};
  settings.ledger_key = "test key";
}

World::~World() {
  live::Machine::Get().ExpectOutsideUnchanged();
}

HostState World::Read() {
  auto state = ReadHost(*transport, settings);
  EXPECT_TRUE(state.has_value()) << state.error().message;
  return state ? std::move(*state) : HostState();
}

std::vector<object::Object> World::Tell(object::Kind kind) {
  const HostState state = Read();
  EXPECT_EQ(ProblemOf(state, settings, kind), "");
  return ObjectsOf(state, settings, kind);
}

std::vector<Outcome> World::ApplyAll(const std::vector<Operation>& operations) {
  auto out = ApplyAccounts(*transport, settings, operations, secrets);
  EXPECT_EQ(out.size(), operations.size());
  return out;
}

Outcome World::Apply(const Operation& operation) {
  return ApplyAll({operation}).front();
}

kinds::Account World::Account(const std::string& login, uint32_t uid, bool enabled) const {
  kinds::Account account;
  account.set_server(settings.server);
  account.set_login(login);
  account.set_enabled(enabled);
  account.set_home(kRoot + "/" + login);
  account.set_uid(uid);
  account.set_gid(kPartners);
  ::mkdir(account.home().c_str(), 0755);
  return account;
}

kinds::SshKey World::Key(const std::string& login, const std::string& public_key) const {
  kinds::SshKey key;
  key.set_server(settings.server);
  key.set_login(login);
  key.set_public_key(public_key);
  key.set_fingerprint(openssh::ParseKeyLine(public_key)->Fingerprint());
  key.mutable_options();
  return key;
}

Operation World::Create(const google::protobuf::Message& after) {
  const object::Object object = object::Encode(after);
  return {.id = ++next_, .kind = object.kind, .key = object.key, .after = object.body};
}

Operation World::Update(const google::protobuf::Message& before,
                        const google::protobuf::Message& after) {
  Operation operation = Create(after);
  const object::Object object = object::Encode(before);
  operation.before = object.body;
  if (object.key != operation.key) operation.new_key = operation.key;
  operation.key = object.key;
  return operation;
}

Operation World::Remove(const google::protobuf::Message& before) {
  Operation operation = Create(before);
  std::swap(operation.before, operation.after);
  return operation;
}

std::string LineOf(const std::string& file, const std::string& name) {
  std::ifstream lines("/etc/" + file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + ":")) return line;
  }
  return "";
}

std::string NewKey(const std::string& name) {
  const std::string path = "/srv/key-" + name;
  if (!std::filesystem::exists(path)) support::MakeSshKey("ed25519", path);
  return support::PublicKeyOf(path + ".pub");
}

void WriteTo(const std::string& path, const std::string& text, unsigned mode) {
  std::ofstream(path, std::ios::trunc) << text;
  EXPECT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

}  // namespace postern::filetransfer
