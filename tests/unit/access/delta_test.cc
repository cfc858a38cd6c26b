// Who loses and gains what between two worlds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/access/effective.h"
#include "tests/unit/access/objects.h"

namespace postern::access {
namespace {

using namespace testing_objects;  // NOLINT
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kHost[] = "host:edge";
constexpr char kCorp[] = "directory:corp";
const Rights kList = Right::kList, kRead = Right::kRead;

World Of(const std::vector<object::Object>& objects, const char* target = kHost) {
  World world;
  for (const auto& object : objects) world.Put(target, object.kind, object.key, object.body, true);
  return world;
}

std::vector<std::string> Lines(const std::vector<AccessChange>& changes) {
  std::vector<std::string> lines;
  for (const AccessChange& change : changes) {
    std::string line = change.identity + " " + change.path + " " +
                       std::string(NameOf(change.depth)) + " " + Format(change.rights);
    if (change.everything) line += " everything";
    if (!change.through.empty()) line += " " + change.through;
    lines.push_back(line);
  }
  return lines;
}

AccessDelta Compare(const World& before, const World& after,
                    const std::map<std::string, std::string>& people = {}) {
  Touched touched;
  for (const World* world : {&before, &after}) {
    for (const auto& [place, server] : world->servers) {
      for (const auto& [login, state] : server.accounts()) {
        touched.accounts.insert({place, std::string(login)});
      }
    }
    for (const auto& [target, directory] : world->directories) {
      for (const auto& [dn, on] : directory.users()) touched.accounts.insert({{target, ""}, dn});
    }
  }
  return Delta(before, after, touched, [&](const Place&, std::string_view account) {
    const auto at = people.find(std::string(account));
    return at == people.end() ? std::string(account) : at->second;
  });
}

TEST(World, KnowsWhoIsOpen) {
  World world = Of({Account("a")});
  ServerWorld& server = world.servers[{kHost, "ftp"}];
  const auto put = [&](const object::Object& object, bool present) {
    server.Put(object.kind, object.key, object.body, present);
  };
  EXPECT_FALSE(server.FindAccount("a")->open());  // no way in
  put(Key("a"), true);
  put(Key("a"), true);  // the same one again is still one
  EXPECT_EQ(server.FindAccount("a")->keys, 1u);
  EXPECT_TRUE(server.FindAccount("a")->open());
  put(Key("a", "SHA256:other"), false);  // one that isn't there takes none away
  EXPECT_TRUE(server.FindAccount("a")->open());
  put(Account("a", false), true);
  EXPECT_FALSE(server.FindAccount("a")->open());
  put(Account("a"), true);
  put(Key("a"), false);
  EXPECT_FALSE(server.FindAccount("a")->open());
}

TEST(World, TakesAnAccountThatSaysNothingOfALockForOpen) {
  kinds::Account account;
  account.set_server("ftp");
  account.set_login("a");
  account.set_password("hmac:00");
  const World world = Of({object::Encode(account)});
  EXPECT_TRUE(world.servers.at({kHost, "ftp"}).FindAccount("a")->open());
}

TEST(World, AnswersRowsByGroupAndEveryone) {
  const World world =
      Of({Account("a"), Account("b"), Member("ops", "a"), Row("/g", "this", "group:ops", kList),
          Row("/e", "subtree", "everyone", kRead), Row("/b", "this", "account:b", kList)});
  const ServerWorld& server = world.servers.at({kHost, "ftp"});
  EXPECT_EQ(server.RowsOf("a").size(), 2u);
  EXPECT_EQ(server.RowsOf("b").size(), 2u);
  EXPECT_THAT(server.LoginsOf({Subject::Type::kEveryone, ""}), ElementsAre("a", "b"));
  EXPECT_THAT(server.LoginsOf({Subject::Type::kGroup, "ops"}), ElementsAre("a"));
}

TEST(Delta, FoldsATreeIntoOneLine) {
  const World before = Of({Account("a"), Key("a"), Row("/d", "subtree", "account:a", kList),
                           Row("/d/x", "subtree", "account:a", kList)});
  EXPECT_THAT(Lines(Compare(before, Of({Account("a"), Key("a")})).lost),
              ElementsAre("a /d subtree list"));
}

TEST(Delta, ARowOfDepthThisHidesNothingFarBelow) {
  const World before = Of({Account("a"), Key("a"), Row("/d", "this", "account:a", kList),
                           Row("/d/x/y", "subtree", "account:a", kList)});
  EXPECT_THAT(Lines(Compare(before, Of({Account("a"), Key("a")})).lost),
              ElementsAre("a /d this list", "a /d/x/y subtree list"));
}

TEST(Delta, ARowOfDepthThisDoesNotReachIntoANamedFolder) {
  // /d/x keeps its own row: what goes with /d's row is /d and its entries, not what is in /d/x.
  const auto own = Row("/d/x", "this", "account:a", kRead);
  const World before = Of({Account("a"), Key("a"), own, Row("/d", "this", "account:a", kList)});
  EXPECT_THAT(Lines(Compare(before, Of({Account("a"), Key("a"), own})).lost),
              ElementsAre("a /d this list"));
}

TEST(Delta, SaysWhatDiffersBelow) {
  const World before = Of({Account("a"), Key("a"), Row("/d", "subtree", "account:a", kList),
                           Row("/d/x", "this", "account:a", kRead)});
  EXPECT_THAT(Lines(Compare(before, Of({Account("a"), Key("a")})).lost),
              ElementsAre("a /d subtree list", "a /d/x this list, read"));
}

TEST(Delta, AnIdentityKeepsARightThroughAnotherAccount) {
  const auto row_a = Row("/d", "subtree", "account:a", kList);
  const auto row_b = Row("/d", "this", "account:b", kList);
  const std::vector<object::Object> base = {Account("a"), Key("a"), Account("b"), Key("b")};
  auto both = base;
  both.push_back(row_a);
  both.push_back(row_b);
  auto only_b = base;
  only_b.push_back(row_b);
  const std::map<std::string, std::string> one{{"a", "person:p"}, {"b", "person:p"}};
  const AccessDelta delta = Compare(Of(both), Of(only_b), one);
  // b's row holds the folder and its entries; what lies deeper is lost.
  EXPECT_THAT(Lines(delta.lost), ElementsAre("person:p /d subtree list"));
  EXPECT_THAT(delta.gained, IsEmpty());
  auto wide_b = base;
  wide_b.push_back(Row("/d", "subtree", "account:b", kList));
  auto both_wide = wide_b;
  both_wide.push_back(row_a);
  EXPECT_TRUE(Compare(Of(both_wide), Of(wide_b), one).empty());
  EXPECT_FALSE(Compare(Of(both_wide), Of(wide_b)).empty());  // two people: one loses
}

// A host's access is the union over its servers, and what goes on besides is told.
TEST(Delta, TellsWhatStaysThroughAnotherServer) {
  const std::map<std::string, std::string> one{{"a", "person:p"}, {"b", "person:p"}};
  const std::vector<object::Object> base = {
      Account("a"),
      Key("a"),
      At("sftp", Account("b")),
      At("sftp", Key("b")),
      At("sftp", Row("/d", "subtree", "account:b", kList)),
  };
  auto both = base;
  both.push_back(Row("/d", "subtree", "account:a", kList | kRead));
  const AccessDelta less = Compare(Of(both), Of(base), one);
  EXPECT_THAT(Lines(less.lost), ElementsAre("person:p /d subtree read"));
  EXPECT_THAT(Lines(less.still), ElementsAre("person:p /d subtree list"));
  EXPECT_EQ(less.still[0].place.server, "ftp");
  EXPECT_EQ(less.still[0].elsewhere, "server sftp");
  const AccessDelta more = Compare(Of(base), Of(both), one);
  EXPECT_THAT(Lines(more.gained), ElementsAre("person:p /d subtree read"));
  EXPECT_THAT(Lines(more.already), ElementsAre("person:p /d subtree list"));
  EXPECT_EQ(more.already[0].elsewhere, "server sftp");
}

TEST(Delta, NeitherLosesNorKeepsWhatOnlyMoves) {
  const std::map<std::string, std::string> one{{"a", "person:p"}, {"b", "person:p"}};
  const std::vector<object::Object> base = {Account("a"), Key("a"), Account("b"), Key("b")};
  auto first = base, second = base;
  first.push_back(Row("/d", "subtree", "account:a", kList));
  second.push_back(Row("/d", "subtree", "account:b", kList));
  const AccessDelta moved = Compare(Of(first), Of(second), one);
  EXPECT_TRUE(moved.empty());
  EXPECT_THAT(moved.still, IsEmpty());
  EXPECT_THAT(moved.already, IsEmpty());
}

TEST(Delta, NamesTheGroupAndEverything) {
  const auto row = Row("/d", "subtree", "group:ops", kList);
  const World in = Of({Account("a"), Key("a"), Member("ops", "a"), row});
  EXPECT_THAT(Lines(Compare(in, Of({Account("a"), Key("a"), row})).lost),
              ElementsAre("a /d subtree list group:ops"));
  const World locked = Of({Account("a", false), Key("a"), Member("ops", "a"), row});
  EXPECT_THAT(Lines(Compare(in, locked).lost),
              ElementsAre("a /d subtree list everything group:ops"));
  EXPECT_THAT(Lines(Compare(locked, in).gained),
              ElementsAre("a /d subtree list everything group:ops"));
}

TEST(Delta, SpeaksOfEntriesAndMembershipsInADirectory) {
  const World before = Of({User("uid=a,dc=x"), Membership("cn=g,dc=x", "uid=a,dc=x")}, kCorp);
  EXPECT_EQ(Compare(before, Of({User("uid=a,dc=x", false)}, kCorp)).lost.size(), 2u);
  EXPECT_EQ(Compare(before, Of({User("uid=a,dc=x")}, kCorp)).lost.size(), 1u);
}

TEST(Delta, FollowsGroupsInGroupsAndPartitionsOfAnIam) {
  constexpr char kIam[] = "iam:hr";
  const auto jo = IamUser("jo@corp"), al = IamUser("al@partners");
  const auto inner = IamMember("group:inner", "user:jo@corp");
  const auto nested = IamMember("group:outer", "group:inner");
  const auto role = IamMember("role:reader", "group:outer");
  const auto whole = IamMember("access_role:archive", "partition:partners");
  const World before = Of({jo, al, inner, nested, role, whole}, kIam);
  const DirectoryWorld& live = before.directories.at(kIam);
  EXPECT_THAT(live.GroupsOf("jo@corp"), ElementsAre("group:inner", "group:outer", "role:reader"));
  EXPECT_THAT(live.GroupsOf("al@partners"), ElementsAre("access_role:archive"));
  EXPECT_THAT(live.EntriesIn("group:outer"), ElementsAre("jo@corp"));
  EXPECT_THAT(live.EntriesIn("partition:partners"), ElementsAre("al@partners"));
  const AccessDelta delta = Compare(before, Of({jo, al, inner, role}, kIam));
  EXPECT_THAT(Lines(delta.lost),
              ElementsAre("al@partners access_role:archive subtree  partition:partners",
                          "jo@corp group:outer subtree  group:inner",
                          "jo@corp role:reader subtree  group:inner"));
  EXPECT_THAT(delta.gained, IsEmpty());
  // A circle of groups has an end.
  const World circle = Of({jo, inner, nested, IamMember("group:inner", "group:outer")}, kIam);
  EXPECT_THAT(circle.directories.at(kIam).GroupsOf("jo@corp"),
              ElementsAre("group:inner", "group:outer"));
  EXPECT_THAT(circle.directories.at(kIam).EntriesIn("group:outer"), ElementsAre("jo@corp"));
}

TEST(Touch, FindsWhoIsInAGroupOfAGroup) {
  const auto nested = IamMember("group:outer", "group:inner");
  const World before = Of({IamUser("jo"), IamMember("group:inner", "user:jo"), nested}, "iam:hr");
  Touched touched;
  Touch("iam:hr", nested.kind, nested.key, before, World(), &touched);
  EXPECT_EQ(touched.accounts.size(), 1u);
}

TEST(Touch, FindsTheAccountsOfAGroupsRow) {
  const auto row = Row("/d", "subtree", "group:ops", kList);
  const World before = Of({Account("a"), Account("b"), Member("ops", "a"), row});
  const World after = Of({Account("a"), Account("b"), Member("ops", "b"), row});
  Touched touched;
  Touch(kHost, row.kind, row.key, before, after, &touched);
  EXPECT_EQ(touched.accounts.size(), 2u);
}

}  // namespace
}  // namespace postern::access
