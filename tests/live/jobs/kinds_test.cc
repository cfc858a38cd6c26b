// What an export can hold beside people: groups, memberships, roles and the users of a partition,
// of real sources, each row set equal to what the source itself shows.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/live/jobs/job.h"
#include "tests/support/otds.h"
#include "tests/support/scim.h"

namespace postern::jobs {
namespace {

using live::Job;
using live::PeopleLdif;
using live::Uid;
using nlohmann::json;
using support::RunResult;
using support::Slapd;
using testing::SizeIs;

using Rows = std::set<std::string>;

std::string PersonDn(int n) {
  return fmt::format("uid={},{}", Uid(n), Slapd::kPeople);
}

std::string GroupLdif(const std::string& name, const std::vector<std::string>& members) {
  std::string ldif =
      fmt::format("dn: cn={0},{1}\nobjectClass: groupOfNames\ncn: {0}\n", name, Slapd::kPeople);
  ldif += "description: who does " + name + "\n";
  for (const std::string& member : members) ldif += "member: " + member + "\n";
  return ldif + "\n";
}

// Three, of which one is in another.
std::string Groups() {
  const std::string inner = "cn=inner," + std::string(Slapd::kPeople);
  return GroupLdif("inner", {PersonDn(4), PersonDn(5)}) +
         GroupLdif("orders", {PersonDn(0), PersonDn(1), inner}) + GroupLdif("bills", {PersonDn(2)});
}

// DN, a tab and a value of the attribute, a line for each that ldapsearch shows.
Rows ValuesOf(Slapd& slapd, const std::string& attribute) {
  Rows rows;
  std::istringstream found(slapd.Search(Slapd::kPeople, "(objectClass=groupOfNames)", {attribute}));
  std::string dn;
  for (std::string line; std::getline(found, line);) {
    if (line.starts_with("dn: ")) dn = line.substr(4);
    if (line.starts_with(attribute + ": "))
      rows.insert(dn + "\t" + line.substr(attribute.size() + 2));
  }
  return rows;
}

class KindsOf : public testing::Test {
 protected:
  KindsOf() { EXPECT_TRUE(place_.Start()); }

  // What the delivered file has, the columns with a tab between.
  Rows Delivered(Job& job, const std::string& what, const std::vector<std::string>& columns) {
    job.Export().set_what(what);
    job.Export().mutable_format()->set_type("jsonl");
    job.Export().mutable_deliver()->set_name("rows.jsonl");
    for (const std::string& column : columns) job.Column(column, column)->set_key(true);
    job.Install();
    const RunResult run = job.Run();
    EXPECT_EQ(run.exit, 0) << run.out << run.err;
    Rows rows;
    std::istringstream in(support::ReadFile(place_.folder() + "/rows.jsonl"));
    for (std::string line; std::getline(in, line);) {
      const json row = json::parse(line);
      if (!row.contains(columns.front())) continue;
      std::string text;
      for (const std::string& column : columns) {
        text += (text.empty() ? "" : "\t") + row.at(column).get<std::string>();
      }
      EXPECT_TRUE(rows.insert(text).second) << "twice: " << text;
    }
    return rows;
  }

  LivePlace place_{"sftp"};
};

TEST_F(KindsOf, ADirectorysGroupsAndMemberships) {
  struct Case {
    const char *what, *key, *attribute;
    size_t rows;
  };
  Slapd slapd({.ldif = PeopleLdif(6) + Groups()});
  for (const Case& one :
       {Case{"groups", "dn", "description", 3}, Case{"memberships", "group", "member", 6}}) {
    SCOPED_TRACE(one.what);
    Job job(place_);
    job.From(slapd);
    const Rows shown = ValuesOf(slapd, one.attribute);
    ASSERT_THAT(shown, SizeIs(one.rows));
    EXPECT_EQ(Delivered(job, one.what, {one.key, one.attribute}), shown);
    for (const std::string& file : job.Arrived()) {
      std::filesystem::remove(place_.folder() + "/" + file);
    }
  }
}

TEST_F(KindsOf, OneGroupsMembershipsAlone) {
  Slapd slapd({.ldif = PeopleLdif(6) + Groups()});
  Job job(place_);
  job.From(slapd);
  job.Export().mutable_select()->set_group("cn=bills," + std::string(Slapd::kPeople));
  const Rows rows = Delivered(job, "memberships", {"group", "member"});
  EXPECT_EQ(rows, Rows{"cn=bills," + std::string(Slapd::kPeople) + "\t" + PersonDn(2)});
}

class ScimKinds : public KindsOf {
 protected:
  void From(Job* job) const {
    job->Export().mutable_from()->add_values("iam:hr");
    decl::Iam& iam = *job->spec.add_iams();
    iam.set_name("hr");
    iam.set_url(server_.url());
    iam.mutable_auth()->set_token("secret:scim");
    job->Secret("scim", job->scratch_.Write("scim.token", support::ScimServer::kToken, 0600));
  }
  json All(const std::string& list) {
    return server_.Call("GET", list + "?count=200").Json()["Resources"];
  }

  support::ScimServer server_{{.users = 20, .groups = 4}};
};

TEST_F(ScimKinds, AnIamSystemsGroups) {
  Rows shown;
  for (const json& group : All("/Groups")) shown.insert(group["displayName"]);
  ASSERT_THAT(shown, SizeIs(4));
  Job job(place_);
  From(&job);
  EXPECT_EQ(Delivered(job, "groups", {"name"}), shown);
}

TEST_F(ScimKinds, AnIamSystemsMemberships) {
  std::map<std::string, std::string> names;
  for (const json& user : All("/Users")) names[user["id"]] = user["userName"];
  Rows shown;
  for (const json& group : All("/Groups")) {
    for (const json& member : group.value("members", json::array())) {
      shown.insert("group:" + group["displayName"].get<std::string>() +
                   "\tuser:" + names.at(member["value"]));
    }
  }
  ASSERT_FALSE(shown.empty());
  Job job(place_);
  From(&job);
  EXPECT_EQ(Delivered(job, "memberships", {"set", "member"}), shown);
}

class OtdsKinds : public KindsOf {
 protected:
  void From(Job* job) {
    job->Export().mutable_from()->add_values("iam:corp");
    decl::Iam& iam = *job->spec.add_iams();
    iam.set_name("corp");
    iam.set_url(server_.url() + "/otdsws/rest");
    iam.set_product("otds");
    iam.mutable_auth()->set_client_id(support::Otds::kClient);
    iam.mutable_auth()->set_client_secret("secret:iam");
    for (const char* partition : {"Corp", "Partners"}) {
      iam.mutable_manage()->mutable_partitions()->add_values(partition);
    }
    job->Secret("iam", job->scratch_.Write("iam", support::Otds::kClientSecret, 0600));
  }

  support::Otds server_{{.users = 12, .groups = 2, .synchronized = 2}};
};

TEST_F(OtdsKinds, RolesAreThoseOfTheServer) {
  const json names = {"auditors", "approvers"};
  server_.Control("POST", "/roles", {{"partition", "OAuthClients"}, {"names", names}});
  Job job(place_);
  From(&job);
  EXPECT_EQ(Delivered(job, "roles", {"name"}), (Rows{"approvers", "auditors"}));
}

TEST_F(OtdsKinds, OnePartitionsUsersAlone) {
  const json names = {"ann", "ben", "cem"};
  server_.Control("POST", "/users", {{"partition", "Partners"}, {"names", names}});
  Job job(place_);
  From(&job);
  job.Export().mutable_select()->set_partition("Partners");
  // With those whom the server begins with, one of whom is in Corp by the same login, too.
  EXPECT_EQ(Delivered(job, "users", {"user_name"}),
            (Rows{"ann@Partners", "ben@Partners", "cem@Partners", "corp000001@Partners",
                  "ana.silva@example.test@Partners"}));
  job.Export().mutable_select()->set_partition("Corp");
  job.Export().mutable_deliver()->set_name("corp.jsonl");
  job.Install();
  const RunResult run = job.Postern({"run", "--slot", "2026-03-03T02:30:00Z", "--json"});
  ASSERT_EQ(run.exit, 0) << run.out << run.err;
  EXPECT_EQ(json::parse(run.out)["slots"][0]["file_rows"], 12);
}

}  // namespace
}  // namespace postern::jobs
