#include "tests/conformance/samples.h"

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/base/hash.h"
#include "schemas/kinds.pb.h"

namespace postern::conformance {
namespace {

std::unique_ptr<Message> Account(const Names& names, int n, int version) {
  auto account = std::make_unique<kinds::Account>();
  account->set_server(names.server);
  account->set_login(fmt::format("login{}", n));
  account->set_enabled(version != 1);
  account->set_home(fmt::format("{}/home{}{}", names.root, n, version == 1 ? "-moved" : ""));
  account->set_uid(30000 + n);
  account->set_gid(30000);
  if (version != 2) account->set_comment(fmt::format("login number {}, version {}", n, version));
  return account;
}

std::unique_ptr<Message> User(const Names& names, int n, int version) {
  auto user = std::make_unique<kinds::User>();
  user->set_dn(fmt::format("uid=user{},ou=people,{}", n, names.base));
  user->set_uid(fmt::format("user{}", n));
  user->set_common_name(fmt::format("User Number {}", n));
  user->set_surname(version == 1 ? "Changed" : "Number");
  if (version != 2) user->set_description(fmt::format("version {}", version));
  user->mutable_mail()->add_values(fmt::format("user{}@example.com", n));
  return user;
}

std::unique_ptr<Message> DirectoryGroup(const Names& names, int n, int version) {
  auto group = std::make_unique<kinds::DirectoryGroup>();
  group->set_dn(fmt::format("cn=group{},ou=groups,{}", n, names.base));
  if (version != 2) group->set_description(fmt::format("version {}", version));
  return group;
}

std::unique_ptr<Message> Ou(const Names& names, int n, int version) {
  auto ou = std::make_unique<kinds::Ou>();
  ou->set_dn(fmt::format("ou=part{},{}", n, names.base));
  if (version != 2) ou->set_description(fmt::format("version {}", version));
  return ou;
}

std::unique_ptr<Message> Membership(const Names& names, int n) {
  auto membership = std::make_unique<kinds::Membership>();
  membership->set_group(fmt::format("cn=group0,ou=groups,{}", names.base));
  membership->set_member(fmt::format("uid=user{},ou=people,{}", n, names.base));
  return membership;
}

// An ed25519 key in form: its blob is a digest of the number, which no daemon checks before a
// login.
std::unique_ptr<Message> SshKey(const Names& names, int n) {
  constexpr std::string_view kHead("\0\0\0\x0bssh-ed25519\0\0\0\x20", 19);
  const base::Digest point = base::Sha256(fmt::format("key {}", n));
  const std::string blob =
      std::string(kHead) + std::string(reinterpret_cast<const char*>(point.data()), point.size());
  const base::Digest digest = base::Sha256(blob);
  std::string fingerprint =
      base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  fingerprint.erase(fingerprint.find('='));
  auto key = std::make_unique<kinds::SshKey>();
  key->set_server(names.server);
  key->set_login("login0");
  key->set_fingerprint("SHA256:" + fingerprint);
  key->set_public_key("ssh-ed25519 " + base::Base64(blob));
  return key;
}

std::unique_ptr<Message> ServerGroup(const Names& names, int n, int version) {
  auto group = std::make_unique<kinds::ServerGroup>();
  group->set_server(names.server);
  group->set_name(fmt::format("group{}", n));
  group->set_gid(40000 + n + 5000 * version);
  return group;
}

std::unique_ptr<Message> ServerMembership(const Names& names, int n) {
  auto membership = std::make_unique<kinds::ServerMembership>();
  membership->set_server(names.server);
  membership->set_group("group0");
  membership->set_login(fmt::format("login{}", n));
  return membership;
}

std::unique_ptr<Message> Folder(const Names& names, int n, int version) {
  auto folder = std::make_unique<kinds::Folder>();
  folder->set_host(names.host);
  folder->set_path(fmt::format("{}/folder{}", names.root, n));
  folder->set_mode(version == 1 ? 0750 : 0770);
  return folder;
}

std::unique_ptr<Message> Grant(const Names& names, int n, int version) {
  auto grant = std::make_unique<kinds::Grant>();
  grant->set_server(names.server);
  grant->set_path(fmt::format("{}/folder{}", names.root, n));
  grant->set_depth("subtree");
  grant->set_subject("account:login0");
  grant->set_rights(version == 1 ? 3 : 1);
  return grant;
}

std::unique_ptr<Message> Job(int n, int version) {
  auto job = std::make_unique<kinds::Job>();
  job->set_name(fmt::format("export.job-{}", n));
  job->set_spec(fmt::format("{{\n \"version\": {}\n}}\n", version));
  job->set_timer(fmt::format("[Timer]\nOnCalendar=*-*-* 0{}:00:00\n", version));
  job->set_service(fmt::format("[Service]\nExecStart=/bin/true {}\n", n));
  job->set_enabled(version != 1);
  return job;
}

}  // namespace

std::unique_ptr<Message> SampleOf(const Names& names, Kind kind, int n, int version) {
  switch (kind) {
    case Kind::kOu:
      return Ou(names, n, version);
    case Kind::kUser:
      return User(names, n, version);
    case Kind::kDirectoryGroup:
      return DirectoryGroup(names, n, version);
    case Kind::kMembership:
      return Membership(names, n);
    case Kind::kAccount:
      return Account(names, n, version);
    case Kind::kSshKey:
      return SshKey(names, n);
    case Kind::kServerGroup:
      return ServerGroup(names, n, version);
    case Kind::kServerMembership:
      return ServerMembership(names, n);
    case Kind::kFolder:
      return Folder(names, n, version);
    case Kind::kGrant:
      return Grant(names, n, version);
    case Kind::kJob:
      return Job(n, version);
    case Kind::kNativeRule:
    case Kind::kServerConfig:
    case Kind::kSession:
    case Kind::kJobRun:
    case Kind::kPasswordPolicy:
      break;
    default:
      return IamSampleOf(names, kind, n, version);
  }
  POSTERN_CHECK(false, "objects of this kind are only observed or ended");
}

}  // namespace postern::conformance
