// The program itself over an OTDS: plan, apply, an empty second plan, a leaver, drift by another
// hand, and no secret anywhere.
#include <fmt/format.h>

#include <filesystem>

#include "tests/live/iam/otds/world.h"
#include "tests/support/command.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using support::RunResult;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kSecret = "canary-of-the-client-batch";

class OtdsProgram : public OtdsTest {
 protected:
  OtdsProgram() {
    Operator(Server().url() + "/otdsws/rest");
    Access(true);
  }
  void Operator(const std::string& url) {
    scratch_.Write("operator/postern.toml", fmt::format(R"(administrators = ["person:li.wong"]
[iam.corp]
url     = "{}"
product = "otds"
auth    = {{ client_id = "postern", client_secret = "secret:otds" }}
manage  = {{ partitions = ["Corp"] }}
[secret.otds]
from = "env:OTDS_SECRET"
[secret.batch]
from = "env:BATCH_SECRET"
)",
                                                        url));
  }
  void Access(bool jo_is_active) {
    scratch_.Write("access/iam.toml", fmt::format(R"([person."li.wong"]
[iam_user.li]
for  = "person:li.wong"
iam  = "corp"
mail = ["li@example.test"]
[iam_user.jo]
iam    = "corp"
active = {}
[iam_group."press"]
iam     = "corp"
members = ["person:li.wong", "iam_user:jo"]
[iam_role.publish]
iam     = "corp"
members = ["iam_group:press"]
[oauth_client.batch]
iam    = "corp"
secret = "secret:batch"
scopes = ["read"]
)",
                                                  jo_is_active));
  }
  RunResult Postern(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), POSTERN);
    RunResult result = support::RunCommand(
        arguments, {.env = {{"OTDS_SECRET", Otds::kClientSecret}, {"BATCH_SECRET", kSecret}},
                    .cwd = scratch_.path()});
    said_ += result.out + result.err;
    return result;
  }

  support::Scratch scratch_;
  std::string said_;
};

TEST_F(OtdsProgram, FromNothingToALeaver) {
  const RunResult doctor = Postern({"providers", "doctor"});
  EXPECT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
  EXPECT_THAT(doctor.out, HasSubstr("unconfirmed on this server"));
  const RunResult first = Postern({"apply", "--yes"});
  ASSERT_EQ(first.exit, 0) << first.out << first.err;
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0) << said_;
  EXPECT_EQ(Server().Control("GET", "/users/li%40Corp")["groups"], json{"press@Corp"});

  // By another hand: jo is taken out of the group.
  Server().Control("POST", "/memberships",
                   {{"member", "jo@Corp"}, {"group", "press@Corp"}, {"add", false}});
  const RunResult drift = Postern({"drift"});
  EXPECT_EQ(drift.exit, 2) << drift.out;
  EXPECT_THAT(drift.out, HasSubstr("jo"));
  EXPECT_EQ(Postern({"apply", "--yes"}).exit, 0) << said_;

  Access(false);
  const RunResult leaver = Postern({"apply", "--yes"});
  EXPECT_EQ(leaver.exit, 0) << leaver.out << leaver.err;
  EXPECT_EQ(Server().Control("GET", "/users/jo%40Corp")["disabled"], true);
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0) << said_;

  EXPECT_THAT(said_, Not(HasSubstr(kSecret)));
  EXPECT_THAT(said_, Not(HasSubstr(Otds::kClientSecret)));
  for (const auto& file : std::filesystem::recursive_directory_iterator(scratch_.path())) {
    if (!file.is_regular_file()) continue;
    const std::string text = support::ReadFile(file.path());
    EXPECT_EQ(text.find(kSecret), std::string::npos) << file.path();
    EXPECT_EQ(text.find(Otds::kClientSecret), std::string::npos) << file.path();
  }
}

// A user of OTDS is asked for by name where a list lacks him: seven who live are missing, and stay.
TEST_F(OtdsProgram, WhoIsMissingFromAListIsAskedForByHimself) {
  support::HttpProxy proxy({.upstream = Server().url() + "/otdsws/rest"});
  Operator(proxy.url());
  std::string users = "[person.\"li.wong\"]\n";
  for (int n = 1; n <= 7; ++n) users += fmt::format("[iam_user.missed{}]\niam = \"corp\"\n", n);
  scratch_.Write("access/iam.toml", users);
  ASSERT_EQ(Postern({"apply", "--yes"}).exit, 0) << said_;
  proxy.Rule({{"fault", "edit"},
              {"path", "/users\\?page_size"},
              {"set", {"users"}},
              {"value", json::array()}});
  proxy.ClearRequests();
  const RunResult run = Postern({"plan", "--json"});
  const json plan = json::parse(run.out, nullptr, false);
  ASSERT_FALSE(plan.is_discarded()) << said_;
  for (const json& change : plan["changes"]) EXPECT_NE(change.value("held", ""), "") << change;
  EXPECT_THAT(run.out, HasSubstr("the listing lacked iam user missed7"));
  for (int n = 1; n <= 7; ++n) {
    int asked = 0;
    for (const json& request : proxy.Requests()) {
      const std::string path = request["path"];
      asked += path.find(fmt::format("/users/missed{}", n)) != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(asked, 1) << n;
  }
  proxy.ClearRules();
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0) << said_;
}

// An access role is declared, and lets in a unit besides: the plan takes the unit out, and says who
// loses the resource by that.
TEST_F(OtdsProgram, WhoComesInByAUnitIsNamed) {
  MakeResource("ftp");
  ASSERT_EQ(Postern({"apply", "--yes"}).exit, 0) << said_;
  Server().Set("access_role_units", true);
  Server().Set("unit_users", "corp000002@Corp");
  scratch_.Write("access/ftp.toml",
                 "[iam_access_role.ftp]\niam = \"corp\"\ntitle = \"Access to ftp\"\n"
                 "members = [\"iam_user:jo\"]\n");
  const RunResult plan = Postern({"plan"});
  EXPECT_THAT(plan.out,
              testing::AllOf(HasSubstr("Lose access"), HasSubstr("corp000002"),
                             HasSubstr("access role Access to ftp"), HasSubstr("unit press@Corp")))
      << plan.out;
  EXPECT_EQ(Postern({"apply", "--yes"}).exit, 0) << said_;
  EXPECT_EQ(Postern({"plan", "--detailed-exitcode"}).exit, 0) << said_;
}

}  // namespace
}  // namespace postern::iam
