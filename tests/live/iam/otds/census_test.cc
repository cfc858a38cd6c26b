// Everything of the managed partitions, once. Facts: iam-governance 1.2, 1.5 (1 to 3, 8), 1.6.
#include <fmt/format.h>

#include "tests/live/iam/otds/world.h"

namespace postern::iam {
namespace {

using testing::HasSubstr;

const std::vector<Kind> kPeople = {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership};

class OtdsCensus : public OtdsTest {
 protected:
  void Many(int count) {
    json names = json::array();
    for (int n = 0; n < count; ++n) names.push_back("many" + std::to_string(n));
    Server().Control("POST", "/users", {{"partition", "Corp"}, {"names", names}});
  }
  size_t Pages() {
    size_t pages = 0;
    for (const std::string& request : Requests("GET")) pages += request.ends_with("/users") ? 1 : 0;
    return pages;
  }
};

TEST_F(OtdsCensus, AllOfThreePartitions) {
  const Seen seen = See({});
  ASSERT_TRUE(seen.ok) << seen.error.message;
  const std::map<Kind, size_t> wanted = {{Kind::kIamUser, 40 + 2 + 4}, {Kind::kIamGroup, 4},
                                         {Kind::kIamMembership, 40},   {Kind::kIamRole, 0},
                                         {Kind::kIamAccessRole, 0},    {Kind::kOauthClient, 1},
                                         {Kind::kPasswordPolicy, 1}};
  ASSERT_EQ(seen.scopes.size(), wanted.size());
  for (const auto& [kind, count] : wanted) {
    const object::ScopeStatus& scope = seen.Scope(kind);
    EXPECT_TRUE(scope.complete) << object::NameOf(kind) << ": " << scope.reason;
    EXPECT_TRUE(scope.sentinel_seen);
    EXPECT_EQ(scope.scope, "");
    EXPECT_EQ(scope.count, count) << object::NameOf(kind);
    EXPECT_GT(scope.at, 0);
  }
  const auto policy = seen.At<kinds::PasswordPolicy>(Kind::kPasswordPolicy, "global");
  EXPECT_THAT(policy.rules().values(), testing::Contains("minimumNumberOfCharacters=8"));
  EXPECT_TRUE(seen.Has(Kind::kIamMembership, {"group:group 000@Corp", "user:corp000001@Corp"}));
}

TEST_F(OtdsCensus, OnlyManagedPartitionsAreAsked) {
  declared().mutable_manage()->mutable_partitions()->clear_values();
  declared().mutable_manage()->mutable_partitions()->add_values("Partners");
  const Seen seen = See(kPeople);
  EXPECT_EQ(seen.Scope(Kind::kIamUser).count, 2u);
  EXPECT_EQ(seen.Scope(Kind::kIamGroup).count, 0u);
}

TEST_F(OtdsCensus, APartitionThatIsNotThereLeavesNothingComplete) {
  declared().mutable_manage()->mutable_partitions()->add_values("Nowhere");
  const Seen seen = See(kPeople);
  ASSERT_TRUE(seen.ok);
  EXPECT_FALSE(seen.Scope(Kind::kIamUser).complete);
  EXPECT_THAT(seen.Scope(Kind::kIamUser).reason, HasSubstr("Nowhere"));
}

// Trap 3: 21 of 250 with a cookie were seen; the end is a null cookie or an empty page.
TEST_F(OtdsCensus, AShortPageWithACookieGoesOn) {
  Many(700);
  Server().Set("short_pages", true);
  const Seen seen = See({Kind::kIamUser});
  EXPECT_TRUE(seen.Scope(Kind::kIamUser).complete) << seen.Scope(Kind::kIamUser).reason;
  EXPECT_EQ(seen.Scope(Kind::kIamUser).count, 746u);
  EXPECT_GT(Pages(), 5u);
}

TEST_F(OtdsCensus, AnEmptyPageEndsTheWalk) {
  Many(460);  // Corp has 500 then: two full pages
  Server().Set("empty_last_page", true);
  const Seen seen = See({Kind::kIamUser});
  EXPECT_TRUE(seen.Scope(Kind::kIamUser).complete) << seen.Scope(Kind::kIamUser).reason;
  EXPECT_EQ(seen.Scope(Kind::kIamUser).count, 506u);
  EXPECT_EQ(Pages(), 3u + 2u + 2u);
}

TEST_F(OtdsCensus, ARepeatedCookieFails) {
  Server().Set("stuck_cookies", true);
  const Seen seen = See({Kind::kIamUser});
  ASSERT_TRUE(seen.ok) << seen.error.message;
  EXPECT_FALSE(seen.Scope(Kind::kIamUser).complete);
  EXPECT_THAT(seen.Scope(Kind::kIamUser).reason, HasSubstr("again"));
}

TEST_F(OtdsCensus, MembersInPages) {
  Many(300);
  for (int n = 0; n < 300; ++n) {
    Server().Control("POST", "/memberships",
                     {{"member", fmt::format("many{}@Corp", n)}, {"group", "group 001@Corp"}});
    if (n == 60) break;  // each is a process of its own
  }
  Server().Set("paged_members", true);
  Server().Set("short_pages", true);
  const Seen seen = See({Kind::kIamMembership});
  EXPECT_TRUE(seen.Scope(Kind::kIamMembership).complete);
  EXPECT_EQ(seen.Scope(Kind::kIamMembership).count, 40u + 61u);
}

// Trap 1: the server's filter finds parts of names.
TEST_F(OtdsCensus, ASubstringIsNotTheName) {
  Server().Control("POST", "/users", {{"partition", "Corp"}, {"name", "jo hart senior"}});
  EXPECT_EQ(Read(Kind::kIamUser, {"jo hart@Corp"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kIamUser, {"hart senior@Corp"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kIamUser, {"jo hart senior@Corp"}).answer, Answer::kValue);
  EXPECT_EQ(Read(Kind::kIamUser, {"jo hart senior@Partners"}).answer, Answer::kAbsent);
}

// A key doesn't tell how many blanks stand together.
TEST_F(OtdsCensus, ANameThatAKeySpellsOtherwiseIsFoundByItsList) {
  Server().Control("POST", "/groups", {{"partition", "Corp"}, {"name", "R&D   press"}});
  const auto answer = Read(Kind::kIamGroup, {"r&d press@corp"});
  ASSERT_EQ(answer.answer, Answer::kValue) << answer.reason;
  EXPECT_EQ(object::DecodeAs<kinds::IamGroup>(answer.object.body).name(), "R&D   press@Corp");
}

// Trap 2: blanks, & @ / and %; encoded once, and always with the partition.
TEST_F(OtdsCensus, NamesThatNeedEncoding) {
  for (const char* name :
       {"R&D / press", "50% off", "ana.silva@example.test", "käthe", "a+b=c?d#e", "..", "%41"}) {
    kinds::IamGroup group;
    group.set_name(std::string(name) + "@Partners");
    group.set_description("first");
    EXPECT_EQ(Put(group).status, Status::kApplied) << name;
    group.set_description("second");
    EXPECT_EQ(Put(group).status, Status::kApplied) << name;
    EXPECT_EQ(AddMember("group:" + group.name(), "user:corp000001@Partners").status,
              Status::kApplied);
    const Seen seen = See(kPeople);
    EXPECT_EQ(seen.At<kinds::IamGroup>(Kind::kIamGroup, group.name()).description(), "second");
    EXPECT_TRUE(
        seen.Has(Kind::kIamMembership, {"group:" + group.name(), "user:corp000001@Partners"}));
    EXPECT_EQ(Remove(group).status, Status::kApplied) << name;
    EXPECT_EQ(Read(Kind::kIamGroup, {group.name()}).answer, Answer::kAbsent);
  }
  for (const std::string& request : Requests()) {
    EXPECT_EQ(request.find("%2525"), std::string::npos) << request << " is encoded twice";
  }
}

// Trap 2: corp000001 is in two partitions.
TEST_F(OtdsCensus, ABareLoginIsOneOfTheFirstPartition) {
  const auto bare = Read(Kind::kIamUser, {"corp000001"});
  ASSERT_EQ(bare.answer, Answer::kValue) << bare.reason;
  EXPECT_EQ(object::DecodeAs<kinds::IamUser>(bare.object.body).user_name(), "corp000001@Corp");
  for (const std::string& request : Requests("GET")) {
    if (request.find("/users/") == std::string::npos) continue;
    EXPECT_NE(request.find("%40"), std::string::npos) << request;
  }
  EXPECT_NE(Read(Kind::kIamUser, {"corp000001@Partners"}).object.id, bare.object.id);
}

TEST_F(OtdsCensus, ALoginThatIsAnAddress) {
  const Seen seen = See({Kind::kIamUser});
  EXPECT_TRUE(seen.Has(Kind::kIamUser, {"ana.silva@example.test@Partners"}));
  const auto answer = Read(Kind::kIamUser, {"ana.silva@example.test@Partners"});
  EXPECT_EQ(answer.answer, Answer::kValue) << answer.reason;
}

// Section 1.2: "true" and "False" both are seen, and lists have the other shape of attributes.
TEST_F(OtdsCensus, BooleansInAnyCaseAndBothShapes) {
  for (const char* spelling : {"mixed", "lower", "title"}) {
    Server().Set("spelling", spelling);
    for (const char* name : {"corp000001", "corp000002"}) {
      Server().Control("PATCH", std::string("/users/") + name + "%40Corp",
                       {{"values", {{{"name", "accountDisabled"}, {"values", {"true"}}}}}});
    }
    const Seen seen = See({Kind::kIamUser});
    for (const char* name : {"corp000001@Corp", "corp000002@Corp", "corp000003@Corp"}) {
      const auto listed = seen.At<kinds::IamUser>(Kind::kIamUser, name);
      EXPECT_EQ(listed.active(), std::string(name) == "corp000003@Corp") << spelling << name;
      EXPECT_EQ(object::Encode(listed).body, Read(Kind::kIamUser, {name}).object.body);
    }
  }
}

// Trap 8: three switches; the object says which of its own two denies.
TEST_F(OtdsCensus, WhichSwitchKeepsAUserOut) {
  const auto set = [](const char* name, const char* value) {
    Server().Control("PATCH", "/users/corp000001%40Corp",
                     {{"values", {{{"name", name}, {"values", {value}}}}}});
  };
  const auto read = [&] {
    return object::DecodeAs<kinds::IamUser>(Read(Kind::kIamUser, {"corp000001@Corp"}).object.body);
  };
  EXPECT_TRUE(read().active());
  EXPECT_FALSE(read().has_denied_by());
  set("accountLockedOut", "True");
  EXPECT_TRUE(read().active());
  EXPECT_THAT(read().denied_by().values(), testing::ElementsAre("accountLockedOut"));
  set("accountDisabled", "true");
  EXPECT_FALSE(read().active());
  EXPECT_EQ(read().denied_by().values_size(), 2);
  set("accountLockedOut", "false");
  EXPECT_THAT(read().denied_by().values(), testing::ElementsAre("accountDisabled"));
  EXPECT_EQ(read().last_login(), 0);
  set("oTLastLoginTimestamp", "2026-10-01T08:30:00.123Z");
  EXPECT_EQ(base::FormatInstant(read().last_login()), "2026-10-01T08:30:00Z");
}

TEST_F(OtdsCensus, SynchronizedUsersSaySo) {
  const Seen seen = See({Kind::kIamUser});
  EXPECT_TRUE(seen.At<kinds::IamUser>(Kind::kIamUser, "ad000001@AD").synchronized());
  EXPECT_FALSE(seen.At<kinds::IamUser>(Kind::kIamUser, "corp000001@Corp").synchronized());
}

TEST_F(OtdsCensus, ATruncatedOrForeignAnswerIsNotWhole) {
  for (const json& fault : {json{{"kind", "truncated"}}, json{{"kind", "status"}, {"status", 403}},
                            json{{"kind", "html"}, {"status", 200}}}) {
    json one = fault;
    one["method"] = "GET";
    one["path"] = "/rest/groups";
    one["count"] = 1;
    ASSERT_EQ(Read(Kind::kIamUser, {"corp000001"}).answer, Answer::kValue);
    Server().Fault(one);
    const Seen seen = See(kPeople);
    ASSERT_TRUE(seen.ok);
    EXPECT_TRUE(seen.Scope(Kind::kIamUser).complete);
    EXPECT_FALSE(seen.Scope(Kind::kIamGroup).complete) << fault;
    EXPECT_FALSE(seen.Scope(Kind::kIamMembership).complete);
    EXPECT_FALSE(seen.Scope(Kind::kIamGroup).reason.empty());
  }
}

TEST_F(OtdsCensus, ACutConnectionIsAskedAgain) {
  ASSERT_EQ(Read(Kind::kIamUser, {"corp000001"}).answer, Answer::kValue);
  Server().Fault({{"kind", "cut-before"}, {"method", "GET"}, {"path", "/rest/users"}});
  Server().Fault({{"kind", "cut-after"}, {"method", "GET"}, {"path", "/members"}, {"count", 2}});
  const Seen seen = See(kPeople);
  EXPECT_TRUE(seen.Scope(Kind::kIamUser).complete) << seen.Scope(Kind::kIamUser).reason;
  EXPECT_TRUE(seen.Scope(Kind::kIamMembership).complete);
}

// Where 404 is not the answer to what isn't there, a list decides (facts: 404 is assumed).
TEST_F(OtdsCensus, AbsenceWhereTheServerHasAnotherAnswer) {
  Server().Set("missing_status", 400);
  EXPECT_EQ(Read(Kind::kIamUser, {"nobody@Corp"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kIamGroup, {"nobody@Corp"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kOauthClient, {"nobody"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kIamAccessRole, {"nobody"}).answer, Answer::kAbsent);
  EXPECT_EQ(Read(Kind::kIamUser, {"corp000001@Corp"}).answer, Answer::kValue);
  Server().Fault({{"kind", "status"}, {"status", 500}, {"path", "/users/"}, {"count", 50}});
  EXPECT_EQ(Read(Kind::kIamUser, {"corp000001@Corp"}).answer, Answer::kUnreadable);
}

// Section 1.6, the second oracle: both faces of the same store.
TEST_F(OtdsCensus, TheScimProviderSeesTheSamePeople) {
  ASSERT_EQ(AddMember("group:group 000@Corp", "group:group 001@Corp").status, Status::kApplied);
  ASSERT_EQ(AddMember("group:group 001@Corp", "user:corp000040@Corp").status, Status::kApplied);
  auto gone = User("corp000007@Corp");
  gone.set_active(false);
  ASSERT_EQ(Put(gone).status, Status::kApplied);
  declared().mutable_manage()->mutable_partitions()->clear_values();
  declared().mutable_manage()->mutable_partitions()->add_values("Corp");
  Open();
  const Seen rest = See(kPeople);
  const auto bare = [](std::string text) {
    const size_t at = text.rfind("@Corp");
    return at == std::string::npos ? text : text.substr(0, at);
  };
  std::map<std::string, std::string> by_rest, by_scim;
  const auto note = [&](const Seen& seen, std::map<std::string, std::string>* to) {
    for (const auto& [key, object] : seen.objects) {
      if (object.kind == Kind::kIamMembership) {
        const auto edge = object::DecodeAs<kinds::IamMembership>(object.body);
        (*to)[bare(edge.set()) + " " + bare(edge.member())] = "in";
      } else if (object.kind == Kind::kIamGroup) {
        (*to)["group " + bare(object::DecodeAs<kinds::IamGroup>(object.body).name())] = object.id;
      } else {
        const auto user = object::DecodeAs<kinds::IamUser>(object.body);
        (*to)["user " + bare(user.user_name())] =
            fmt::format("{} {} {} {} {} {}", object.id, user.active(), user.given_name(),
                        user.family_name(), user.title(), fmt::join(user.mail().values(), ","));
      }
    }
  };
  note(rest, &by_rest);
  declared().set_product("scim");
  declared().set_url(Server().url() + "/otdsws/scim/Corp");
  declared().clear_manage();
  declared().mutable_dialect()->set_preset("otds");
  declared().mutable_auth()->set_token_url(Server().url() + "/otdsws/oauth2/token");
  Open();
  const Seen scim = See(kPeople);
  ASSERT_TRUE(scim.ok) << scim.error.message;
  EXPECT_TRUE(scim.Scope(Kind::kIamUser).complete) << scim.Scope(Kind::kIamUser).reason;
  note(scim, &by_scim);
  EXPECT_EQ(by_rest.size(), 40u + 4u + 42u);
  EXPECT_EQ(by_rest, by_scim);
}

// Preset otds, row `versions`: the SCIM face has none. What the preset says is what is seen, and
// who declares otherwise gets no write that could be taken for a bound one.
TEST_F(OtdsCensus, TheScimFaceHasNoVersions) {
  const auto title = [&](const std::string& versions) {
    declared().set_product("scim");
    declared().set_url(Server().url() + "/otdsws/scim/Corp");
    declared().mutable_auth()->set_token_url(Server().url() + "/otdsws/oauth2/token");
    declared().clear_dialect();
    declared().mutable_dialect()->set_preset("otds");
    if (!versions.empty()) declared().mutable_dialect()->set_versions(versions);
    Open();
    return Put(User("corp000001", "Editor " + versions));
  };
  EXPECT_EQ(title("").status, Status::kApplied);
  auto probe = target().ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  const auto row = std::find_if(probe->settings.begin(), probe->settings.end(),
                                [](const object::Setting& one) { return one.name == "versions"; });
  ASSERT_NE(row, probe->settings.end());
  EXPECT_EQ(row->value, "none");
  EXPECT_EQ(row->origin, "probe");
  EXPECT_EQ(row->why, "a user has no ETag");
  EXPECT_EQ(probe->concurrency[Kind::kIamUser], "verify-then-write");
  const object::Outcome bound = title("etag");
  EXPECT_EQ(bound.status, Status::kDenied);
  EXPECT_THAT(bound.message, HasSubstr("has no version, and versions = \"etag\" is declared"));
  EXPECT_THAT(Requests("PATCH"), testing::SizeIs(1)) << "the first one";
}

}  // namespace
}  // namespace postern::iam
