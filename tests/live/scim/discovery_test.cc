// What a server says of itself and who we are there: endpoints, extensions, its clock; each way to
// prove a name, through the provider as it is opened for the core.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <ctime>

#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Kind;
using object::Status;
using support::HttpProxy;
using support::ScimServer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const object::Check* CheckNamed(const object::Probe& probe, const std::string& name) {
  for (const object::Check& check : probe.checks) {
    if (check.name == name) return &check;
  }
  return nullptr;
}

std::string SettingNamed(const object::Probe& probe, const std::string& name) {
  for (const object::Setting& row : probe.settings) {
    if (row.name == name) return row.value + " by " + row.origin;
  }
  return "none";
}

json TypesAnswer(const std::string& users, const json& extensions) {
  const json user = {{"schema", "urn:ietf:params:scim:schemas:core:2.0:User"},
                     {"endpoint", users},
                     {"schemaExtensions", extensions}};
  const json group = {{"schema", "urn:ietf:params:scim:schemas:core:2.0:Group"},
                      {"endpoint", "/Groups"}};
  return {{"fault", "answer"},
          {"path", "/ResourceTypes"},
          {"status", 200},
          {"body", {{"totalResults", 2}, {"Resources", {user, group}}}}};
}

const json kEnterprise =
    json::array({{{"schema", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}}});

class ScimDiscovery : public testing::Test {
 protected:
  object::Probe Probed() {
    corp_.Open();
    auto probe = corp_.target->ProbeTarget();
    EXPECT_TRUE(probe) << probe.error().message;
    return probe ? *probe : object::Probe();
  }
  size_t Asked(const std::string& path) {
    size_t count = 0;
    for (const json& request : proxy_.Requests()) {
      count += request["path"].get<std::string>().find(path) != std::string::npos ? 1 : 0;
    }
    return count;
  }

  ScimServer server_{{.users = 20, .groups = 2}};
  HttpProxy proxy_{{.upstream = server_.url()}};
  Opened corp_{proxy_.url()};
};

// Users live elsewhere at this one: read, written and found there.
TEST_F(ScimDiscovery, EndpointsAreThoseOfResourceTypes) {
  size_t people = 20;
  for (const std::string& said : {std::string("/v1/People"), proxy_.url() + "/v1/People/"}) {
    proxy_.ClearRules();
    proxy_.Rule(TypesAnswer(said, kEnterprise));
    proxy_.Rule({{"fault", "map"}, {"path", "/v1/People"}, {"to", "/Users"}});
    EXPECT_EQ(SettingNamed(Probed(), "users"), "/v1/People by discovery") << said;
    proxy_.ClearRequests();
    corp_.Enumerate();
    EXPECT_EQ(corp_.Count(Kind::kIamUser), people);
    EXPECT_EQ(corp_.Count(Kind::kIamMembership), 20u);
    people = 21;
    kinds::IamUser user;
    user.set_user_name("jo.hart");
    const auto made = corp_.ApplyOne(Opened::Change(user));
    EXPECT_TRUE(made.status == Status::kApplied || made.status == Status::kAlreadySo)
        << made.message;
    // The address that the proxy passed on stands in its log.
    EXPECT_EQ(Asked("/Users"), Asked("/scim/Users"));
  }
  EXPECT_EQ(
      server_.Call("GET", "/Users?filter=userName%20eq%20%22jo.hart%22").Json()["totalResults"], 1);
}

TEST_F(ScimDiscovery, AnEndpointElsewhereIsNotBelieved) {
  for (const char* said : {"http://127.0.0.1:9/Users", "../../Users", "//other/Users", "/Users?x=1",
                           "/Us\u202Eers", ""}) {
    proxy_.ClearRules();
    proxy_.Rule(TypesAnswer(said, kEnterprise));
    const object::Probe probe = Probed();
    EXPECT_THAT(SettingNamed(probe, "users"), HasSubstr("/Users by")) << said;
    EXPECT_THAT(CheckNamed(probe, "ResourceTypes")->found,
                AllOf(HasSubstr("is no endpoint below the url"), Not(HasSubstr("\u202E"))))
        << said;
    corp_.Enumerate();
    EXPECT_EQ(corp_.Count(Kind::kIamUser), 20u) << said;
  }
}

// What the server's users don't have is told before a plan wants it.
TEST_F(ScimDiscovery, ExtensionsThatUsersDoNotHave) {
  const auto unsupported = [](const object::Probe& probe) {
    std::vector<std::string> fields;
    for (const object::Capability& row : probe.capabilities) {
      if (row.kind == "iam_user" && row.support == "unsupported") fields.push_back(row.field);
    }
    return fields;
  };
  EXPECT_TRUE(unsupported(Probed()).empty());
  proxy_.Rule(TypesAnswer("/Users", json::array()));
  corp_.declared.set_ssh_keys("urn:ietf:params:scim:schemas:extension:sshkeys:2.0:User:keys");
  const object::Probe probe = Probed();
  EXPECT_THAT(unsupported(probe), testing::ElementsAre("employee_number", "department", "division",
                                                       "organization", "cost_center"));
  ASSERT_NE(CheckNamed(probe, "ssh_keys"), nullptr);
  EXPECT_FALSE(CheckNamed(probe, "ssh_keys")->ok);
  EXPECT_THAT(CheckNamed(probe, "ssh_keys")->found, HasSubstr("have no extension"));
}

TEST_F(ScimDiscovery, TheServersClockIsMeasured) {
  const object::Probe right = Probed();
  EXPECT_EQ(right.clock_skew_ms, 0);
  EXPECT_TRUE(CheckNamed(right, "clock")->ok);
  const auto dated = [&](int64_t seconds) {
    const time_t at = ::time(nullptr) + seconds;
    char text[64];
    tm parts{};
    ::gmtime_r(&at, &parts);
    ::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    proxy_.ClearRules();
    proxy_.Rule({{"fault", "answer"},
                 {"path", "ServiceProviderConfig"},
                 {"status", 200},
                 {"headers", {{"Content-Type", "application/json"}, {"Date", text}}},
                 {"body", "{}"}});
    return Probed();
  };
  const object::Probe ahead = dated(3600);
  EXPECT_NEAR(static_cast<double>(ahead.clock_skew_ms), 3'600'000, 5'000);
  EXPECT_FALSE(CheckNamed(ahead, "clock")->ok);
  EXPECT_THAT(CheckNamed(ahead, "clock")->found, HasSubstr("ahead of ours"));
  const object::Probe behind = dated(-120);
  EXPECT_NEAR(static_cast<double>(behind.clock_skew_ms), -120'000, 5'000);
  EXPECT_THAT(CheckNamed(behind, "clock")->found, HasSubstr("behind ours"));
}

TEST_F(ScimDiscovery, ALoginAndItsPassword) {
  corp_.declared.clear_auth();
  corp_.declared.mutable_auth()->set_login("postern");
  corp_.declared.mutable_auth()->set_password("secret:corp-token");
  EXPECT_EQ(Probed().identity, "login postern");
  corp_.Enumerate();
  EXPECT_EQ(corp_.Count(Kind::kIamUser), 20u);
  corp_.secrets["corp-token"] = "not-the-password";
  corp_.Open();
  proxy_.ClearRequests();
  const auto refused = corp_.target->ProbeTarget();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAuthentication);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("does not accept"), Not(HasSubstr("not-the-password"))));
  EXPECT_LE(proxy_.Requests().size(), 2u) << "an account that locks must not be ours";
}

TEST_F(ScimDiscovery, ClientCredentialsAreCachedAndRenewedOnce) {
  const auto tokens = [&] { return server_.Requests().value("POST /oauth2/token", 0); };
  for (const bool in_form : {false, true}) {
    SCOPED_TRACE(in_form ? "the secret in the form" : "the secret in a header");
    corp_.declared.clear_auth();
    decl::IamAuth& auth = *corp_.declared.mutable_auth();
    auth.set_client_id("postern");
    auth.set_client_secret("secret:corp-token");
    auth.set_token_url(server_.token_url());
    auth.set_in_form(in_form);
    const int before = tokens();
    EXPECT_EQ(Probed().identity, "client postern");
    corp_.Enumerate();
    EXPECT_EQ(corp_.Count(Kind::kIamUser), in_form ? 21u : 20u);
    EXPECT_EQ(tokens() - before, 1) << "one token for all requests";
    server_.ForgetTokens();
    corp_.Enumerate();
    EXPECT_EQ(corp_.Count(Kind::kIamUser), in_form ? 21u : 20u);
    kinds::IamUser user;
    user.set_user_name(in_form ? "form" : "header");
    server_.ForgetTokens();
    EXPECT_EQ(corp_.ApplyOne(Opened::Change(user)).status, Status::kApplied);
    EXPECT_EQ(tokens() - before, 3) << "once for each time that it wasn't accepted";
  }
}

TEST_F(ScimDiscovery, AClientThatIsNotAcceptedIsSaidAndNothingIsWritten) {
  corp_.declared.clear_auth();
  decl::IamAuth& auth = *corp_.declared.mutable_auth();
  auth.set_client_id("postern");
  auth.set_client_secret("secret:corp-token");
  auth.set_token_url(server_.token_url());
  corp_.secrets["corp-token"] = "canary-of-a-secret";
  corp_.Open();
  const auto refused = corp_.target->ProbeTarget();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kAuthentication) << refused.error().message;
  EXPECT_THAT(refused.error().message, Not(HasSubstr("canary")));
  // A token that is given and never accepted: asked for once more, then an error.
  corp_.secrets["corp-token"] = ScimServer::kToken;
  proxy_.Rule({{"fault", "answer"}, {"status", 401}, {"body", ""}});
  corp_.Open();
  const int before = server_.Requests().value("POST /oauth2/token", 0);
  const auto never = corp_.target->ProbeTarget();
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code, ErrorCode::kAuthentication);
  EXPECT_EQ(server_.Requests().value("POST /oauth2/token", 0) - before, 2);
  for (const json& request : proxy_.Requests()) EXPECT_EQ(request["method"], "GET");
}

}  // namespace
}  // namespace postern::iam
