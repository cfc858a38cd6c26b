// What is told as live rows, by hand-made differences of a fitted tree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "providers/filetransfer/openssh/product.h"
#include "providers/filetransfer/openssh_io/live_rows.h"

namespace postern::filetransfer {
namespace {

using access::Depth;
using access::GrantRow;
using access::Right;
using access::Rights;
using access::Subject;
using posix::Node;
using testing::ElementsAre;

const Rights kLook = Rights(Right::kList) | Right::kRead;
const Rights kChange =
    Rights(Right::kCreate) | Right::kDelete | Right::kRename | Right::kMkdir | Right::kRmdir;
constexpr uint32_t kAna = 30001, kBea = 30002;

class LiveRowsTest : public testing::Test {
 protected:
  LiveRowsTest() {
    host_ = posix::HostAccounts::Parse(
        "ana:x:30001:30000::/srv/x:/usr/sbin/nologin\n"
        "bea:x:30002:30000::/srv/x:/usr/sbin/nologin\n",
        "ftpusers:x:30000:\n", "");
    content_.roots = {"/srv/x"};
    for (const char* path : {"/", "/srv", "/srv/x", "/srv/x/in", "/srv/x/in/deep", "/srv/x/out"}) {
      tree_.Put(path, Plain(Node::Type::kFolder));
    }
    tree_.Put("/srv/x/in/file", Plain(Node::Type::kFile));
    tree_.Put("/srv/x/in/deep/file", Plain(Node::Type::kFile));
    content_.rows = {Row("/srv/x/in", "bea", kLook)};
    FitTree();
  }

  static Node Plain(Node::Type type) {
    return {.type = type, .access = {.owner = 7, .group = 5, .other = 5}};
  }
  static GrantRow Row(const std::string& path, const std::string& login, Rights rights,
                      Depth depth = Depth::kSubtree) {
    return {path, depth, {Subject::Type::kAccount, login}, rights};
  }
  void FitTree() {
    const FitInput input = FitInputOf(content_.rows, host_, kLogins, {}, content_.roots);
    const auto fit = posix::Fit(tree_, input.wanted, input.question);
    ASSERT_TRUE(fit) << fit.error().message;
    for (const posix::Change& change : fit->changes) tree_.Put(change.path, change.after);
  }
  Node& At(const std::string& path) {
    node_ = *tree_.Find(path);
    path_ = path;
    return node_;
  }
  void Put() { tree_.Put(path_, node_); }
  // "account:bea subtree /srv/x/in list, read"
  std::vector<std::string> Told() {
    notes_.clear();
    nodes_.clear();
    RowNotes notes;
    const auto rows = LiveRows({.content = content_,
                                .host = host_,
                                .tree = tree_,
                                .logins = kLogins,
                                .sessions = sessions_,
                                .roots = {"/srv/x"}},
                               &notes);
    EXPECT_TRUE(rows) << rows.error().message;
    for (const auto& [row, note] : notes) {
      const std::string of = access::Format(row.subject) + " " + row.path;
      if (!note.where.empty()) notes_.push_back(of + ": " + note.where);
      for (const std::string& node : note.nodes) nodes_.push_back(of + ": " + node);
      if (note.by_session) nodes_.push_back(of + ": its session");
    }
    std::vector<std::string> out;
    for (const GrantRow& row : *rows) {
      if (row.subject.type == Subject::Type::kEveryone && row.rights.empty()) continue;
      out.push_back(access::Format(row.subject) + " " + std::string(NameOf(row.depth)) + " " +
                    row.path + " " + access::Format(row.rights));
    }
    return out;
  }

  const std::vector<std::string> kLogins = {"ana", "bea"};
  posix::HostAccounts host_;
  posix::Tree tree_;
  openssh::IncludeContent content_;
  std::map<std::string, SessionView> sessions_;
  std::vector<std::string> notes_, nodes_;  // of the last rows told
  Node node_;
  std::string path_;
};

TEST_F(LiveRowsTest, AFittedTreeIsWhatTheIncludeSays) {
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read"));
  content_.roots.clear();
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read"));
}

TEST_F(LiveRowsTest, AChmodThatCutsTheMaskIsLess) {
  At("/srv/x/in/deep/file").access.mask = posix::kExecute;
  Put();
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list"));
  EXPECT_THAT(notes_, ElementsAre("account:bea /srv/x/in: /srv/x/in/deep"));
  At("/srv/x/in/deep").access.mask = posix::kWrite;
  Put();
  // Nobody enters without x; the row is still there, for the include has it.
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in "));
}

// What makes a row other than the include has it: its time is what drift tells.
TEST_F(LiveRowsTest, NamesTheNodesThatMakeARowWhatItIs) {
  Told();
  EXPECT_THAT(nodes_, testing::IsEmpty());
  At("/srv/x/in/deep/file").access.mask = posix::kExecute;
  Put();
  Told();
  EXPECT_THAT(nodes_, ElementsAre("account:bea /srv/x/in: /srv/x/in/deep/file"));
  FitTree();
  At("/srv/x/out").access.users[kBea] = 5;
  node_.access.mask = 5;
  Put();
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read",
                                  "account:bea subtree /srv/x/out list"));
  EXPECT_THAT(nodes_, ElementsAre("account:bea /srv/x/out: /srv/x/out"));
  FitTree();
  sessions_["bea"].allowed = Right::kList;
  Told();
  EXPECT_THAT(nodes_, ElementsAre("account:bea /srv/x/in: its session"));
  sessions_.clear();
  for (const char* path : {"/srv/x", "/srv/x/out"}) {
    At(path).access.other = 5;
    Put();
  }
  Told();
  EXPECT_THAT(nodes_, testing::Contains("everyone /srv/x: /srv/x/out"));
}

// Which folders it is that make a row less is said, of many the first.
TEST_F(LiveRowsTest, NamesTheFoldersThatCutARow) {
  for (const char* name : {"a", "b", "c", "d"}) {
    const std::string path = std::string("/srv/x/in/") + name;
    tree_.Put(path, Plain(Node::Type::kFolder));
    At(path).access.other = 0;
    Put();
  }
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in "));
  EXPECT_THAT(notes_, ElementsAre("account:bea /srv/x/in: /srv/x/in/a, /srv/x/in/b, /srv/x/in/c "
                                  "and 1 more folder"));
  FitTree();
  Told();
  EXPECT_THAT(notes_, testing::IsEmpty());
  At("/srv/x/in").access.users.erase(kBea);
  Put();
  Told();
  EXPECT_THAT(notes_, testing::IsEmpty()) << "the row's own path needs no name";
}

TEST_F(LiveRowsTest, AnExtraEntryIsARowOfItsAccount) {
  At("/srv/x/in/deep").access.users[kAna] = 5;
  Put();
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read"))
      << "ana can't get there";
  for (const char* path : {"/srv/x", "/srv/x/in"}) {
    At(path).access.users[kAna] = posix::kExecute;
    posix::SetMask(&node_.access);
    Put();
  }
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read",
                                  "account:ana subtree /srv/x/in/deep list"));
}

TEST_F(LiveRowsTest, WhatIsWiderAddsToTheRowOfTheSameKey) {
  for (const char* path : {"/srv/x/in", "/srv/x/in/deep"}) {
    At(path).access.users[kBea] = 7;
    posix::SetMask(&node_.access);
    Put();
  }
  sessions_["bea"].allowed = kLook | Right::kCreate;
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list, read, create"));
  At("/srv/x/in/deep").access.users[kBea] = 5;
  Put();
  EXPECT_THAT(Told(), ElementsAre("account:bea this /srv/x/in create",
                                  "account:bea subtree /srv/x/in list, read"));
}

TEST_F(LiveRowsTest, OtherIsEveryone) {
  At("/srv/x").access.other = 5;
  Put();
  const auto told = Told();
  EXPECT_THAT(told, testing::Contains("everyone subtree /srv/x list"));
  EXPECT_THAT(told, testing::Contains("account:ana this /srv/x list"));
}

TEST_F(LiveRowsTest, AMovedInFileIsMoreForWhoReachesIt) {
  Node moved = Plain(Node::Type::kFile);
  moved.access.other = posix::kRead | posix::kWrite;
  tree_.Put("/srv/x/in/moved", moved);
  EXPECT_THAT(Told(), ElementsAre("account:bea this /srv/x/in overwrite",
                                  "account:bea subtree /srv/x/in list, read"));
}

TEST_F(LiveRowsTest, WhatAnAccountMadeIsItsOwn) {
  content_.rows = {Row("/srv/x/in", "bea", kLook), Row("/srv/x/out", "bea", kChange)};
  FitTree();
  Node made = Plain(Node::Type::kFile);
  made.uid = kBea;
  made.access.group = made.access.other = 0;
  tree_.Put("/srv/x/out/made", made);
  EXPECT_EQ(Told().size(), 2u);
  tree_.Put("/srv/x/in/given", made);
  EXPECT_THAT(Told(), testing::Contains("account:bea this /srv/x/in overwrite"))
      << "she can't have made it there: somebody gave it to her";
}

TEST_F(LiveRowsTest, SessionsThatMayAskForLessCutTheRow) {
  sessions_["bea"].allowed = Right::kList;
  EXPECT_THAT(Told(), ElementsAre("account:bea subtree /srv/x/in list"));
}

TEST_F(LiveRowsTest, ARowOfWhoIsGoneStays) {
  content_.rows = {Row("/srv/x/in", "gone", kLook)};
  FitTree();
  EXPECT_THAT(Told(), ElementsAre("account:gone subtree /srv/x/in list, read"));
}

TEST_F(LiveRowsTest, WithoutAnIncludeWhatTheTreeGivesIsTold) {
  content_ = {};
  for (const char* path : {"/srv/x", "/srv/x/in", "/srv/x/in/deep", "/srv/x/out"}) {
    tree_.Put(path, Plain(Node::Type::kFolder));
  }
  EXPECT_THAT(Told(),
              ElementsAre("account:ana subtree /srv/x list", "account:bea subtree /srv/x list",
                          "account:bea subtree /srv/x/in read"));
}

}  // namespace
}  // namespace postern::filetransfer
