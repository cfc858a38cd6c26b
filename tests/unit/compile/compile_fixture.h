// tests/unit/compile/compile_fixture.h: two servers of a host, a directory, and people with
// accounts.
#pragma once
#include <string>
#include <vector>

#include "schemas/kinds.pb.h"
#include "tests/unit/compile/written.h"

namespace postern::compile {

inline constexpr char kOperator[] = R"(
administrators = ["person:jo"]
[host.edge]
address = "memory:world"
manage = { roots = ["/srv"] }
[server.ftp]
host = "edge"
product = "proftpd"
uids = { from = 30000, to = 30009, gid = 30000 }
[server.two]
host = "edge"
product = "proftpd"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
manage = { bases = ["dc=x"] }
)";

inline constexpr char kSshKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBy3otpbFTntrN+OZL/Dkr8kDrnedX7KaB+ravpl/iKE";
inline constexpr char kOtherKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICRr/7PrJLAzPHVLSet145r3B/cxB5AUgopFZbkH2IiJ";

inline constexpr char kPeople[] = R"(
[person.jo]
[person.al]
[partner.acme]
contract = { starts = 2026-01-01, ends = 2026-12-31 }
[account.jo-in]
for = "person:jo"
server = "ftp"
home = "/srv"
[account.al-in]
for = "person:al"
server = "ftp"
home = "/srv"
[account.acme-in]
for = "partner:acme"
server = "ftp"
home = "/srv/acme"
[account.al-two]
for = "person:al"
server = "two"
home = "/srv"
[folder.d]
host = "edge"
path = "/srv/d"
[folder.acme]
host = "edge"
path = "/srv/acme/in"
[group.inner]
members = ["person:al"]
[group.ops]
members = ["person:jo", "group:inner"]
)";

class CompileTest : public WrittenTest {
 protected:
  CompileTest() { facts_.now = *base::ParseInstant("2026-06-01T00:00:00Z"); }

  // The people above and `more`.
  Desired Read(const std::string& more) {
    const config::Loaded loaded = Load(operator_, kPeople + more);
    return Compile(loaded.declarations, loaded.sources, {{"proftpd", &product_}}, facts_);
  }
  static std::vector<std::string> Codes(const Desired& desired) {
    std::vector<std::string> codes;
    for (const auto& diagnostic : desired.diagnostics.all()) codes.push_back(diagnostic.code);
    return codes;
  }
  // "ftp /srv/d subtree account:jo-in list"
  static std::vector<std::string> Rows(const Desired& desired) {
    std::vector<std::string> rows;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind != object::Kind::kGrant) continue;
      const auto row = object::DecodeAs<kinds::Grant>(object.body);
      if (row.subject() == "everyone") continue;  // the deny-all, see WritesDenyAll...
      rows.push_back(row.server() + " " + row.path() + " " + row.depth() + " " + row.subject() +
                     " " + access::Format(access::Rights(row.rights())));
    }
    return rows;
  }
  static kinds::Account AccountNamed(const Desired& desired, const char* login) {
    const auto* object =
        desired.Find("host:edge")
            ->Find(object::Kind::kAccount, object::MakeKey(object::Kind::kAccount, {"ftp", login}));
    return object == nullptr ? kinds::Account() : object::DecodeAs<kinds::Account>(object->body);
  }
  static std::string Grant(const std::string& who, const std::string& more = "",
                           const std::string& rights = "\"list\"",
                           const std::string& folder = "d") {
    return "[[grant]]\nwho = [\"" + who + "\"]\nfolder = \"" + folder + "\"\nrights = [" + rights +
           "]\n" + more + "\n";
  }

  std::string operator_ = kOperator;
  Facts facts_;
};

}  // namespace postern::compile
