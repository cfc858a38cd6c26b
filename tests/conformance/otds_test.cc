// The OTDS target over a server that keeps to the documented protocol, in this process.
//
// One server for the whole binary: each test begins with the first world.
#include <fmt/format.h>

#include <algorithm>

#include "providers/iam/otds/otds.h"
#include "schemas/kinds.pb.h"
#include "tests/conformance/samples.h"
#include "tests/conformance/suite.h"
#include "tests/support/otds.h"

namespace postern::conformance {
namespace {

using nlohmann::json;
using support::Otds;

Otds& Server() {
  static Otds server({.users = 3, .groups = 1, .synchronized = 1});
  return server;
}

// Requests by the stock curl, as the system's administrator.
class Hand {
 public:
  support::HttpAnswer Ask(const std::string& method, const std::string& path, const json& body) {
    if (ticket_.empty()) {
      ticket_ = "none yet";
      const json who = {{"userName", Otds::kAdmin}, {"password", Otds::kPassword}};
      ticket_ = Ask("POST", "/authentication/credentials", who).Json()["ticket"];
    }
    return support::Ask({.method = method,
                         .url = Server().url() + "/otdsws/rest" + path,
                         .headers = {"Content-Type: application/json", "OTDSTicket: " + ticket_},
                         .body = body.is_null() ? "" : body.dump()});
  }

 private:
  std::string ticket_;
};

std::string Encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string Login(const std::string& name) {
  return name.substr(0, name.rfind('@'));
}

class OtdsWorld : public World {
 public:
  OtdsWorld() {
    names_.partition = "@Corp";
    Server().Reset();
    Server().Set("recycled_names", "free");
    declared_.set_name("corp");
    declared_.set_url(Server().url() + "/otdsws/rest");
    declared_.set_product("otds");
    declared_.mutable_auth()->set_client_id(Otds::kClient);
    declared_.mutable_auth()->set_client_secret("secret:iam");
    declared_.mutable_manage()->mutable_partitions()->add_values("Corp");
  }

  std::string WhyOff(Feature feature, Kind kind) const override {
    const bool edge = kind == Kind::kIamMembership;
    switch (feature) {
      case Feature::kStableIds:
        return edge ? "a membership is its key and has no id" : "";
      case Feature::kRename:
        return edge                         ? "a membership is its key"
               : kind == Kind::kOauthClient ? "no call that renames an OAuth client is documented"
                                            : "";
      case Feature::kValues:
      case Feature::kClear:
        return edge ? "a membership has no field beside its key" : "";
      case Feature::kUnreadable:
        return "OTDS answers whole objects";
      case Feature::kCutShort:
        return "tests/live/iam cuts listings short";
      case Feature::kLostAnswer:
        return "the provider reads by itself after a lost answer: tests/live/iam";
      case Feature::kDeath:
        return "it runs in the test's own process";
      case Feature::kWho:
        return "OTDS doesn't say who changed an object";
      default:
        return "";
    }
  }
  Result<std::unique_ptr<object::Target>> Connect() override {
    return iam::OpenOtds(declared_, {{"iam", Otds::kClientSecret}});
  }
  std::unique_ptr<Message> Sample(Kind kind, int n, int version) const override {
    return IamSampleOf(names_, kind, n, version);
  }
  void Prepare(Kind kind, int first, int last) override {
    if (kind != Kind::kIamMembership) return;
    if (!prepared_) Put("groups", "group 0", json::object());
    prepared_ = true;
    json names = json::array();
    for (int n = first; n <= last; ++n) names.push_back(fmt::format("user{}", n));
    Server().Control("POST", "/users", {{"partition", "Corp"}, {"names", names}});
  }
  void HandPut(const Message& message) override {
    const object::Object object = object::Encode(message);
    if (object.kind == Kind::kIamMembership) {
      const auto edge = object::DecodeAs<kinds::IamMembership>(object.body);
      Server().Control("POST", "/memberships",
                       {{"group", edge.set().substr(6)}, {"member", edge.member().substr(5)}});
    } else if (object.kind == Kind::kIamUser) {
      PutUser(object::DecodeAs<kinds::IamUser>(object.body));
    } else if (object.kind == Kind::kIamGroup) {
      const auto group = object::DecodeAs<kinds::IamGroup>(object.body);
      Put("groups", Login(group.name()), {{"description", group.description()}});
    } else if (object.kind == Kind::kIamRole) {
      const auto role = object::DecodeAs<kinds::IamRole>(object.body);
      Put("roles", role.name(), {{"description", role.description()}}, "OAuthClients");
    } else {
      PutClient(object::DecodeAs<kinds::OauthClient>(object.body));
    }
  }
  void HandDelete(Kind kind, const std::string& key) override {
    const std::string entry = Encoded(Login(key) + "@Corp");
    const std::string path = kind == Kind::kIamUser    ? "/users/" + entry
                             : kind == Kind::kIamGroup ? "/groups/" + entry
                             : kind == Kind::kIamRole  ? "/roles/" + Encoded(key + "@OAuthClients")
                                                       : "/oauthclients/" + Encoded(key);
    EXPECT_EQ(hand_.Ask("DELETE", path, nullptr).status, 204) << path;
  }
  uint32_t MakeUnreadable(Kind, const std::string&) override {
    ADD_FAILURE();
    return 0;
  }
  void CutShort(Kind, int) override { FAIL(); }
  void LoseAnswers(int) override { FAIL(); }
  void DieAfter(int) override { FAIL(); }
  void Mend() override {}

 private:
  // Creates; an object of that name goes first, as a hand at the console would do.
  void Put(const std::string& kind, const std::string& name, json body,
           const std::string& partition = "Corp") {
    body["partition"] = partition;
    body["name"] = name;
    const std::string path = "/" + kind + "/" + Encoded(name + "@" + partition);
    if (hand_.Ask("GET", path, nullptr).status == 200) hand_.Ask("DELETE", path, nullptr);
    Server().Control("POST", "/" + kind, body);
  }
  void PutUser(const kinds::IamUser& user) {
    json values = json::array();
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) values.push_back({{"name", name}, {"values", {value}}});
    };
    add("givenName", user.given_name());
    add("sn", user.family_name());
    add("displayName", user.display_name());
    add("title", user.title());
    add("mail", user.mail().values(0));
    add("accountDisabled", user.active() ? "False" : "True");
    Put("users", Login(user.user_name()), {{"values", values}});
  }
  void PutClient(const kinds::OauthClient& client) {
    const std::string path = "/oauthclients/" + Encoded(client.client_id());
    if (hand_.Ask("GET", path, nullptr).status == 200) hand_.Ask("DELETE", path, nullptr);
    json body = {{"id", client.client_id()},
                 {"confidential", client.confidential()},
                 {"redirectURLs", client.redirect_urls().values()},
                 {"allowedScopes", client.scopes().values()},
                 {"accessTokenLifeTime", client.access_token_seconds()},
                 {"secret", "from another hand"}};
    if (client.has_description()) body["description"] = client.description();
    EXPECT_EQ(hand_.Ask("POST", "/oauthclients", body).status, 200);
  }

  Names names_;
  decl::Iam declared_;
  Hand hand_;
  bool prepared_ = false;
};

// No second Param with an unreadable bystander: OTDS answers whole objects.
std::vector<Param> All() {
  std::vector<Param> params;
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership, Kind::kIamRole,
                          Kind::kOauthClient}) {
    params.push_back({"otds", kind, false, [] { return std::make_unique<OtdsWorld>(); }});
  }
  return params;
}

INSTANTIATE_TEST_SUITE_P(Otds, Conformance, testing::ValuesIn(All()), ParamName);

// Far below what a case asks on average: a comparison of fewer has left requests out.
constexpr size_t kRequestsOfACase = 5;

// After all of them: nothing was asked but what is documented, or is known as a guess.
class Documented : public testing::Environment {
 public:
  void TearDown() override {
    const Otds::Comparison all = Server().CompareRequests();
    for (const std::string& text : all.undocumented) ADD_FAILURE() << text;
    const int cases = testing::UnitTest::GetInstance()->test_to_run_count();
    EXPECT_GE(all.compared, kRequestsOfACase * static_cast<size_t>(std::max(cases - 1, 0)));
  }
};
const auto* const kDocumented = testing::AddGlobalTestEnvironment(new Documented);

}  // namespace
}  // namespace postern::conformance
