// Entries of ACLs for whom nobody manages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "providers/filetransfer/posix/foreign_entries.h"

namespace postern::posix {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ForeignEntries : public testing::Test {
 protected:
  ForeignEntries() {
    host_ = HostAccounts::Parse(
        "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n"
        "bea:x:30001:30000::/srv/x:/usr/sbin/nologin\n",
        "root:x:0:\nwww:x:33:\nftpusers:x:30000:\naudit:x:500:\n", "");
    for (const char* path : {"/", "/srv", "/srv/x"}) Put(path, 5);
    for (const char* path : {"/srv/x/in", "/srv/x/in/deep"}) Put(path, 0);
    tree_.Put("/srv/x/in/deep/file", {.type = Node::Type::kFile, .access = {.owner = 6}});
    Edit("/srv/x/in", [](Node& node) { node.access.users[30001] = 5; });
  }
  void Put(const std::string& path, Perm other) {
    tree_.Put(path, {.type = Node::Type::kFolder, .access = {.owner = 7, .other = other}});
  }
  template <class F>
  void Edit(const std::string& path, F edit) {
    Node node = *tree_.Find(path);
    edit(node);
    SetMask(&node.access);
    tree_.Put(path, node);
  }
  // "/srv/x/in user:www:r-x www: list +1", with "?" behind a number nobody has and "!" where it
  // isn't reached.
  std::vector<std::string> Told() const {
    const std::vector<Credentials> managed = {*host_.CredentialsOf("bea")};
    const std::vector<std::string> roots = {"/srv/x"};
    std::vector<std::string> out;
    for (const ForeignEntry& entry : ForeignEntriesIn(tree_, roots, managed, host_)) {
      out.push_back(entry.path + " " + entry.text + " " + entry.subject + (entry.known ? "" : "?") +
                    (entry.reached ? "" : "!") + ": " + access::Format(entry.rights) +
                    (entry.below > 0 ? " +" + std::to_string(entry.below) : ""));
    }
    return out;
  }

  HostAccounts host_;
  Tree tree_;
};

TEST_F(ForeignEntries, OursRootsAndThoseOfOurGroupsArentTold) {
  Edit("/srv/x/in", [](Node& node) {
    node.access.users[0] = 7;
    node.access.groups[30000] = 7;
  });
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(ForeignEntries, WhomAnEntryLetsInIsToldOnceForATree) {
  Edit("/srv/x/in", [](Node& node) { node.access.users[33] = 5; });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in user:www:r-x www: list"));
  Edit("/srv/x/in/deep", [](Node& node) { node.access.users[33] = 5; });
  Edit("/srv/x/in/deep/file", [](Node& node) { node.access.users[33] = 4; });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in user:www:r-x www: list, read +2"));
  // A way there is none by itself.
  Edit("/srv/x", [](Node& node) {
    node.access.other = 0;
    node.access.users[33] = 1;
  });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in user:www:r-x www: list, read +2"));
  Edit("/srv/x", [](Node& node) { node.access.users.erase(33); });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in user:www:r-x www!: list, read +2"));
}

TEST_F(ForeignEntries, AGroupsAndADefaultEntryAreTold) {
  Edit("/srv/x/in", [](Node& node) {
    node.access.groups[500] = 5;
    node.default_acl = Acl{.owner = 7, .groups = {{500, 7}}, .mask = 5};
  });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in group:audit:r-x,default:group:audit:rwx audit: "
                                  "list, read"))
      << "the default mask cuts what new files would give";
}

TEST_F(ForeignEntries, OnesThatGiveNothingArentToldUnlessNobodyHasTheirNumber) {
  Edit("/srv/x/in", [](Node& node) {
    node.access.users[33] = 0;
    node.access.users[40007] = 0;
  });
  EXPECT_THAT(Told(), ElementsAre("/srv/x/in user:40007:--- 40007?: "));
  Edit("/srv/x/in", [](Node& node) {
    node.access.users.erase(40007);
    node.access.users[33] = 5;
    node.access.other = 5;
  });
  EXPECT_THAT(Told(), IsEmpty()) << "everyone has that";
}

TEST_F(ForeignEntries, AreTakenAwayWithoutOpeningWhatTheMaskHadCut) {
  Edit("/srv/x/in", [](Node& node) { node.access.users[33] = 7; });
  Edit("/srv/x/in/deep", [](Node& node) {
    node.access.users[33] = 7;
    node.default_acl = Acl{.owner = 7, .users = {{33, 7}}, .mask = 7};
  });
  Node cut = *tree_.Find("/srv/x/in");
  cut.access.users[30001] = 7;
  cut.access.mask = 5;
  tree_.Put("/srv/x/in", cut);
  const std::vector<Credentials> managed = {*host_.CredentialsOf("bea")};
  const std::vector<std::string> roots = {"/srv/x"};
  const auto entries = ForeignEntriesIn(tree_, roots, managed, host_);
  for (const ForeignEntry& entry : entries) {
    for (const Change& change : WithoutEntries(tree_, entry.path, {&entry, 1})) {
      tree_.Put(change.path, change.after);
    }
  }
  EXPECT_THAT(Told(), IsEmpty());
  const Node& in = *tree_.Find("/srv/x/in");
  EXPECT_THAT(in.access.users, ElementsAre(std::pair<const uint32_t, Perm>(30001, 5)));
  EXPECT_EQ(in.access.mask, 5);
  const Node& deep = *tree_.Find("/srv/x/in/deep");
  EXPECT_TRUE(deep.access.minimal());
  EXPECT_TRUE(deep.default_acl->minimal());
}

TEST_F(ForeignEntries, WhatTheMaskCutsIsntInForce) {
  Edit("/srv/x/in", [](Node& node) { node.access.users[33] = 7; });
  Node node = *tree_.Find("/srv/x/in");
  node.access.mask = 1;
  tree_.Put("/srv/x/in", node);
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace postern::posix
