// The table of fit.h: what is wanted is given, what comes along is what the table says, and a tree
// that was fitted is fitted.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "providers/filetransfer/posix/access.h"
#include "providers/filetransfer/posix/fit.h"

namespace postern::posix {
namespace {

using access::Depth;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Rights kNothing;
constexpr Rights kFolderWrite =
    Rights(Right::kCreate) | Right::kDelete | Right::kRename | Right::kMkdir | Right::kRmdir;

TEST(FitTable, EveryCase) {
  struct Case {
    Rights wanted;
    Perm folder, file;
    Rights given;
  };
  const Case cases[] = {
      {kNothing, 0, 0, kNothing},
      {Right::kList, 5, 0, Right::kList},
      {Right::kRead, 1, 4, Right::kRead},
      {Right::kOverwrite, 1, 2, Right::kOverwrite},
      {Right::kCreate, 3, 0, kFolderWrite},
      {Right::kDelete, 3, 0, kFolderWrite},
      {Right::kRename, 3, 0, kFolderWrite},
      {Right::kMkdir, 3, 0, kFolderWrite},
      {Right::kRmdir, 3, 0, kFolderWrite},
      {Right::kChmod, 1, 0, kNothing},
      {Rights(Right::kList) | Right::kRead, 5, 4, Rights(Right::kList) | Right::kRead},
  };
  for (const Case& c : cases) {
    const Needs needs = NeedsOf(c.wanted);
    EXPECT_EQ(needs.folder, c.folder) << Format(c.wanted);
    EXPECT_EQ(needs.file, c.file) << Format(c.wanted);
    EXPECT_EQ(GivenBy(needs), c.given) << Format(c.wanted);
  }
}

TEST(FitTable, TheClosureIsIdempotent) {
  for (uint32_t bits = 0; bits <= Rights::All().bits(); ++bits) {
    const Rights once = GivenBy(NeedsOf(Rights(bits)));
    EXPECT_EQ(GivenBy(NeedsOf(once)), once);
    EXPECT_TRUE(once.Includes(Rights(bits) - Right::kChmod));
  }
}

const std::vector<std::string> kFolders = {"/srv/r", "/srv/r/a", "/srv/r/a/b", "/srv/r/a/b/c",
                                           "/srv/r/d"};
constexpr uint32_t kUids[] = {2001, 2002, 2003};

Perm AnyPerm(std::mt19937& random) {
  return static_cast<Perm>(random() % 8);
}

Acl AnyAcl(std::mt19937& random) {
  Acl acl{.owner = AnyPerm(random), .group = AnyPerm(random), .other = AnyPerm(random)};
  if (random() % 3 == 0) return acl;
  for (const uint32_t uid : kUids) {
    if (random() % 2) acl.users[uid] = AnyPerm(random);
  }
  if (random() % 2) acl.users[99] = AnyPerm(random);  // not ours
  for (const uint32_t gid : {2100u, 2101u, 98u}) {
    if (random() % 2) acl.groups[gid] = AnyPerm(random);
  }
  acl.mask = AnyPerm(random);
  return acl;
}

Tree AnyTree(std::mt19937& random) {
  Tree tree;
  for (const char* way : {"/", "/srv"}) {
    tree.Put(way, {.type = Node::Type::kFolder, .access = {.owner = 7, .group = 5, .other = 5}});
  }
  const auto node = [&](Node::Type type) {
    Node made{.type = type, .access = AnyAcl(random)};
    made.uid = random() % 2 ? 0 : kUids[random() % 3];
    made.gid = random() % 2 ? 0 : 2100 + random() % 2;
    if (type == Node::Type::kFolder) {
      made.sticky = random() % 3 == 0;
      if (random() % 2) made.default_acl = AnyAcl(random);
    }
    return made;
  };
  for (const std::string& folder : kFolders) {
    tree.Put(folder, node(Node::Type::kFolder));
    tree.Put(folder + "/p.file", node(Node::Type::kFile));
    tree.Put(folder + "/p.dir", node(Node::Type::kFolder));
  }
  return tree;
}

std::vector<Wanted> AnyWanted(std::mt19937& random) {
  std::vector<Wanted> wanted(1 + random() % 5);
  for (Wanted& row : wanted) {
    row.path = kFolders[random() % kFolders.size()];
    row.depth = random() % 2 ? Depth::kThis : Depth::kSubtree;
    row.uid = kUids[random() % 3];
    row.rights = Rights(static_cast<uint32_t>(random()));
  }
  return wanted;
}

Rights RightsAt(const std::vector<Wanted>& wanted, uint32_t uid, const std::string& folder) {
  Rights rights;
  for (const Wanted& row : wanted) {
    const bool covers =
        row.depth == Depth::kThis ? row.path == folder : access::IsWithin(folder, row.path);
    if (row.uid == uid && covers) rights |= row.rights;
  }
  return rights;
}

FitQuestion Question() {
  FitQuestion question{.roots = {"/srv/r"}};
  for (const uint32_t uid : kUids) {
    question.managed.push_back({.uid = uid, .gid = 2100, .groups = {2101}});
  }
  return question;
}

TEST(Fit, GivesWhatIsWantedAndWhatTheTableSaysAndNothingElse) {
  size_t compared = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    Tree tree = AnyTree(random);
    const std::vector<Wanted> wanted = AnyWanted(random);
    const auto fit = Fit(tree, wanted, Question());
    ASSERT_TRUE(fit.has_value()) << fit.error().message;
    for (const Change& change : fit->changes) tree.Put(change.path, change.after);
    const auto again = Fit(tree, wanted, Question());
    ASSERT_TRUE(again.has_value());
    ASSERT_THAT(again->changes, IsEmpty()) << "seed " << seed;

    for (const Credentials& who : Question().managed) {
      for (const std::string& folder : kFolders) {
        const Rights due = RightsAt(wanted, who.uid, folder);
        const Rights given = GivenBy(NeedsOf(due));
        const auto have = RightsIn(tree, who, folder);
        ASSERT_TRUE(have.has_value());
        for (int bit = 0; bit < access::kRightCount; ++bit) {
          const Right right = static_cast<Right>(bit);
          if (right == Right::kChmod) continue;  // the owner's, whatever is wanted
          const bool takes_away =
              right == Right::kDelete || right == Right::kRename || right == Right::kRmdir;
          // A sticky bit that nobody asked away narrows further, but for what one owns.
          if (takes_away && !due.Has(right) && tree.Find(folder)->sticky) {
            EXPECT_TRUE(given.Has(right) || !have->some.Has(right));
            continue;
          }
          ++compared;
          EXPECT_EQ(have->some.Has(right), given.Has(right))
              << "seed " << seed << ": " << who.uid << " " << NameOf(right) << " in " << folder;
        }
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(compared, 30000u);
}

TEST(Fit, EntriesOfOthersStayAndGroupsOfOursLoseTheirWayIn) {
  Tree tree;
  tree.Put("/r", {.type = Node::Type::kFolder,
                  .access = {.owner = 7,
                             .users = {{99, 7}, {2002, 7}},
                             .group = 7,
                             .groups = {{98, 5}, {2100, 7}},
                             .mask = 5,
                             .other = 5}});
  FitQuestion question = Question();
  question.roots = {"/r"};
  const auto fit = Fit(tree, {}, question);
  ASSERT_TRUE(fit.has_value());
  ASSERT_THAT(fit->changes, SizeIs(1));
  const Acl& acl = fit->changes[0].after.access;
  // What the mask had cut stays cut: a new mask must not open it again.
  EXPECT_THAT(acl.users, ElementsAre(std::pair(99u, Perm{5})));
  EXPECT_THAT(acl.groups, ElementsAre(std::pair(98u, Perm{5})));
  EXPECT_EQ(acl.group, 0);
  EXPECT_EQ(acl.other, 0);
}

TEST(Fit, WhatWasNotReadIsNeverFitted) {
  Tree tree;
  EXPECT_EQ(Fit(tree, {}, Question()).error().code, ErrorCode::kIncomplete);
  tree.Put("/srv/r", {});
  EXPECT_EQ(Fit(tree, {}, Question()).error().code, ErrorCode::kIncomplete);
}

TEST(Fit, AFolderAboveTheRootsThatKeepsPeopleOutIsToldAndNotChanged) {
  Tree tree;
  tree.Put("/", {.type = Node::Type::kFolder, .access = {.owner = 7, .group = 5, .other = 5}});
  tree.Put("/srv", {.type = Node::Type::kFolder, .access = {.owner = 7}});
  tree.Put("/srv/r", {.type = Node::Type::kFolder, .access = {.owner = 7}});
  const std::vector<Wanted> wanted = {{"/srv/r", Depth::kSubtree, 2001, Right::kList}};
  const auto fit = Fit(tree, wanted, Question());
  ASSERT_TRUE(fit.has_value());
  EXPECT_THAT(fit->obstacles, ElementsAre("/srv: account 2001 can't pass"));
  ASSERT_THAT(fit->changes, SizeIs(1));
  EXPECT_EQ(fit->changes[0].path, "/srv/r");
}

TEST(Fit, DenialsComeFirstInTheBatch) {
  const Node open{.type = Node::Type::kFolder, .access = {.owner = 7, .other = 7}};
  const Node shut{.type = Node::Type::kFolder, .access = {.owner = 7}};
  const std::vector<Change> changes = {{"/a", shut, open}, {"/b", open, shut}};
  const std::string text = RestoreText(changes);
  EXPECT_LT(text.find("# file: /b"), text.find("# file: /a"));
}

}  // namespace
}  // namespace postern::posix
