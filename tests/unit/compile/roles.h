// tests/unit/compile/roles.h: facts of an IAM system and a directory, and roles compiled over them.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/compile/identity.h"
#include "schemas/kinds.pb.h"
#include "tests/unit/compile/written.h"

namespace postern::compile {

inline constexpr char kRolesOperator[] = R"(
administrators = ["person:li"]
[host.edge]
address = "memory:world"
manage = { roots = ["/srv"] }
[server.ftp]
host = "edge"
product = "proftpd"
uids = { from = 30000, to = 30099, gid = 30000 }
[iam.hr]
url = "memory:world"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
manage = { bases = ["dc=x"] }
)";

inline constexpr char kJoin[] = R"(
[identity]
join = { iam = "externalId", directory = "employeeNumber" }
active = "all"
)";

inline constexpr char kRolesTree[] = R"(
[person.li]
[folder.d]
host = "edge"
path = "/srv/d"
)";

inline constexpr char kMarketing[] = R"(
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";

struct RolesWorld {
  object::ObjectSet hr, corp, edge;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  std::string hr_held, corp_held, members_held;  // members_held: of hr's groups alone
  bool hr_reached = true, corp_reached = true;
  std::string partners_held;  // a second IAM system, which isn't observed; empty: there is none
  std::optional<bool> partner_active;  // or it has one user, and who that is couldn't be read
  // Of the users and entries that are added next: what couldn't be read, and what else is shown.
  uint64_t unread = 0;
  std::string keys;
  std::vector<std::string> mail;

  RolesWorld& User(const std::string& name, const std::string& department, bool active = true,
                   const std::string& external = "", const std::string& id = "") {
    kinds::IamUser user;
    user.set_user_name(name);
    user.set_department(department);
    user.set_active(active);
    if (!external.empty()) user.set_external_id(external);
    if (!keys.empty()) user.mutable_ssh_keys()->add_values(keys);
    for (const std::string& address : mail) user.mutable_mail()->add_values(address);
    object::Object object = object::Encode(user);
    object.unreadable = unread;
    object.id = id.empty() ? "id-" + name : id;
    hr.Add(object.view());
    return *this;
  }
  RolesWorld& Entry(const std::string& uid, const std::string& number, bool enabled = true) {
    kinds::User user;
    user.set_dn("uid=" + uid + ",ou=people,dc=x");
    user.set_uid(uid);
    user.set_employee_number(number);
    user.set_enabled(enabled);
    for (const std::string& address : mail) user.mutable_mail()->add_values(address);
    object::Object object = object::Encode(user);
    object.unreadable = unread;
    object.id = "entry-" + uid;
    corp.Add(object.view());
    return *this;
  }
  RolesWorld& Member(const std::string& set, const std::string& member) {
    kinds::IamMembership membership;
    membership.set_set(set);
    membership.set_member(member);
    hr.Add(object::Encode(membership).view());
    return *this;
  }
  RolesWorld& Account(const std::string& login, const std::string& owner, uint32_t uid = 30000) {
    kinds::Account account;
    account.set_server("ftp");
    account.set_login(login);
    account.set_enabled(true);
    account.set_home("/srv/" + login);
    account.set_uid(uid);
    const object::Object object = object::Encode(account);
    edge.Add(object.view());
    if (owner.empty()) return *this;
    ledger::Recorded row;
    row.kind = object.kind;
    row.key = object.key;
    row.body = object.body;
    row.owner = owner;
    recorded["host:edge"].push_back(row);
    return *this;
  }
};

class RolesTest : public WrittenTest {
 protected:
  Desired Read(const std::string& tree, RolesWorld& world, const std::string& join = "") {
    loaded_ = Load(kRolesOperator + join, kRolesTree + tree);
    Facts facts;
    facts.now = *base::ParseInstant("2026-06-01T12:00:00Z");
    facts.recorded = &world.recorded;
    for (object::ObjectSet* set : {&world.hr, &world.corp, &world.edge}) set->Sort();
    facts.live["host:edge"] = &world.edge;
    const Reading fine{"", 1, *base::ParseInstant("2026-06-01T10:02:00Z")};
    Reading hr = fine, corp = fine;
    hr.held = world.hr_held;
    corp.held = world.corp_held;
    Reading members = hr;
    if (!world.members_held.empty()) members.held = world.members_held;
    facts.sources = {{"directory:corp", world.corp_reached ? &world.corp : nullptr, corp, corp},
                     {"iam:hr", world.hr_reached ? &world.hr : nullptr, hr, members}};
    object::ObjectSet partners;
    if (world.partner_active) {
      kinds::IamUser user;
      user.set_user_name("p1");
      user.set_active(*world.partner_active);
      object::Object object = object::Encode(user);
      object.unreadable = uint64_t{1} << kinds::IamUser::kExternalIdFieldNumber;
      object.id = "p1";
      partners.Add(object.view());
      partners.Sort();
      facts.sources.push_back({"iam:partners", &partners, fine, fine});
    }
    if (!world.partners_held.empty()) {
      const Reading silent{world.partners_held};
      facts.sources.push_back({"iam:partners", nullptr, silent, silent});
    }
    for (const auto& row : world.recorded["host:edge"]) {
      const auto account = object::DecodeAs<kinds::Account>(row.body);
      facts.uids["ftp"][account.login()] = account.uid();
    }
    return Compile(loaded_.declarations, loaded_.sources, {{"proftpd", &product_}}, facts);
  }
  static std::vector<std::string> Logins(const Desired& desired) {
    std::vector<std::string> out;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind != object::Kind::kAccount) continue;
      out.push_back(object::DecodeAs<kinds::Account>(object.body).login());
    }
    return out;
  }
  static std::vector<std::string> Owners(const Desired& desired) {
    std::vector<std::string> out;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind == object::Kind::kAccount)
        out.push_back(desired.OwnerOfSources(object.sources));
    }
    return out;
  }
  static std::vector<std::string> Whys(const Desired& desired) {
    std::vector<std::string> out;
    for (const RoleNote& note : desired.role_notes) out.push_back(note.why);
    return out;
  }

  config::Loaded loaded_;
};

}  // namespace postern::compile
