#include "tests/live/filetransfer/world.h"

#include <fmt/format.h>
#include <unistd.h>

#include "providers/filetransfer/proftpd_io/key_file.h"
#include "providers/filetransfer/target.h"

namespace postern::filetransfer {

bool Seen::Add(const object::ObjectView& view) {
  Object object{view.kind,
                std::string(view.key),
                std::string(view.body),
                std::string(view.id),
                view.unreadable,
                std::string(view.changed_by),
                view.changed_at,
                std::string(view.how_known)};
  EXPECT_TRUE(objects.emplace(object::ObjectKey{view.kind, object.key}, object).second)
      << "twice: " << object::Describe(view.kind, view.key);
  return true;
}

const object::ScopeStatus& Seen::Scope(Kind kind) const {
  for (const auto& scope : scopes) {
    if (scope.kind == kind) return scope;
  }
  ADD_FAILURE() << "no status for " << object::NameOf(kind);
  static const object::ScopeStatus none;
  return none;
}

const Object* Seen::Find(Kind kind, std::initializer_list<std::string_view> parts) const {
  const auto found = objects.find({kind, object::MakeKey(kind, parts)});
  return found == objects.end() ? nullptr : &found->second;
}

size_t Seen::Count(Kind kind) const {
  return static_cast<size_t>(std::count_if(
      objects.begin(), objects.end(), [&](const auto& entry) { return entry.first.kind == kind; }));
}

World::World(bool ssh, support::Proftpd::Options options) : proftpd(scratch, std::move(options)) {
  secrets = {{"ledger-key", "a key for digests"}, {"pw", "correct horse"}, {"other", "battery"}};
  proftpd.WriteAccounts({});
  proftpd.WriteGroups({});
  proftpd.WriteInclude("");
  if (ssh) sshd = std::make_unique<support::Sshd>(scratch);
}

void World::Through(const support::Sshd::Options& options) {
  sshd = std::make_unique<support::Sshd>(scratch, options);
}

World::~World() {
  target.reset();
  support::EndAdopted("proftpd");
}

bool World::Start() {
  if (sshd != nullptr && !sshd->Start()) return false;
  if (!proftpd.Start()) return false;
  target = Connect();
  return target != nullptr;
}

provider::v1::TargetConfig World::Config() const {
  provider::v1::TargetConfig config;
  config.set_name("host:edge");
  decl::Host* host = config.mutable_host();
  host->set_name("edge");
  host->set_address(sshd == nullptr ? "local:" : sshd->address());
  if (sshd != nullptr) {
    host->set_known_host(sshd->known_host());
    host->set_identity(sshd->identity());
  }
  if (!become.empty()) host->set_become(become);
  host->mutable_manage()->mutable_roots()->add_values(proftpd.data());
  host->mutable_manage()->set_accounts(accounts);
  decl::Server* server = config.add_servers();
  server->set_name("ftp");
  server->set_host("edge");
  server->set_product("proftpd");
  server->set_config(proftpd.config_path());
  server->set_include(proftpd.include_path());
  if (!unit.empty()) {
    server->mutable_control()->set_unit(unit);
    return config;
  }
  for (const std::string& word : proftpd.StartCommand()) {
    server->mutable_control()->mutable_start()->add_values(word);
  }
  return config;
}

std::unique_ptr<object::Target> World::Connect(const provider::v1::TargetConfig& config) const {
  auto made = MakeTarget(config, secrets);
  if (made) return std::move(*made);
  ADD_FAILURE() << made.error().message;
  return nullptr;
}

Seen World::Enumerate(std::vector<Kind> kinds) {
  Seen seen;
  auto scopes = target->Enumerate(kinds, seen);
  EXPECT_TRUE(scopes) << scopes.error().message;
  if (scopes) seen.scopes = std::move(*scopes);
  return seen;
}

std::vector<Outcome> World::Apply(const std::vector<Operation>& operations) {
  struct Sink : object::OutcomeSink {
    void Add(Outcome outcome) override { all.emplace(outcome.id, std::move(outcome)); }
    std::map<uint64_t, Outcome> all;
  } sink;
  const object::OperationGroup group{"container", operations};
  auto done = target->Apply({&group, 1}, secrets, sink);
  EXPECT_TRUE(done) << done.error().message;
  std::vector<Outcome> out;
  for (const Operation& operation : operations) {
    EXPECT_TRUE(sink.all.contains(operation.id)) << "no outcome";
    out.push_back(sink.all[operation.id]);
  }
  EXPECT_EQ(sink.all.size(), operations.size());
  return out;
}

Outcome World::ApplyOne(Operation operation) {
  return Apply({std::move(operation)}).front();
}

Operation World::Create(const google::protobuf::Message& message) {
  const Object object = object::Encode(message);
  return {.id = next_id_++, .kind = object.kind, .key = object.key, .after = object.body};
}

Operation World::Change(const google::protobuf::Message& message) {
  Operation operation = Create(message);
  const object::ObjectKey key{operation.kind, operation.key};
  auto live = target->Read({&key, 1});
  EXPECT_TRUE(live) << live.error().message;
  operation.before = live->front().object.body;
  operation.expect_id = live->front().object.id;
  EXPECT_FALSE(operation.before.empty()) << live->front().reason;
  return operation;
}

Operation World::Remove(const Object& live) {
  return {.id = next_id_++, .kind = live.kind, .key = live.key, .before = live.body};
}

Operation World::Baseline() {
  return Create(Grant(proftpd.data(), "everyone", 0));
}

kinds::Account World::Account(const std::string& login) const {
  kinds::Account account;
  account.set_server("ftp");
  account.set_login(login);
  account.set_enabled(true);
  account.set_home(proftpd.data());
  account.set_uid(::geteuid() == 0 ? 30000 : ::geteuid());
  account.set_gid(::getegid() == 0 ? 30000 : ::getegid());
  account.set_comment("");
  return account;
}

kinds::Grant World::Grant(const std::string& path, const std::string& subject,
                          uint32_t rights) const {
  kinds::Grant grant;
  grant.set_server("ftp");
  grant.set_path(path);
  grant.set_depth("subtree");
  grant.set_subject(subject);
  grant.set_rights(rights);
  return grant;
}

kinds::SshKey World::Key(const std::string& login, const std::string& public_key_file) const {
  auto key = ParseOpenSshKey(support::PublicKeyOf(public_key_file));
  EXPECT_TRUE(key) << key.error().message;
  kinds::SshKey out;
  out.set_server("ftp");
  out.set_login(login);
  out.set_fingerprint(key->fingerprint);
  out.set_public_key(key->text);
  return out;
}

int World::FtpList(const std::string& login, const std::string& password, const std::string& path) {
  return support::RunCommand({"curl", "-sS", "--max-time", "20", "-u", login + ":" + password,
                              fmt::format("ftp://127.0.0.1:{}/{}/", proftpd.ftp_port(), path)},
                             "")
      .exit;
}

int World::FtpGet(const std::string& login, const std::string& password, const std::string& path) {
  return support::RunCommand({"curl", "-sS", "--max-time", "20", "-u", login + ":" + password,
                              fmt::format("ftp://127.0.0.1:{}/{}", proftpd.ftp_port(), path)},
                             "")
      .exit;
}

int World::FtpUpload(const std::string& login, const std::string& password,
                     const std::string& path) {
  return support::RunCommand({"curl", "-sS", "--max-time", "20", "-u", login + ":" + password, "-T",
                              "-", fmt::format("ftp://127.0.0.1:{}/{}", proftpd.ftp_port(), path)},
                             "content")
      .exit;
}

int World::SftpLogin(const std::string& login, const std::string& identity) {
  return support::RunCommand(
             {"sftp", "-q", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
              "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i", identity,
              "-P", std::to_string(proftpd.sftp_port()), "-b", "-", login + "@127.0.0.1"},
             "pwd\n")
      .exit;
}

void ExpectAll(const std::vector<Outcome>& outcomes, Status status) {
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, status) << outcome.id << ": " << outcome.message;
  }
}

}  // namespace postern::filetransfer
