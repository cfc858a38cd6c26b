// Servers that can't be used, answers that can't be true, and answers that are lost: a diagnostic
// for each, nothing written that wasn't asked for, and nothing twice.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <memory>

#include "core/provider/client.h"
#include "providers/iam/scim/dialect.h"
#include "providers/iam/scim/resource.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/live/scim/opened.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;
using support::HttpProxy;
using support::ScimServer;
using testing::HasSubstr;

// One server for all; each test has its people again.
Bed& Fresh() {
  static auto* const bed = new Bed({.users = 20, .groups = 2});
  bed->server.Reset();
  bed->proxy.ClearRules();
  bed->proxy.ClearRequests();
  return *bed;
}

kinds::IamUser Jo() {
  kinds::IamUser user;
  user.set_user_name("jo.hart");
  user.set_external_id("iam_user:jo");
  user.set_active(true);
  return user;
}

size_t PeopleNamed(const ScimServer& server, const std::string& name) {
  return server.Call("GET", "/Users?filter=userName%20eq%20%22" + name + "%22")
      .Json()["totalResults"];
}

// ---- servers that can't be used
// --------------------------------------------------------------------

struct Trouble {
  json rule;
  std::string words;
};

TEST(ScimTrouble, EachIsNamedAndNothingIsWritten) {
  Bed& bed = Fresh();
  const Trouble rows[] = {
      {{{"fault", "html"}}, "a page for browsers"},
      {{{"fault", "truncated"}, {"path", "Users"}}, "no whole JSON document"},
      {{{"fault", "deep"}, {"path", "Users"}}, "nests deeper"},
      {{{"fault", "endless"}, {"path", "Users"}}, "the answer has more than"},
      {{{"fault", "redirect"}, {"location", "http://127.0.0.1:9/elsewhere"}}, "another host"},
      {{{"fault", "answer"}, {"status", 401}, {"body", ""}}, "renew the secret"},
      {{{"fault", "answer"}, {"status", 403}, {"body", ""}, {"path", "Users"}}, "status 403"},
      {{{"fault", "edit"}, {"set", {"totalResults"}}, {"value", "many"}}, "no totalResults"},
  };
  for (const Trouble& row : rows) {
    bed.proxy.ClearRules();
    bed.proxy.ClearRequests();
    bed.proxy.Rule(row.rule);
    Opened corp(bed.proxy.url());
    std::string said;
    const auto got = corp.target->Enumerate({}, corp);
    if (!got) {
      said = got.error().message;
    } else {
      for (const object::ScopeStatus& status : *got) {
        if (status.kind == Kind::kIamUser) {
          EXPECT_FALSE(status.complete) << row.rule;
          said = status.reason;
        }
        if (status.kind == Kind::kIamMembership) {
          EXPECT_FALSE(status.complete) << row.rule;
        }
      }
    }
    EXPECT_THAT(said, HasSubstr(row.words)) << row.rule;
    // Nobody can say whether jo is there.
    struct List final : object::OutcomeSink {
      void Add(Outcome outcome) override { last = std::move(outcome); }
      Outcome last;
    } list;
    const object::OperationGroup groups[] = {{"", {Opened::Change(Jo())}}};
    if (corp.target->Apply(groups, {}, list)) {
      EXPECT_NE(list.last.status, Status::kApplied) << row.rule;
      EXPECT_FALSE(list.last.message.empty());
    }
    EXPECT_EQ(bed.Writes(), 0) << row.rule;
  }
  EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 0u);
}

TEST(ScimTrouble, CertificatesOfOthers) {
  Bed& bed = Fresh();
  HttpProxy expired({.upstream = bed.server.url(), .tls = "expired"});
  for (const auto& [url, ca, words] :
       {std::tuple(expired.url(), expired.ca(), "certificate is not accepted"),
        std::tuple(expired.url(), std::string(), "ca = names a file")}) {
    Opened corp(url, ca);
    const auto probe = corp.target->ProbeTarget();
    ASSERT_FALSE(probe);
    EXPECT_EQ(probe.error().code, ErrorCode::kUntrusted);
    EXPECT_THAT(probe.error().message, HasSubstr(words));
  }
  EXPECT_TRUE(expired.Requests().empty());
}

// A wrong address answers with a page for browsers: said with the line to write.
TEST(ScimTrouble, TheDoctorShowsAWayOut) {
  Bed& bed = Fresh();
  bed.proxy.Rule({{"fault", "html"}});
  Opened corp(bed.proxy.url());
  const auto probe = corp.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  bool told = false;
  for (const object::Check& check : probe->checks) {
    if (check.name != "users") continue;
    told = true;
    EXPECT_FALSE(check.ok);
    EXPECT_THAT(check.found, HasSubstr("page for browsers"));
    ASSERT_EQ(check.lines_to_add.size(), 1u);
    EXPECT_THAT(check.lines_to_add[0], HasSubstr("url = "));
  }
  EXPECT_TRUE(told);
}

TEST(ScimTrouble, AServerWithoutDiscoveryIsNoTrouble) {
  Bed& bed = Fresh();
  for (const char* path : {"ServiceProviderConfig", "ResourceTypes", "Schemas"}) {
    bed.proxy.Rule({{"fault", "answer"}, {"status", 404}, {"body", ""}, {"path", path}});
  }
  Opened corp(bed.proxy.url());
  const auto probe = corp.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  for (const object::Check& check : probe->checks) EXPECT_TRUE(check.ok) << check.found;
  EXPECT_EQ(probe->identity, "a bearer token");
  EXPECT_EQ(probe->settings.size(), kTraitCount + 2);  // and where users and groups are
  EXPECT_EQ(corp.ApplyOne(Opened::Change(Jo())).status, Status::kApplied);
}

// ---- resources that can't be true
// ----------------------------------------------------------------------

struct Hostile {
  json edit;  // of the first user of the listing
  std::string words;
};

TEST(ScimTrouble, AHostileNameIsNamedAndNothingElseIsLost) {
  Bed& bed = Fresh();
  const Hostile rows[] = {
      {{{"set", {"Resources", 0, "userName"}}, {"value", "jo\u202Etxt"}}, "control or bidi"},
      {{{"set", {"Resources", 0, "userName"}}, {"value", "jo\x1b[2J"}}, "control or bidi"},
      {{{"set", {"Resources", 0, "userName"}},
        {"value",
         "a\x1f"
         "b"}},
       "control or bidi"},
      {{{"set", {"Resources", 0, "userName"}}, {"value", std::string(5000, 'x')}}, "5000 bytes"},
      {{{"set", {"Resources", 0, "userName"}}, {"value", json::array()}}, "no userName"},
      {{{"set", {"Resources", 0, "userName"}}, {"value", "U000002"}}, "is that of several: ids"},
      {{{"delete", {"Resources", 0, "id"}}}, "without an id"},
      {{{"set", {"Resources", 0, "schemas"}}, {"value", {"urn:example:Machine"}}}, "schemas"},
  };
  for (const Hostile& row : rows) {
    bed.proxy.ClearRules();
    json rule = row.edit;
    rule["fault"] = "edit";
    rule["path"] = "Users\\?";
    bed.proxy.Rule(rule);
    Opened corp(bed.proxy.url());
    corp.Enumerate();
    const object::ScopeStatus& people = corp.Status(Kind::kIamUser);
    EXPECT_FALSE(people.complete) << row.edit;
    EXPECT_THAT(people.reason, HasSubstr(row.words));
    EXPECT_EQ(people.reason.find("\u202E"), std::string::npos) << "shown as it is";
    const size_t lost = row.words.find("several") != std::string::npos ? 2 : 1;
    EXPECT_EQ(corp.Count(Kind::kIamUser), 20u - lost) << row.edit;
    EXPECT_EQ(corp.Count(Kind::kIamGroup), 2u);
    EXPECT_TRUE(corp.Status(Kind::kIamGroup).complete);
  }
}

TEST(ScimTrouble, AHostileAttributeIsUnreadableAlone) {
  Bed& bed = Fresh();
  bed.proxy.Rule({{"fault", "edit"},
                  {"path", "Users\\?"},
                  {"set", {"Resources", 0, "displayName"}},
                  {"value", "x\u2066y"}});
  Opened corp(bed.proxy.url());
  corp.Enumerate();
  EXPECT_TRUE(corp.Status(Kind::kIamUser).complete);
  const auto& user = corp.objects.at(UserKey("u000001"));
  EXPECT_EQ(user.unreadable, uint64_t{1} << kinds::IamUser::kDisplayNameFieldNumber);
  EXPECT_FALSE(object::DecodeAs<kinds::IamUser>(user.body).has_display_name());
}

TEST(ScimTrouble, AUserNameTwice) {
  ScimServer server({.users = 5, .groups = 0, .unique = false});
  const json twin = {{"schemas", {kUserUrn}}, {"userName", "U000003"}};
  ASSERT_EQ(server.Call("POST", "/Users", twin).status, 201);
  Opened corp(server.url());
  corp.Enumerate();
  EXPECT_FALSE(corp.Status(Kind::kIamUser).complete);
  EXPECT_THAT(corp.Status(Kind::kIamUser).reason, HasSubstr("is that of several"));
  EXPECT_EQ(corp.Count(Kind::kIamUser), 4u);
  const auto read = corp.Read(UserKey("u000003"));
  EXPECT_EQ(read.answer, Answer::kUnreadable);
  EXPECT_THAT(read.reason, HasSubstr("several have the name"));
  kinds::IamUser wanted;
  wanted.set_user_name("u000003");
  wanted.set_active(false);
  EXPECT_EQ(corp.ApplyOne(Opened::Change(wanted, object::Encode(wanted).body)).status,
            Status::kDenied);
}

// A member that no listing has: asked for by id, once, and then the listing isn't believed.
TEST(ScimTrouble, AMemberThatTheListingLost) {
  Bed& bed = Fresh();
  const json all = bed.server.Call("GET", "/Users?count=20").Json();
  json page = all;
  page["Resources"].erase(0);
  page["totalResults"] = 19;
  bed.proxy.Rule({{"fault", "answer"},
                  {"path", "Users\\?"},
                  {"status", 200},
                  {"headers", {{"Content-Type", "application/scim+json"}}},
                  {"body", page.dump()}});
  Opened corp(bed.proxy.url());
  corp.Enumerate();
  EXPECT_EQ(corp.Count(Kind::kIamMembership), 20u);
  EXPECT_TRUE(corp.objects.contains(MemberKey("group 000", "user:u000001")));
  EXPECT_THAT(corp.Status(Kind::kIamUser).unstable, HasSubstr("the listing didn't give it"));
  EXPECT_FALSE(corp.Status(Kind::kIamMembership).unstable.empty());
  int doubtful = 0;
  for (const json& request : bed.proxy.Requests()) {
    doubtful += request["path"].get<std::string>().find("/Users/") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(doubtful, 1) << "one request for a doubtful object";
}

// ---- answers that are lost
// --------------------------------------------------------------------------------

TEST(ScimTrouble, AWriteWhoseAnswerIsLostIsDecidedByARead) {
  Bed& bed = Fresh();
  kinds::IamGroup team;
  team.set_name("team");
  kinds::IamMembership in;
  in.set_set("group:team");
  in.set_member("user:jo.hart");
  const auto lose = [&](const char* method, const char* how) {
    bed.proxy.ClearRules();
    bed.proxy.ClearRequests();
    bed.proxy.Rule({{"fault", how}, {"method", method}, {"count", 1}});
  };
  for (const char* how : {"cut-after", "cut-before", "truncated"}) {
    SCOPED_TRACE(how);
    bed.server.Reset();
    Opened corp(bed.proxy.url());
    lose("POST", how);
    EXPECT_EQ(corp.ApplyOne(Opened::Change(Jo())).status, Status::kApplied);
    EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 1u);
    EXPECT_EQ(bed.Writes(), how == std::string("cut-before") ? 2 : 1);
    lose("POST", how);
    EXPECT_EQ(corp.ApplyOne(Opened::Change(team)).status, Status::kApplied);
    lose("PATCH", how);
    EXPECT_EQ(corp.ApplyOne(Opened::Change(in)).status, Status::kApplied);
    EXPECT_EQ(bed.Writes(), how == std::string("cut-before") ? 2 : 1);
    corp.Enumerate();
    EXPECT_EQ(corp.Count(Kind::kIamUser), 21u);
    EXPECT_EQ(corp.Count(Kind::kIamGroup), 3u);
    const std::string id = corp.objects.at(GroupKey("team")).id;
    EXPECT_EQ(bed.server.Call("GET", "/Groups/" + id).Json()["members"].size(), 1u);
    kinds::IamUser left = Jo();
    left.set_active(false);
    lose("PATCH", how);
    EXPECT_EQ(corp.ApplyOne(Opened::Change(left, object::Encode(Jo()).body)).status,
              Status::kApplied);
    object::Operation removal = Opened::Change(left);
    removal.before = std::move(removal.after);
    removal.after.clear();
    lose("DELETE", how);
    EXPECT_EQ(corp.ApplyOne(removal).status, Status::kApplied);
    EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 0u);
  }
}

// A write that the server has too much of is sent again when it says, and otherwise said to be
// undone.
TEST(ScimTrouble, TooManyRequestsAreWaitedOut) {
  Bed& bed = Fresh();
  Opened corp(bed.proxy.url());
  corp.Enumerate();
  kinds::IamUser left = Jo();
  left.set_active(false);
  const object::Operation operations[] = {Opened::Change(Jo()),
                                          Opened::Change(left, object::Encode(Jo()).body)};
  const char* const methods[] = {"POST", "PATCH"};
  for (size_t i = 0; i < 2; ++i) {
    SCOPED_TRACE(methods[i]);
    // One that is to be waited for longer than anybody waits isn't sent again.
    for (const auto& [wait, sent] : {std::pair(0, 5), {3600, 1}}) {
      bed.proxy.ClearRequests();
      bed.proxy.Rule({{"fault", "too-many"}, {"method", methods[i]}, {"retry_after", wait}});
      const Outcome refused = corp.ApplyOne(operations[i]);
      EXPECT_EQ(refused.status, Status::kTransient);
      EXPECT_THAT(refused.message, HasSubstr("429"));
      EXPECT_EQ(bed.Writes(), sent);
      bed.proxy.ClearRules();
    }
    EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), i) << "refused, and done all the same";
    bed.proxy.ClearRequests();
    bed.proxy.Rule(
        {{"fault", "too-many"}, {"method", methods[i]}, {"count", 1}, {"retry_after", 1}});
    const auto begin = std::chrono::steady_clock::now();
    const Outcome done = corp.ApplyOne(operations[i]);
    EXPECT_EQ(done.status, Status::kApplied) << done.message;
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
    EXPECT_EQ(bed.Writes(), 2);
    EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 1u);
  }
  EXPECT_FALSE(
      object::DecodeAs<kinds::IamUser>(corp.Read(UserKey("jo.hart")).object.body).active());
}

// A write that reaches the server after we gave it up, and after a read showed nothing of it.
TEST(ScimTrouble, AWriteThatIsLateIsNotDoneTwice) {
  Bed& bed = Fresh();
  Opened corp(bed.proxy.url());
  corp.limits.total = std::chrono::milliseconds(2000);
  corp.Open();
  corp.Enumerate();
  bed.proxy.Rule({{"fault", "stall"}, {"method", "POST"}, {"count", 1}, {"seconds", 5}});
  EXPECT_EQ(corp.ApplyOne(Opened::Change(Jo())).status, Status::kApplied);
  std::vector<json> posts;
  EXPECT_TRUE(support::Eventually(std::chrono::milliseconds(20'000), [&] {
    posts.clear();
    for (const json& line : bed.proxy.Requests()) {
      if (line["method"] == "POST" && line["seconds"].is_number()) posts.push_back(line);
    }
    return posts.size() == 2;
  }));
  EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 1u);
  EXPECT_EQ(corp.ApplyOne(Opened::Change(Jo())).status, Status::kAlreadySo);
}

// The server is gone for good after it took the write: nobody knows, and that is the answer.
TEST(ScimTrouble, WhatCantBeDecidedIsSaidToBeUnknown) {
  Bed& bed = Fresh();
  Opened corp(bed.proxy.url());
  corp.limits.retry.attempts = 2;
  corp.Open();
  ASSERT_TRUE(corp.target->ProbeTarget());
  corp.Enumerate();
  bed.proxy.Rule({{"fault", "cut-after"}, {"method", "POST"}});
  // But for the one that shows that jo isn't there yet.
  bed.proxy.Rule({{"fault", "cut-before"}, {"skip", 1}});
  const Outcome outcome = corp.ApplyOne(Opened::Change(Jo()));
  EXPECT_EQ(outcome.status, Status::kUnknown) << outcome.message;
  EXPECT_EQ(outcome.live.answer, Answer::kUnreadable);
  bed.proxy.ClearRules();
  EXPECT_EQ(corp.ApplyOne(Opened::Change(Jo())).status, Status::kAlreadySo);
  EXPECT_EQ(PeopleNamed(bed.server, "jo.hart"), 1u);
}

// ---- the process
// -----------------------------------------------------------------------------------------------

TEST(ScimTrouble, TheProcessServesTheSame) {
  Bed& bed = Fresh();
  provider::v1::TargetConfig config;
  config.set_name("iam:corp");
  config.mutable_iam()->set_name("corp");
  config.mutable_iam()->set_url(bed.proxy.url());
  config.mutable_iam()->mutable_auth()->set_token("secret:corp-token");
  provider::StartOptions options;
  options.program = provider::ProviderProgram("iam");
  auto client = provider::Start(options, config, {{"corp-token", ScimServer::kToken}});
  ASSERT_TRUE(client) << client.error().message;
  const auto probe = (*client)->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->product, "scim");
  Opened corp(bed.proxy.url());
  corp.Enumerate();
  const auto here = std::move(corp.objects);
  corp.target = std::move(*client);
  corp.Enumerate();
  ASSERT_EQ(corp.objects.size(), here.size());
  for (const auto& [key, object] : here) EXPECT_EQ(corp.objects.at(key).body, object.body);
}

}  // namespace
}  // namespace postern::iam
