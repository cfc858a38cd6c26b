// Objects that were seen before: an id decides where there is one, a filter where it can be
// believed, and only then a listing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/live/scim/opened.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Answer;
using object::KnownKey;
using support::ScimServer;
using testing::HasSubstr;

std::string IdOf(const ScimServer& server, const std::string& path, const char* attribute,
                 const std::string& name) {
  const json page = server.Call("GET", path + "?count=100").Json();
  for (const json& one : page["Resources"]) {
    if (one[attribute] == name) return one["id"];
  }
  ADD_FAILURE() << "no " << name;
  return "";
}

// Listings, but for the look at one resource by which a server is examined.
int Listings(support::HttpProxy& proxy) {
  int count = 0;
  for (const json& request : proxy.Requests()) {
    const std::string path = request["path"];
    count += path.find("startIndex=") != path.npos && !path.ends_with("&count=1") ? 1 : 0;
  }
  return count;
}

TEST(ScimKnown, AnIdSaysWhetherItIsThereGoneOrRenamed) {
  Bed bed({.users = 20, .groups = 2});
  Opened corp(bed.proxy.url());
  const auto user = [&](const char* name) {
    return KnownKey{UserKey(name), IdOf(bed.server, "/Users", "userName", name)};
  };
  const auto group = [&](const char* name) {
    return KnownKey{GroupKey(name), IdOf(bed.server, "/Groups", "displayName", name)};
  };
  const KnownKey known[] = {user("u000001"),
                            user("u000002"),
                            user("u000003"),
                            group("group 000"),
                            group("group 001"),
                            {MemberKey("group 000", "user:u000001"), ""},
                            {MemberKey("group 000", "user:u000002"), ""},
                            {MemberKey("group 001", "user:u000001"), ""}};
  bed.server.Call("DELETE", "/Users/" + known[1].id);
  bed.server.Call(
      "PATCH", "/Users/" + known[2].id,
      {{"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
       {"Operations", {{{"op", "replace"}, {"path", "userName"}, {"value", "jo.hart"}}}}});
  bed.server.Call("DELETE", "/Groups/" + known[4].id);
  bed.proxy.ClearRequests();
  const auto answers = corp.target->ReadKnown(known);
  ASSERT_TRUE(answers) << answers.error().message;
  ASSERT_EQ(answers->size(), std::size(known));
  const Answer wanted[] = {Answer::kValue,  Answer::kAbsent, Answer::kUnreadable, Answer::kValue,
                           Answer::kAbsent, Answer::kValue,  Answer::kAbsent,     Answer::kAbsent};
  for (size_t i = 0; i < answers->size(); ++i) {
    const object::ReadAnswer& answer = (*answers)[i];
    EXPECT_EQ(answer.answer, wanted[i]) << i << ": " << answer.reason;
    EXPECT_EQ((object::ObjectKey{answer.object.kind, answer.object.key}), known[i].key);
  }
  EXPECT_EQ((*answers)[0].object.id, known[0].id);
  EXPECT_THAT((*answers)[2].reason, HasSubstr("jo.hart"));
  EXPECT_EQ(Listings(bed.proxy), 0);
}

TEST(ScimKnown, AnIdThatIsNotAnsweredForDecidesNothing) {
  Bed bed({.users = 5, .groups = 0});
  Opened corp(bed.proxy.url());
  const KnownKey known[] = {{UserKey("u000001"), "no-such-id"}, {UserKey("u000002"), "another"}};
  bed.proxy.Rule({{"fault", "error"}, {"path", "Users/another"}, {"status", 500}});
  const auto answers = corp.target->ReadKnown(known);
  ASSERT_TRUE(answers) << answers.error().message;
  EXPECT_EQ((*answers)[0].answer, Answer::kAbsent);
  EXPECT_EQ((*answers)[1].answer, Answer::kUnreadable);
  EXPECT_THAT((*answers)[1].reason, HasSubstr("500"));
}

// Ten names without ids, which is more than a listing would cost.
TEST(ScimKnown, NamesAloneAreAskedForOneByOneWhereFiltersAreBelieved) {
  for (const auto kind : {ScimServer::Kind::kBetterAuth, ScimServer::Kind::kScimmy}) {
    Bed bed({.kind = kind, .users = 20, .groups = 0});
    Opened corp(bed.proxy.url());
    std::vector<object::ObjectKey> keys = {UserKey("u000001")};
    for (int n = 1; n <= 10; ++n) keys.push_back(UserKey(fmt::format("nobody{}", n)));
    corp.Enumerate();
    bed.proxy.ClearRequests();
    const auto answers = corp.target->Read(keys);
    ASSERT_TRUE(answers) << answers.error().message;
    EXPECT_EQ(answers->front().answer, Answer::kValue);
    for (size_t i = 1; i < answers->size(); ++i) {
      EXPECT_EQ((*answers)[i].answer, Answer::kAbsent) << keys[i].key << (*answers)[i].reason;
    }
    int filters = 0;
    for (const json& request : bed.proxy.Requests()) {
      filters += request["path"].get<std::string>().find("nobody") != std::string::npos ? 1 : 0;
    }
    const bool believed = kind == ScimServer::Kind::kBetterAuth;
    EXPECT_EQ(filters, believed ? 10 : 0);
    EXPECT_EQ(Listings(bed.proxy), believed ? 0 : 1);
  }
}

}  // namespace
}  // namespace postern::iam
