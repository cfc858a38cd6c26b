// Who we are, how that ends, and a server that isn't up yet. Facts: iam-governance 1.1, 1.5 (10,
// 12).
#include "tests/live/iam/otds/world.h"

namespace postern::iam {
namespace {

using testing::HasSubstr;
using testing::Not;

class OtdsSession : public OtdsTest {
 protected:
  // A page of 250 is one request: enough pages that something can happen between them.
  void ManyPages() {
    json names = json::array();
    for (int n = 0; n < 900; ++n) names.push_back("many" + std::to_string(n));
    Server().Control("POST", "/users", {{"partition", "Corp"}, {"names", names}});
  }
};

TEST_F(OtdsSession, ClientCredentialsFromTheTokenUrlBesideRest) {
  const Seen seen = See({Kind::kIamUser});
  ASSERT_TRUE(seen.ok) << seen.error.message;
  EXPECT_TRUE(seen.Scope(Kind::kIamUser).complete) << seen.Scope(Kind::kIamUser).reason;
  EXPECT_THAT(Requests("POST"), testing::ElementsAre("POST /otdsws/oauth2/token"));
  EXPECT_EQ(target().ProbeTarget()->identity, "postern@OAuthClients");
}

TEST_F(OtdsSession, TicketOfALogin) {
  LogInAs(Otds::kAdmin, Otds::kPassword);
  EXPECT_TRUE(See({Kind::kIamGroup}).Scope(Kind::kIamGroup).complete);
  EXPECT_THAT(Requests("POST"),
              testing::ElementsAre("POST /otdsws/rest/authentication/credentials"));
}

TEST_F(OtdsSession, BearerToken) {
  const json who = {{"userName", Otds::kAdmin}, {"password", Otds::kPassword}};
  declared().clear_auth();
  declared().mutable_auth()->set_token("secret:token");
  secrets_["token"] =
      support::Ask({.method = "POST",
                    .url = Server().url() + "/otdsws/rest/authentication/credentials",
                    .headers = {"Content-Type: application/json"},
                    .body = who.dump()})
          .Json()["token"];
  EXPECT_TRUE(See({Kind::kIamGroup}).Scope(Kind::kIamGroup).complete);
}

TEST_F(OtdsSession, WrongSecretIsSaidOnceAndNothingIsWritten) {
  LogInAs(Otds::kAdmin, "wrong");
  const Seen seen = See({Kind::kIamUser});
  EXPECT_FALSE(seen.ok);
  EXPECT_EQ(seen.error.code, ErrorCode::kAuthentication) << seen.error.message;
  EXPECT_THAT(seen.error.message, Not(HasSubstr("wrong")));
  EXPECT_EQ(Requests("POST").size(), 1u) << "an account that locks must not be tried again";
  secrets_["iam"] = "wrong";
  declared().clear_auth();
  declared().mutable_auth()->set_client_id(Otds::kClient);
  declared().mutable_auth()->set_client_secret("secret:iam");
  Open();
  EXPECT_EQ(See({Kind::kIamUser}).error.code, ErrorCode::kAuthentication);
}

TEST_F(OtdsSession, ALoginThatNeedsAFurtherStepCantLogInUnattended) {
  Server().Set("continuation", true);
  LogInAs(Otds::kAdmin, Otds::kPassword);
  const Seen seen = See({Kind::kIamUser});
  EXPECT_EQ(seen.error.code, ErrorCode::kAuthentication);
  EXPECT_THAT(seen.error.message, HasSubstr("further login step"));
}

TEST_F(OtdsSession, TheOlderLoginIsDetectedAndNotMixed) {
  Server().Set("old_login", true);
  LogInAs(Otds::kAdmin, Otds::kPassword);
  ASSERT_TRUE(See({Kind::kIamGroup}).ok);
  Server().ExpireTickets();
  ASSERT_TRUE(See({Kind::kIamGroup}).ok);
  EXPECT_THAT(Requests("POST"), testing::ElementsAre("POST /otdsws/rest/authentication/credentials",
                                                     "POST /otdsws/v1/authentication/credentials",
                                                     "POST /otdsws/v1/authentication/credentials"));
  bool told = false;
  const auto probe = target().ProbeTarget();
  for (const object::Setting& setting : probe->settings) {
    told |= setting.name == "login" && setting.value.find("/otdsws/v1") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

TEST_F(OtdsSession, BothExpiryAnswersInTheMiddleOfAnEnumeration) {
  ManyPages();
  for (const char* form : {"400", "401", "alternate"}) {
    Server().Set("expiry", form);
    LogInAs(Otds::kAdmin, Otds::kPassword);
    Open();
    ASSERT_TRUE(Read(Kind::kIamUser, {"corp000001@Corp"}).answer == Answer::kValue);
    struct Expiring final : object::ObjectSink {
      bool Add(const object::ObjectView&) override {
        if (++seen == 300 || seen == 600) Server().ExpireTickets();
        return true;
      }
      int seen = 0;
    } sink;
    const Kind kinds[] = {Kind::kIamUser};
    const auto scopes = target().Enumerate(kinds, sink);
    ASSERT_TRUE(scopes) << scopes.error().message;
    EXPECT_TRUE(scopes->front().complete) << form << ": " << scopes->front().reason;
    EXPECT_EQ(sink.seen, 940 + 2 + 4);
  }
}

TEST_F(OtdsSession, BothExpiryAnswersInTheMiddleOfAnApply) {
  for (const char* form : {"400", "401"}) {
    Server().Set("expiry", form);
    LogInAs(Otds::kAdmin, Otds::kPassword);
    Open();
    const auto user = User(std::string("expired-") + form + "@Corp", "Editor");
    const object::Operation create = Operation(user);
    Server().ExpireTickets();
    EXPECT_EQ(Apply({create}).front().status, Status::kApplied);
    Server().Fault({{"kind", "expired"}, {"method", "PATCH"}, {"path", "/users/"}});
    auto changed = user;
    changed.set_title("Publisher");
    EXPECT_EQ(Put(changed).status, Status::kApplied);
    EXPECT_EQ(Requests("PATCH").size(), 2u) << "refused and written anew, once";
    Server().Control("DELETE", "/requests");
  }
}

// A ticket that is never accepted: once anew, then an error.
TEST_F(OtdsSession, RenewsOnceThenFails) {
  LogInAs(Otds::kAdmin, Otds::kPassword);
  Server().Set("ticket_life", -1);
  for (const char* form : {"400", "401"}) {
    Server().Control("DELETE", "/requests");
    Server().Set("expiry", form);
    Open();
    EXPECT_EQ(See({Kind::kIamUser}).error.code, ErrorCode::kAuthentication);
    EXPECT_EQ(Requests("POST").size(), 2u);
  }
}

TEST_F(OtdsSession, WhoIsNoAdministratorDecidesNothing) {
  Ask("PUT", "/users/corp000001%40Corp/password", {{"newPassword", "Secret-1234"}});
  LogInAs("corp000001@Corp", "Secret-1234");
  const auto probe = target().ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->checks.front().name, "privileges");
  EXPECT_FALSE(probe->checks.front().ok);
  const Seen seen = See({Kind::kIamUser});
  ASSERT_TRUE(seen.ok) << seen.error.message;
  EXPECT_FALSE(seen.Scope(Kind::kIamUser).complete);
  EXPECT_FALSE(seen.Scope(Kind::kIamUser).sentinel_seen);
}

TEST_F(OtdsSession, WaitsForAServerThatStarts) {
  Otds slow({.users = 3, .groups = 1, .synchronized = 1, .slow_start = 1});
  declared().set_url(slow.url() + "/otdsws/rest");
  LogInAs(Otds::kAdmin, Otds::kPassword);
  HttpLimits limits = Quick();
  limits.retry.first_delay = std::chrono::milliseconds(200);
  auto opened = iam::Open(declared(), secrets_, limits);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto probe = (*opened)->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->identity, "otadmin@otds.admin");
  EXPECT_THAT(slow.CompareRequests().undocumented, testing::IsEmpty());
}

TEST_F(OtdsSession, APageForBrowsersAtStartIsNoObjectAndNoAbsence) {
  Server().Fault({{"kind", "html"}, {"status", 503}, {"count", 100}});
  const Seen seen = See({Kind::kIamUser});
  EXPECT_EQ(seen.error.code, ErrorCode::kUnavailable) << seen.error.message;
  EXPECT_THAT(seen.error.message, HasSubstr("page for browsers"));
  Server().Control("DELETE", "/faults");
  ASSERT_EQ(Read(Kind::kIamUser, {"corp000001@Corp"}).answer, Answer::kValue);
  for (const int status : {200, 404, 500}) {
    Server().Fault({{"kind", "html"}, {"status", status}, {"path", "/users/"}, {"count", 20}});
    const auto answer = Read(Kind::kIamUser, {"corp000001@Corp"});
    EXPECT_EQ(answer.answer, Answer::kUnreadable) << status;
    EXPECT_THAT(answer.reason, HasSubstr("page for browsers"));
    Server().Control("DELETE", "/faults");
  }
}

// Times of facts and ends of tickets are compared with ours.
TEST_F(OtdsSession, TheServersClockIsMeasured) {
  const auto clock = [&](int64_t ahead) {
    Server().Set("clock_ahead", ahead);
    Open();
    return std::pair(target().ProbeTarget()->clock_skew_ms, CheckNamed("clock"));
  };
  EXPECT_EQ(clock(0).first, 0);
  EXPECT_TRUE(clock(0).second.ok);
  const auto [ahead, said_ahead] = clock(3600);
  EXPECT_NEAR(static_cast<double>(ahead), 3'600'000, 5'000);
  EXPECT_FALSE(said_ahead.ok);
  EXPECT_THAT(said_ahead.found, HasSubstr("ahead of ours"));
  const auto [behind, said_behind] = clock(-120);
  EXPECT_NEAR(static_cast<double>(behind), -120'000, 5'000);
  EXPECT_THAT(said_behind.found, HasSubstr("behind ours"));
}

TEST_F(OtdsSession, TheWayToATenantIsFreeText) {
  Otds tenant({.users = 3, .groups = 1, .synchronized = 1, .prefix = "/otdstenant/acme"});
  declared().set_url(tenant.url() + "/otdsws/rest");
  EXPECT_TRUE(See({Kind::kIamUser}).Scope(Kind::kIamUser).complete);
  EXPECT_GT(tenant.CompareRequests().compared, 5u);
  EXPECT_THAT(tenant.CompareRequests().undocumented, testing::IsEmpty());
}

TEST_F(OtdsSession, DeclarationsThatCantWork) {
  const auto refused = [&](const std::string& part) {
    const auto opened = iam::Open(declared(), secrets_, Quick());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(opened.error().message, HasSubstr(part));
  };
  const decl::Iam good = declared();
  declared().set_url(Server().url() + "/otdsws");
  refused("/otdsws/rest");
  declared() = good;
  declared().clear_manage();
  refused("manage.partitions");
  declared() = good;
  declared().mutable_auth()->set_login("x");
  refused("one of");
  declared() = good;
  declared().mutable_auth()->set_client_secret("secret:none");
  refused("has no value");
}

}  // namespace
}  // namespace postern::iam
