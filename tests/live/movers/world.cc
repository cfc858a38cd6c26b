#include "tests/live/movers/world.h"

#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using nlohmann::json;

constexpr char kEnterprise[] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
constexpr char kKeys[] = "urn:ietf:params:scim:schemas:extension:sshkeys:2.0:User";
constexpr char kTree[] = R"(
[role.marketing]
owner = "person:root"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["sftp", "ftp"], home = "/srv/exchange", keys_from = "iam" }
rows = [{ folder = "in", rights = ["list", "read"] }]

[role.sales]
owner = "person:root"
members = [{ iam = "hr", where = { department = "Sales" } }]
account = { servers = ["sftp", "ftp"], home = "/srv/exchange", keys_from = "iam" }
rows = [{ folder = "out", rights = ["list", "read"] }]
)";

}  // namespace

std::string Movers::Sources() const {
  return fmt::format(R"(
[iam.hr]
url = "{}"
auth = {{ token = "secret:scim" }}
ssh_keys = "{}:keys"

[directory.corp]
url = "{}"
bind = {{ dn = "{}", password = "secret:ldap" }}
tls = {{ start = false }}
manage = {{ bases = ["{}"], foreign = "ignore" }}

[identity]
join = {{ iam = "externalId", directory = "employeeNumber" }}
active = "all"

[secret.scim]
from = "env:SCIM_TOKEN"
targets = ["iam:hr"]

[secret.ldap]
from = "env:LDAP_PASSWORD"
targets = ["directory:corp"]
)",
                     proxy_.url(), kKeys, slapd_.url(), support::Slapd::kBindDn,
                     support::Slapd::kPeople);
}

void Movers::SetUp() {
  ::setenv("SCIM_TOKEN", support::ScimServer::kToken, 1);   // NOLINT(concurrency-mt-unsafe)
  ::setenv("LDAP_PASSWORD", support::Slapd::kPassword, 1);  // NOLINT(concurrency-mt-unsafe)
  // Scimmy's own people work elsewhere: their departments are taken out of the story.
  const json all = scim_.Call("GET", "/Users?count=100").Json();
  for (const json& user : all["Resources"]) {
    scim_.Call("DELETE", "/Users/" + user["id"].get<std::string>());
  }
  TwoServers::SetUp();
  world_->Declare(SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) + kTree);
  world_->ApplyAll();
}

void Movers::Hire(const std::string& name, const std::string& department, bool active) {
  const std::string number = fmt::format("E{:04}", ++hired_);
  const std::string key = "/srv/clients/" + name;
  support::MakeSshKey("ed25519", key);
  const auto created = scim_.Call(
      "POST", "/Users",
      {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
       {"userName", name},
       {"externalId", number},
       {"active", active},
       {kEnterprise, {{"department", department}, {"employeeNumber", number}}},
       {kKeys, {{"keys", json::array({support::PublicKeyOf(key + ".pub") + " " + name})}}}});
  ASSERT_EQ(created.status, 201) << created.body;
  ids_[name] = created.Json()["id"];
  const std::string person =
      support::Slapd::PersonLdif(name, "employeeNumber: " + number + "\nuserPassword: secret\n");
  const size_t first = person.find('\n') + 1;
  slapd_.Modify(person.substr(0, first) + "changetype: add\n" + person.substr(first));
}

void Movers::Patch(const std::string& name, const json& operation) {
  const auto answer = scim_.Call("PATCH", "/Users/" + ids_.at(name),
                                 {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
                                  {"Operations", json::array({operation})}});
  ASSERT_TRUE(answer.status == 200 || answer.status == 204) << answer.status << answer.body;
}

void Movers::Move(const std::string& name, const std::string& department) {
  Patch(name, {{"op", "replace"},
               {"path", std::string(kEnterprise) + ":department"},
               {"value", department}});
}

void Movers::Leave(const std::string& name) {
  ASSERT_EQ(scim_.Call("DELETE", "/Users/" + ids_.at(name)).status, 204);
  slapd_.Modify(fmt::format("dn: uid={},{}\nchangetype: delete\n", name, support::Slapd::kPeople));
}

void Movers::SetActive(const std::string& name, bool active) {
  Patch(name, {{"op", "replace"}, {"path", "active"}, {"value", active}});
}

void Movers::LockInDirectory(const std::string& name) {
  slapd_.Modify(
      fmt::format("dn: uid={},{}\nchangetype: modify\nadd: pwdAccountLockedTime\n"
                  "pwdAccountLockedTime: 000001010000Z\n",
                  name, support::Slapd::kPeople));
}

void Movers::UnlockInDirectory(const std::string& name) {
  slapd_.Modify(fmt::format("dn: uid={},{}\nchangetype: modify\ndelete: pwdAccountLockedTime\n",
                            name, support::Slapd::kPeople));
}

void Movers::CutSource() {
  proxy_.Rule({{"fault", "cut-before"}});
}

void Movers::MendSource() {
  proxy_.ClearRules();
}

json Movers::Plan() const {
  const auto run = world_->Postern({"plan", "--json"});
  json plan = json::parse(run.out, nullptr, false);
  EXPECT_FALSE(plan.is_discarded()) << run.out << run.err;
  return plan;
}

bool Movers::Sftp(const std::string& name, uint16_t port, const std::string& file) const {
  return support::RunCommand(
             {"sftp", "-q", "-b", "-", "-F", "/dev/null", "-P", std::to_string(port), "-i",
              "/srv/clients/" + name, "-oBatchMode=yes", "-oIdentitiesOnly=yes",
              "-oIdentityAgent=none", "-oStrictHostKeyChecking=no",
              "-oUserKnownHostsFile=/dev/null", name + "@127.0.0.1"},
             "get " + file + " /dev/null\n")
             .exit == 0;
}

bool Movers::GetsAtSshd(const std::string& name, const std::string& file) const {
  return Sftp(name, world_->port(), file);
}

bool Movers::GetsAtFtp(const std::string& name, const std::string& file) const {
  return Sftp(name, ftp_.sftp_port(), file);
}

}  // namespace postern::live
