// The program itself over a SCIM server: nobody who lives is planned away by a listing that lost
// them, and bad input is said and writes nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <random>

#include "tests/live/scim/estate.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using support::HttpProxy;
using support::RunResult;
using support::ScimServer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// 50 of 1,000 are deleted while they are listed, so that the first walk loses as many who live. Of
// the 600 who are declared the plan has those who are gone made again, and touches nobody else.
TEST(ScimProgram, DeletionsDuringAPlanTakeNobodyWhoLives) {
  constexpr int kUsers = 1000, kDeclared = 600, kDeleted = 50;
  const int runs = FullCampaign() ? 50 : 2;
  std::mt19937 random(11);
  ScimServer server({.users = kUsers, .groups = 0});
  Estate estate(server.url());
  estate.DeclareUsers(kDeclared);
  const RunResult first = estate.Postern({"apply", "--yes"});
  ASSERT_EQ(first.exit, 0) << first.out << first.err;
  for (int run = 0; run < runs; ++run) {
    server.Reset();
    server.DeleteDuringWalk(1 + static_cast<int>(random() % 4), kDeleted);
    const json plan = estate.Plan();
    const std::set<std::string> living = Living(server);
    ASSERT_EQ(living.size(), static_cast<size_t>(kUsers - kDeleted)) << "the trap didn't close";
    for (const json& change : plan["changes"]) {
      EXPECT_FALSE(Takes(change)) << change;
      for (const std::string& name : living) {
        if (change["address"].dump().find(name) != std::string::npos) {
          ADD_FAILURE() << "run " << run << ": " << name << " lives, and is planned: " << change;
        }
      }
    }
    EXPECT_FALSE(plan["changes"].empty()) << "those who are gone are made again";
  }
}

// A listing that never comes to its end: whom it doesn't show is asked for by name, and is there.
TEST(ScimProgram, AnUnstableListingTakesNobody) {
  ScimServer server({.users = 250, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  Estate estate(proxy.url());
  estate.DeclareUsers(250);
  ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  proxy.Rule({{"fault", "edit"},
              {"path", "startIndex=201"},
              {"set", {"Resources"}},
              {"value", json::array()}});
  const json plan = estate.Plan();
  for (const json& change : plan["changes"]) {
    EXPECT_FALSE(change.value("held", "").empty()) << change;
  }
  proxy.ClearRequests();
  estate.Postern({"apply", "--yes"});
  for (const json& request : proxy.Requests()) EXPECT_EQ(request["method"], "GET") << request;
  EXPECT_EQ(Living(server).size(), 250u);
}

struct Bad {
  const char* name;
  json rule;
  std::string words;
};

TEST(ScimProgram, BadInputIsSaidAndNothingIsWritten) {
  ScimServer server({.users = 20, .groups = 1});
  HttpProxy proxy({.upstream = server.url()});
  const auto edit = [](const json& set, const json& value) {
    return json{{"fault", "edit"}, {"path", "Users\\?startIndex"}, {"set", set}, {"value", value}};
  };
  const Bad rows[] = {
      {"wrong secret", {}, "does not accept the bearer token"},
      {"HTML for JSON", {{"fault", "html"}}, "a page for browsers"},
      {"truncated JSON", {{"fault", "truncated"}, {"path", "Users"}}, "no whole JSON document"},
      {"endless body", {{"fault", "endless"}, {"path", "Users"}}, "the answer has more than"},
      {"redirect elsewhere",
       {{"fault", "redirect"}, {"location", "http://127.0.0.1:9/elsewhere"}},
       "another host"},
      {"duplicate userName", edit({"Resources", 0, "userName"}, "u000002"), "is that of several"},
      {"missing id",
       {{"fault", "edit"}, {"path", "Users\\?startIndex"}, {"delete", {"Resources", 0, "id"}}},
       "without an id"},
      {"unknown URN", edit({"Resources", 0, "schemas"}, {"urn:example:Machine"}), "schemas"},
  };
  for (const Bad& row : rows) {
    SCOPED_TRACE(row.name);
    proxy.ClearRules();
    Estate estate(proxy.url());
    estate.DeclareUsers(20);
    ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
    proxy.ClearRequests();
    if (row.rule.is_null()) {
      estate.token = "canary-of-a-wrong-secret";
    } else {
      proxy.Rule(row.rule);
    }
    estate.DeclareUsers(21);  // one would be made
    const RunResult plan = estate.Postern({"plan"});
    EXPECT_THAT(plan.out + plan.err, AllOf(HasSubstr(row.words), Not(HasSubstr("canary"))));
    const RunResult apply = estate.Postern({"apply", "--yes"});
    EXPECT_NE(apply.exit, 0) << apply.out;
    for (const json& request : proxy.Requests()) EXPECT_EQ(request["method"], "GET") << request;
  }
}

TEST(ScimProgram, AnExpiredCertificateIsSaidAndNothingIsAsked) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy expired({.upstream = server.url(), .tls = "expired"});
  Estate estate(expired.url(), fmt::format("ca = \"{}\"\n", expired.ca()));
  estate.DeclareUsers(4);
  const RunResult run = estate.Postern({"apply", "--yes"});
  EXPECT_NE(run.exit, 0);
  EXPECT_THAT(run.out + run.err, HasSubstr("certificate is not accepted"));
  EXPECT_TRUE(expired.Requests().empty());
}

// scimmy answers "nobody" to a filter that it doesn't know: nobody is made twice for it.
TEST(ScimProgram, FiltersThatLieMakeNobodyTwice) {
  ScimServer server({.users = 20, .groups = 0, .unique = false});
  HttpProxy proxy({.upstream = server.url()});
  const json nobody = {{"totalResults", 0}, {"Resources", json::array()}};
  proxy.Rule({{"fault", "answer"}, {"path", "filter="}, {"body", nobody}});
  Estate estate(proxy.url());
  estate.DeclareUsers(21);
  ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
  int made = 0;
  for (const json& request : proxy.Requests()) made += request["method"] == "POST" ? 1 : 0;
  EXPECT_EQ(made, 1) << "the twenty are there, whatever the filter says";
  const RunResult doctor = estate.Postern({"providers", "doctor"});
  EXPECT_THAT(doctor.out, HasSubstr("isn't found"));
}

std::string ExternalIdOf(const ScimServer& server, const std::string& path,
                         const std::string& name) {
  const json all = server.Call("GET", path + "?count=100").Json();
  for (const json& one : all["Resources"]) {
    if (one.value("userName", one.value("displayName", "")) == name) {
      return one.value("externalId", "");
    }
  }
  return "nobody of this name";
}

// Our stable address stands in externalId, at what we made and at what had none, so that whoever
// lost the ledger finds everything again. An id that its source gave somebody stays.
TEST(ScimProgram, OurAddressStandsInExternalId) {
  ScimServer server({.users = 2, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  const std::string text =
      "[person.li]\n[iam_user.u000001]\niam = \"corp\"\n[iam_user.bea]\niam = \"corp\"\n"
      "[iam_user.jo]\niam = \"corp\"\nuser_name = \"jo.hart\"\n"
      "[iam_user.sam]\niam = \"corp\"\nexternal_id = \"HR7\"\n"
      "[iam_group.ops]\niam = \"corp\"\ndisplay_name = \"Operations\"\n"
      "members = [\"iam_user:jo\"]\n";
  const json bea = {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                    {"userName", "bea"}};
  ASSERT_EQ(server.Call("POST", "/Users", bea).status, 201);
  for (const bool first : {true, false}) {
    SCOPED_TRACE(first ? "the first ledger" : "a new one");
    Estate estate(proxy.url());
    estate.Declare(text);
    proxy.ClearRequests();
    const RunResult run = estate.Postern({"apply", "--yes"});
    EXPECT_EQ(run.exit, 0) << run.out << run.err;
    EXPECT_EQ(ExternalIdOf(server, "/Users", "bea"), "iam_user:bea");
    EXPECT_EQ(ExternalIdOf(server, "/Users", "u000001"), "E000001");
    EXPECT_EQ(ExternalIdOf(server, "/Users", "jo.hart"), "iam_user:jo");
    EXPECT_EQ(ExternalIdOf(server, "/Users", "sam"), "HR7");
    EXPECT_EQ(ExternalIdOf(server, "/Users", "u000002"), "E000002") << "nobody's business";
    EXPECT_EQ(ExternalIdOf(server, "/Groups", "Operations"), "iam_group:ops");
    EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
    int writes = 0;
    for (const json& request : proxy.Requests()) writes += request["method"] != "GET" ? 1 : 0;
    EXPECT_EQ(writes > 0, first) << "everything is found by its address";
  }
}

// A group that gets another name keeps its members all the while: one write, no membership touched.
TEST(ScimProgram, ARenamedGroupKeepsItsMembers) {
  ScimServer server({.users = 5, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  Estate estate(proxy.url());
  const auto declare = [&](const std::string& name) {
    std::string text = "[person.li]\n";
    for (int n = 1; n <= 3; ++n) text += fmt::format("[iam_user.u{:06}]\niam = \"corp\"\n", n);
    estate.Declare(text + fmt::format("[iam_group.ops]\niam = \"corp\"\ndisplay_name = \"{}\"\n"
                                      "members = [\"iam_user:u000001\", \"iam_user:u000002\"]\n",
                                      name));
  };
  declare("ops");
  ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  const json before = server.Call("GET", "/Groups").Json()["Resources"][0];
  ASSERT_EQ(before["members"].size(), 2u);
  const auto writes = [&] {
    std::vector<std::string> out;
    for (const json& request : proxy.Requests()) {
      if (request["method"] != "GET") out.push_back(request["method"]);
    }
    proxy.ClearRequests();
    return out;
  };
  writes();
  declare("operations");
  const RunResult renamed = estate.Postern({"apply", "--yes"});
  EXPECT_EQ(renamed.exit, 0) << renamed.out << renamed.err;
  EXPECT_THAT(writes(), testing::ElementsAre("PATCH"));
  const json after = server.Call("GET", "/Groups").Json()["Resources"][0];
  EXPECT_EQ(after["displayName"], "operations");
  EXPECT_EQ(after["id"], before["id"]);
  EXPECT_EQ(after["members"], before["members"]);
  EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
  // By another hand: it gets its name back, and its members stay.
  server.Call("PATCH", "/Groups/" + before["id"].get<std::string>(),
              {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
               {"Operations", {{{"op", "replace"}, {"path", "displayName"}, {"value", "Spies"}}}}});
  writes();
  EXPECT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  EXPECT_THAT(writes(), testing::ElementsAre("PATCH"));
  const json again = server.Call("GET", "/Groups").Json()["Resources"][0];
  EXPECT_EQ(again["displayName"], "operations");
  EXPECT_EQ(again["members"], after["members"]);
  EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
}

// WSO2 has groups so large that it gives them by parts, in no standard's way. A group that can't be
// had whole decides nothing: nobody is put in again, and nobody leaves a role for it.
TEST(ScimProgram, AGroupThatComesInPartsTakesNobody) {
  ScimServer server({.users = 5, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  Estate estate(proxy.url());
  std::string text = "[person.li]\n[iam_group.ops]\niam = \"corp\"\nmembers = [";
  for (int n = 1; n <= 4; ++n) text += fmt::format("\"iam_user:u{:06}\", ", n);
  text += "]\n";
  for (int n = 1; n <= 4; ++n) text += fmt::format("[iam_user.u{:06}]\niam = \"corp\"\n", n);
  estate.Declare(text);
  const RunResult first = estate.Postern({"apply", "--yes"});
  ASSERT_EQ(first.exit, 0) << first.out << first.err;
  json part = server.Call("GET", "/Groups").Json()["Resources"][0];
  ASSERT_EQ(part["members"].size(), 4u);
  part["members"].erase(1);
  const json rules[] = {
      {{"fault", "answer"}, {"path", "Groups/"}, {"status", 206}, {"body", part}},
      {{"fault", "answer"}, {"path", "Groups/"}, {"status", 413}, {"body", ""}},
      {{"fault", "endless"}, {"path", "Groups/"}},
  };
  for (const json& rule : rules) {
    SCOPED_TRACE(rule["fault"].dump() + rule.value("status", json()).dump());
    proxy.ClearRules();
    proxy.Rule(rule);
    proxy.ClearRequests();
    const json plan = estate.Plan();
    for (const json& change : plan["changes"]) {
      EXPECT_FALSE(change.value("held", "").empty()) << change;
    }
    EXPECT_TRUE(plan["access"]["lost"].empty()) << plan["access"];
    const RunResult said = estate.Postern({"plan"});
    EXPECT_THAT(said.out, HasSubstr("incomplete: iam_membership in iam:corp"));
    estate.Postern({"apply", "--yes"});
    for (const json& request : proxy.Requests()) EXPECT_EQ(request["method"], "GET") << request;
  }
  proxy.ClearRules();
  EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
}

// Okta deactivates whom it is told to delete, and lists them as before. Whoever is removed is made
// inactive, stays so past the end of retention, and no plan has anything to do for it.
TEST(ScimProgram, WhereTheDeletedStayALeaverIsPlannedOnce) {
  ScimServer server({.users = 5, .groups = 0});
  HttpProxy proxy({.upstream = server.url(), .like = "okta"});
  Estate estate(proxy.url(), "dialect = { preset = \"okta\" }\nmanage = { retention_days = 10 }\n");
  estate.DeclareUsers(3);
  ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  estate.DeclareUsers(2);
  const RunResult leaves = estate.Postern({"apply", "--yes"});
  ASSERT_EQ(leaves.exit, 0) << leaves.out << leaves.err;
  const auto plan = [&](const std::string& more) {
    std::vector<std::string> arguments = {"plan", "--detailed-exitcode"};
    if (!more.empty()) arguments.insert(arguments.end(), {"--as-of", more});
    return estate.Postern(arguments);
  };
  EXPECT_EQ(plan("").exit, 0) << plan("").out;
  const RunResult later = plan("2099-01-01T00:00:00Z");
  EXPECT_EQ(later.exit, 0) << later.out;
  // By another hand: it is shut again, once.
  const std::string filter = "/Users?filter=userName%20eq%20%22u000003%22";
  const json user = server.Call("GET", filter).Json()["Resources"][0];
  EXPECT_EQ(user["active"], false);
  server.Call("PATCH", "/Users/" + user["id"].get<std::string>(),
              {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
               {"Operations", {{{"op", "replace"}, {"path", "active"}, {"value", true}}}}});
  ASSERT_EQ(estate.Postern({"apply", "--yes"}).exit, 0);
  EXPECT_EQ(server.Call("GET", filter).Json()["Resources"][0]["active"], false);
  EXPECT_EQ(plan("").exit, 0) << plan("").out;
  for (const json& request : proxy.Requests()) EXPECT_NE(request["method"], "DELETE") << request;
  EXPECT_THAT(estate.Postern({"providers", "doctor"}).out,
              HasSubstr("deactivates, does not delete"));
}

// The server goes away in the middle of writing: the rest is written later, nothing twice.
TEST(ScimProgram, GoneInTheMiddleOfAnApply) {
  ScimServer server({.users = 5, .groups = 0, .unique = false});
  HttpProxy proxy({.upstream = server.url()});
  Estate estate(proxy.url());
  estate.DeclareUsers(25);
  proxy.Rule({{"fault", "cut-before"}, {"method", "POST"}, {"skip", 7}});
  const RunResult cut = estate.Postern({"apply", "--yes"});
  EXPECT_NE(cut.exit, 0) << cut.out;
  EXPECT_LT(Living(server).size(), 25u);
  // Each write is done, and none is answered: reads decide.
  proxy.ClearRules();
  proxy.Rule({{"fault", "cut-after"}, {"method", "POST"}, {"count", 5}});
  const RunResult rest = estate.Postern({"apply", "--yes"});
  EXPECT_EQ(rest.exit, 0) << rest.out << rest.err;
  EXPECT_EQ(estate.Postern({"plan", "--detailed-exitcode"}).exit, 0);
  EXPECT_EQ(server.Call("GET", "/Users?count=100").Json()["totalResults"], 25);
  EXPECT_EQ(Living(server).size(), 25u) << "somebody is there twice";
}

}  // namespace
}  // namespace postern::iam
