// Whom a listing lacks without anything to be seen of it: who lives stays, who is gone goes, and
// it is an answer about each by itself that says which.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/live/scim/estate.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using support::HttpProxy;
using support::RunResult;
using support::ScimServer;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// Twelve users, of whom a listing lacks seven: as members of a role, or as declared users.
class ScimMissing : public testing::TestWithParam<bool> {
 protected:
  ScimMissing()
      : server_({.users = 12, .groups = 0}),
        proxy_({.upstream = server_.url()}),
        estate_(proxy_.url(), Estate::kEdge) {
    for (int n = 1; n <= 7; ++n) missing_.insert(fmt::format("u{:06}", n));
  }
  bool in_role() const { return GetParam(); }

  void SetUp() override {
    in_role() ? estate_.DeclareRole() : estate_.DeclareUsers(12);
    const RunResult applied = estate_.Postern({"apply", "--yes"});
    ASSERT_EQ(applied.exit, 0) << applied.out << applied.err;
    ASSERT_EQ(estate_.Postern({"plan", "--detailed-exitcode"}).exit, 0);
    const json page = Listing();
    for (const json& user : page["Resources"]) {
      if (missing_.contains(user["userName"])) ids_[user["userName"]] = user["id"];
    }
    ASSERT_EQ(ids_.size(), missing_.size());
  }
  json Listing() const { return server_.Call("GET", "/Users?startIndex=1&count=200").Json(); }
  // The listing is a right one of the five others from now on.
  void Hide() {
    json page = Listing();
    json others = json::array();
    for (const json& user : page["Resources"]) {
      if (!missing_.contains(user["userName"])) others.push_back(user);
    }
    page["totalResults"] = page["itemsPerPage"] = others.size();
    page["Resources"] = std::move(others);
    proxy_.Rule({{"fault", "answer"}, {"path", "Users\\?startIndex"}, {"body", page}});
  }
  // How often each of the seven was asked for by id since the requests were cleared.
  std::map<std::string, int> AskedById() {
    std::map<std::string, int> asked;
    for (const json& request : proxy_.Requests()) {
      const std::string path = request["path"];
      for (const auto& [name, id] : ids_) asked[name] += path.ends_with("/Users/" + id) ? 1 : 0;
    }
    return asked;
  }
  int Listings() {
    const json requests = proxy_.Requests();
    return static_cast<int>(std::count_if(requests.begin(), requests.end(), [](const json& one) {
      const std::string path = one["path"];
      return path.find("/Users?startIndex=") != path.npos && !path.ends_with("&count=1");
    }));
  }
  // Nothing is planned but what is held.
  void ExpectNothingPlanned() {
    const json plan = estate_.Plan();
    for (const json& change : plan["changes"]) {
      EXPECT_NE(change.value("held", ""), "") << change;
    }
    EXPECT_THAT(plan["access"]["lost"], IsEmpty());
  }

  // What the plan says of the targets that weren't read in full.
  std::string WhyIncomplete() {
    std::string why;
    const json plan = estate_.Plan();
    for (const json& target : plan["targets"]) why += target["incomplete"].dump();
    return why;
  }

  ScimServer server_;
  HttpProxy proxy_;
  Estate estate_;
  std::set<std::string> missing_;
  std::map<std::string, std::string> ids_;  // of the seven
};

TEST_P(ScimMissing, WhoLivesStays) {
  Hide();
  proxy_.ClearRequests();
  ExpectNothingPlanned();
  EXPECT_THAT(AskedById(), Each(Pair(testing::_, 1)));
  EXPECT_EQ(Listings(), 1);
  EXPECT_THAT(WhyIncomplete(), HasSubstr("the listing lacked iam user u000007, which is there"));
  proxy_.ClearRequests();
  estate_.Postern({"apply", "--yes"});
  for (const json& request : proxy_.Requests()) EXPECT_EQ(request["method"], "GET") << request;
  proxy_.ClearRules();
  EXPECT_EQ(estate_.Postern({"plan", "--detailed-exitcode"}).exit, 0);
}

TEST_P(ScimMissing, WhoIsGoneGoes) {
  for (const auto& [name, id] : ids_) {
    ASSERT_EQ(server_.Call("DELETE", "/Users/" + id).status, 204);
  }
  proxy_.ClearRequests();
  const json plan = estate_.Plan();
  std::set<std::string> named, locked;
  for (const json& change : plan["changes"]) {
    EXPECT_EQ(change.value("held", ""), "") << change;
    named.merge(NamedIn(change, missing_));
    if (change["kind"] != "account") continue;
    EXPECT_TRUE(Takes(change)) << change;
    EXPECT_THAT(change.value("cause", ""), HasSubstr("is no longer in corp"));
    locked.merge(NamedIn(change, missing_));
  }
  EXPECT_EQ(named, missing_);
  EXPECT_EQ(locked, in_role() ? missing_ : std::set<std::string>());
  EXPECT_THAT(AskedById(), Each(Pair(testing::_, 1)));
  EXPECT_EQ(Listings(), 1);
}

// What the server doesn't say of one is said of nobody.
TEST_P(ScimMissing, WhoIsNotAnsweredForStays) {
  ASSERT_EQ(server_.Call("DELETE", "/Users/" + ids_["u000002"]).status, 204);
  Hide();
  proxy_.Rule({{"fault", "error"}, {"path", "Users/" + ids_["u000005"]}, {"status", 500}});
  ExpectNothingPlanned();
}

// Another name, and missing from the listing as well: neither there nor gone.
TEST_P(ScimMissing, WhoGotAnotherNameMeanwhileStays) {
  Hide();
  const auto renamed = server_.Call(
      "PATCH", "/Users/" + ids_["u000007"],
      {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
       {"Operations", {{{"op", "replace"}, {"path", "userName"}, {"value", "jo.hart"}}}}});
  ASSERT_EQ(renamed.status / 100, 2) << renamed.body;
  ExpectNothingPlanned();
  EXPECT_THAT(WhyIncomplete(), HasSubstr("it is there as user \\\"jo.hart\\\""));
}

// Something on the way says 404 of everybody, also of those whom the server lists.
TEST_P(ScimMissing, A404OfEverybodyTakesNobody) {
  Hide();
  const json nobody = {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:Error"}},
                       {"status", "404"}};
  proxy_.Rule({{"fault", "answer"}, {"path", "Users/"}, {"status", 404}, {"body", nobody}});
  ExpectNothingPlanned();
  EXPECT_THAT(WhyIncomplete(), HasSubstr("whom it lists"));
  proxy_.ClearRules();
  Hide();
  proxy_.Rule({{"fault", "html"}, {"path", "Users/"}, {"status", 404}});
  ExpectNothingPlanned();
}

// Some servers list only who is active: whose no it is can be asked, and it holds nothing up.
TEST_P(ScimMissing, WhoIsOutOfTheListAndInactiveIsInactive) {
  for (const auto& [name, id] : ids_) {
    const auto off =
        server_.Call("PATCH", "/Users/" + id,
                     {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
                      {"Operations", {{{"op", "replace"}, {"path", "active"}, {"value", false}}}}});
    ASSERT_EQ(off.status / 100, 2) << off.body;
  }
  Hide();
  const json plan = estate_.Plan();
  std::set<std::string> locked;
  for (const json& change : plan["changes"]) {
    EXPECT_EQ(change.value("held", ""), "") << change;
    if (change["kind"] == "account") locked.merge(NamedIn(change, missing_));
  }
  EXPECT_EQ(locked, in_role() ? missing_ : std::set<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Both, ScimMissing, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "MembersOfARole" : "DeclaredUsers");
});

// 50 of 1,000 are deleted while they are listed and as many new ones come: the total stands still,
// everything that is promised comes once, and 50 who live are missing all the same. Nobody of them
// loses anything; who is gone loses it by the next plan.
TEST(ScimTrap, ReplacementsDuringAPlanTakeNobodyWhoLives) {
  constexpr int kUsers = 1000, kReplaced = 50;
  const int runs = FullCampaign() ? 50 : 2;
  std::mt19937 random(17);
  ScimServer server({.users = kUsers, .groups = 0});
  Estate estate(server.url(), Estate::kEdge);
  estate.DeclareRole();
  const RunResult first = estate.Postern({"apply", "--yes"});
  ASSERT_EQ(first.exit, 0) << first.out << first.err;
  std::set<std::string> members = Living(server);
  std::erase_if(members,
                [](const std::string& name) { return std::stoi(name.substr(1)) % 50 == 0; });
  const auto by_id = [&] { return server.Requests().value("GET /scim/Users/ID", 0); };
  for (int run = 0; run < runs; ++run) {
    SCOPED_TRACE(run);
    server.Reset();
    server.ReplaceDuringWalk(1 + static_cast<int>(random() % 4), kReplaced);
    const int before = by_id();
    const json during = estate.Plan();
    EXPECT_GT(by_id() - before, kReplaced / 2) << "the trap didn't close: nobody was missing";
    const std::set<std::string> living = Living(server);
    ASSERT_EQ(living.size(), static_cast<size_t>(kUsers));
    std::set<std::string> gone = members;
    for (const std::string& name : living) gone.erase(name);
    ASSERT_GT(gone.size(), static_cast<size_t>(kReplaced / 2)) << "the trap didn't close";
    for (const json& change : during["changes"]) {
      EXPECT_TRUE(!Takes(change) || NamedIn(change, living).empty()) << change;
    }
    std::set<std::string> taken;
    const json after = estate.Plan();
    for (const json& change : after["changes"]) {
      if (Takes(change)) taken.merge(NamedIn(change, members));
    }
    EXPECT_EQ(taken, gone) << "a listing in peace";
  }
}

}  // namespace
}  // namespace postern::iam
