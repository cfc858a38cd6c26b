// Samples of what IAM systems hold.
#include <fmt/format.h>

#include "schemas/kinds.pb.h"
#include "tests/conformance/samples.h"

namespace postern::conformance {
namespace {

std::unique_ptr<Message> User(const Names& names, int n, int version) {
  auto user = std::make_unique<kinds::IamUser>();
  user->set_user_name(fmt::format("user{}{}", n, names.partition));
  user->set_given_name("User");
  user->set_family_name(version == 1 ? "Changed" : "Number");
  user->set_display_name(fmt::format("User {}, version {}", n, version == 2 ? 0 : version));
  if (version != 2) user->set_title(fmt::format("version {}", version));
  user->mutable_mail()->add_values(fmt::format("user{}@example.com", n));
  user->set_active(version != 1);
  return user;
}

std::unique_ptr<Message> Group(const Names& names, int n, int version) {
  auto group = std::make_unique<kinds::IamGroup>();
  group->set_name(fmt::format("group {}{}", n, names.partition));
  if (version != 2) group->set_description(fmt::format("version {}", version));
  return group;
}

std::unique_ptr<Message> Role(int n, int version) {
  auto role = std::make_unique<kinds::IamRole>();
  role->set_name(fmt::format("role {}", n));
  if (version != 2) role->set_description(fmt::format("version {}", version));
  return role;
}

std::unique_ptr<Message> AccessRole(int n, int version) {
  auto role = std::make_unique<kinds::IamAccessRole>();
  role->set_name(fmt::format("Access to system {}", n));
  if (version != 2) role->set_push_all_groups(version == 1);
  return role;
}

std::unique_ptr<Message> Membership(const Names& names, int n) {
  auto membership = std::make_unique<kinds::IamMembership>();
  membership->set_set(fmt::format("group:group 0{}", names.partition));
  membership->set_member(fmt::format("user:user{}{}", n, names.partition));
  return membership;
}

std::unique_ptr<Message> Client(int n, int version) {
  auto client = std::make_unique<kinds::OauthClient>();
  client->set_client_id(fmt::format("client{}", n));
  if (version != 2) client->set_description(fmt::format("version {}", version));
  client->set_confidential(false);
  client->mutable_redirect_urls()->add_values(fmt::format("https://{}.example.com/", n));
  client->mutable_scopes()->add_values(version == 1 ? "write" : "read");
  client->set_access_token_seconds(1000);
  return client;
}

}  // namespace

std::unique_ptr<Message> IamSampleOf(const Names& names, Kind kind, int n, int version) {
  switch (kind) {
    case Kind::kIamUser:
      return User(names, n, version);
    case Kind::kIamGroup:
      return Group(names, n, version);
    case Kind::kIamMembership:
      return Membership(names, n);
    case Kind::kIamRole:
      return Role(n, version);
    case Kind::kIamAccessRole:
      return AccessRole(n, version);
    case Kind::kOauthClient:
      return Client(n, version);
    default:
      return nullptr;
  }
}

}  // namespace postern::conformance
