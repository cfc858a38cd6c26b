// Text of account files and getfacl, and the traps of POSIX ACLs that are decided by text alone.
// Whether the kernel agrees is shown in tests/live/openssh_product.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "providers/filetransfer/posix/access.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/posix/tree.h"

namespace postern::posix {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Accounts, LinesAreReadAndWhatIsNoneIsTold) {
  const HostAccounts host = HostAccounts::Parse(
      "root:x:0:0:root:/root:/bin/bash\nbea:x:2001:2100:Bea:/srv/bea:/usr/sbin/nologin\n"
      "bea:x:0:0::/:/bin/sh\ntwin:x:2001:2100::/:/bin/sh\nbroken:x:1\n+@netgroup\n:x:0:0::/:\n",
      "ops:x:2100:\nin:x:2101:bea,twin\nout:x:2102:bea\n",
      "bea:$6$salt$hash:19000:0:90:7:30:20000:\ntwin:!*:19000::::::\n");
  ASSERT_THAT(host.users(), SizeIs(3));
  // The second line of a name never counts, even where it says uid 0.
  EXPECT_EQ(host.FindUser("bea")->uid, 2001u);
  EXPECT_THAT(host.problems(), SizeIs(4));
  EXPECT_THAT(host.NamesOf(2001), ElementsAre("bea", "twin"));
  EXPECT_THAT(host.GroupNamesOf(*host.FindUser("bea")), ElementsAre("ops", "in", "out"));
  const Shadow& bea = *host.FindShadow("bea");
  EXPECT_EQ(bea.password, PasswordState::kHash);
  EXPECT_EQ(bea.expires, 20000);
  EXPECT_EQ(bea.max_days, 90);
  EXPECT_EQ(bea.inactive_days, 30);
  EXPECT_EQ(host.FindShadow("twin")->password, PasswordState::kLocked);
  EXPECT_FALSE(host.FindShadow("twin")->expires.has_value());
}

TEST(Accounts, CredentialsAreThoseOfInitgroups) {
  const HostAccounts host = HostAccounts::Parse(
      "bea:x:2001:2100::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n", "in:x:2102:bea\nx:x:2101:bea\n", "");
  const auto bea = host.CredentialsOf("bea");
  ASSERT_TRUE(bea.has_value());
  EXPECT_THAT(bea->groups, ElementsAre(2101u, 2102u));
  EXPECT_TRUE(bea->In(2100) && bea->In(2101) && !bea->In(2103));
  EXPECT_FALSE(bea->dac_override);
  EXPECT_TRUE(host.CredentialsOf("root")->dac_override);
  EXPECT_EQ(host.CredentialsOf("nobody").error().code, ErrorCode::kNotFound);
}

TEST(Accounts, OneFromElsewhereStandsBesideAndNeverBefore) {
  HostAccounts host =
      HostAccounts::Parse("ana:x:2001:2100::/:/bin/sh\n", "mark:x:2100:bea\nother:x:2102:\n", "");
  host.AddElsewhere(Group{.name = "people", .gid = 3100, .members = {}});
  host.AddElsewhere(
      Group{.name = "mark", .gid = 3200, .members = {"mal"}});           // a name that is known
  host.AddElsewhere(Group{.name = "twin", .gid = 2102, .members = {}});  // a number that is
  const Shadow shadow{.name = "bea", .expires = 20000};
  host.AddElsewhere(User{.name = "bea", .uid = 3001, .gid = 3100, .home = "/srv"}, &shadow,
                    {2100, 2102, 3100});
  host.AddElsewhere(User{.name = "ana", .uid = 0, .gid = 0}, nullptr, {0});
  EXPECT_EQ(host.FindUser("ana")->uid, 2001u);
  EXPECT_FALSE(host.FindUser("ana")->elsewhere);
  EXPECT_TRUE(host.FindUser("bea")->elsewhere);
  EXPECT_EQ(host.FindShadow("bea")->expires, 20000);
  EXPECT_THAT(host.FindGroup("mark")->members, ElementsAre("bea"));
  EXPECT_EQ(host.FindGroup("twin"), nullptr);
  EXPECT_TRUE(host.FindGroup("people")->elsewhere);
  EXPECT_THAT(host.GroupNamesOf(*host.FindUser("bea")), ElementsAre("people", "mark", "other"));
  EXPECT_THAT(host.CredentialsOf("bea")->groups, ElementsAre(2100u, 2102u, 3100u));
}

TEST(Accounts, StatesOfAPasswordField) {
  EXPECT_EQ(StateOf(""), PasswordState::kEmpty);
  EXPECT_EQ(StateOf("*"), PasswordState::kNone);
  EXPECT_EQ(StateOf("x"), PasswordState::kNone);
  EXPECT_EQ(StateOf("!"), PasswordState::kLocked);
  EXPECT_EQ(StateOf("!$6$a$b"), PasswordState::kLocked);
  EXPECT_EQ(StateOf("$y$j9T$a$b"), PasswordState::kHash);
}

// The day is a UTC day, and of PAM and plain sshd the one that lets in longer is meant.
TEST(Accounts, ExpiryIsRoundedTowardLess) {
  const int64_t day = 20000;
  const auto last_second = (day + 1) * kSecondsPerDay - 1;
  // Open to the end of day 20000: plain sshd refuses from day 20001 on when 20000 is written.
  EXPECT_EQ(ExpiryDayFor(last_second), day);
  EXPECT_EQ(ExpiryDayFor(last_second - 1), day - 1);
  EXPECT_EQ(ExpiryDayFor(last_second + 1), day);
  EXPECT_EQ(ExpiryDayFor(-5), kLockDay);
  for (const bool pam : {false, true}) {
    EXPECT_EQ(DayWritten(last_second, pam), pam ? day + 1 : day);
    EXPECT_EQ(LastSecondOf(DayWritten(last_second, pam), pam), last_second);
  }
}

TEST(Tree, NamesCarryOctalEscapes) {
  for (const std::string name : {"/a\nb", "/a\\b", "/a\\\\012", "/plain", "/a\r", "/tab\there"}) {
    EXPECT_EQ(UnescapeName(EscapeName(name)), name);
    EXPECT_EQ(EscapeName(name).find('\n'), std::string::npos);
  }
  EXPECT_EQ(UnescapeName("/n\\012l\\\\b"), "/n\nl\\b");
}

constexpr std::string_view kDump =
    "# file: /srv\n# owner: 0\n# group: 0\nuser::rwx\ngroup::r-x\nother::r-x\n\n"
    "# file: /srv/in\n# owner: 0\n# group: 2100\n# flags: -st\nuser::rwx\n"
    "user:2001:rwx\t#effective:r-x\ngroup::r-x\nmask::r-x\nother::---\n"
    "default:user::rwx\ndefault:user:2001:rw-\ndefault:group::---\ndefault:mask::rw-\n"
    "default:other::---\n\n";

TEST(Tree, ADumpIsReadAndWrittenAgain) {
  const auto tree = Tree::Parse(kDump);
  ASSERT_TRUE(tree.has_value()) << tree.error().message;
  const Node* node = tree->Find("/srv/in");
  ASSERT_NE(node, nullptr);
  EXPECT_TRUE(node->set_gid && node->sticky && !node->set_uid);
  EXPECT_EQ(node->gid, 2100u);
  // The number is the entry; "#effective:" is decoration.
  EXPECT_EQ(node->access.users.at(2001), 7);
  EXPECT_EQ(node->access.mask, 5);
  ASSERT_TRUE(node->default_acl.has_value());
  EXPECT_EQ(node->default_acl->users.at(2001), 6);
  const auto again = Tree::Parse(FormatRestore("/srv/in", *node, true));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->Find("/srv/in")->access, node->access);
  EXPECT_EQ(again->Find("/srv/in")->default_acl, node->default_acl);
}

TEST(Tree, ACutTextIsIncompleteAndNeverFewerNodes) {
  const std::string whole(kDump);
  size_t incomplete = 0;
  for (size_t size = 1; size < whole.size(); ++size) {
    const auto tree = Tree::Parse(std::string_view(whole).substr(0, size));
    // Between two blocks a cut can't be seen in the text: the frame of the transport counts bytes.
    if (tree.has_value()) {
      EXPECT_TRUE(whole.substr(0, size).ends_with("\n\n")) << size;
    } else {
      ++incomplete;
    }
  }
  EXPECT_EQ(incomplete, whole.size() - 2);
  EXPECT_EQ(Tree::Parse("# file: /a\nuser:bea:rwx\n").error().code, ErrorCode::kInvalid);
}

TEST(Tree, AChainWithAHoleIsIncomplete) {
  auto tree = *Tree::Parse(kDump);
  const auto chain = tree.Chain("/srv/in");
  ASSERT_FALSE(chain.has_value());
  EXPECT_EQ(chain.error().code, ErrorCode::kIncomplete);
  EXPECT_THAT(chain.error().message, HasSubstr("/ was not read"));
  tree.Put("/", Node{});
  EXPECT_EQ(tree.Chain("/srv/in")->size(), 3u);
  EXPECT_EQ(tree.Chain("/")->size(), 1u);
}

Node Folder(Acl acl) {
  return {.type = Node::Type::kFolder, .access = std::move(acl)};
}
const Credentials kBea{.uid = 2001, .gid = 2100, .groups = {2101, 2102}};

// file-transfer.md section 6: chmod g= writes the mask. Linux: an empty mask turns the ACL off.
TEST(Traps, AnEmptyMaskGivesANamedUserWhatOtherHas) {
  Node node = Folder({.owner = 7, .users = {{2001, 7}}, .group = 5, .mask = 0, .other = 5});
  EXPECT_TRUE(Permits(node, kBea, kRead | kExecute));
  EXPECT_FALSE(Permits(node, kBea, kWrite));
  EXPECT_THAT(WhyEntryDiffers(node.access, 7), HasSubstr("counts as other (r-x)"));
  node.access.mask = 1;
  EXPECT_FALSE(Permits(node, kBea, kRead));
  EXPECT_THAT(WhyEntryDiffers(node.access, 7), HasSubstr("cuts rwx to --x"));
}

// chmod 700: entries look as before and are void.
TEST(Traps, ChmodCutsNamedEntriesThroughTheMask) {
  const Node node = Folder({.owner = 7, .users = {{2001, 7}}, .group = 5, .mask = 0, .other = 0});
  EXPECT_FALSE(Permits(node, kBea, kExecute));
}

TEST(Traps, GroupEntriesAreNoUnion) {
  const Node node = Folder({.owner = 7, .groups = {{2101, 5}, {2102, 3}}, .mask = 7, .other = 0});
  EXPECT_TRUE(Permits(node, kBea, kRead) && Permits(node, kBea, kWrite));
  EXPECT_FALSE(Permits(node, kBea, kRead | kWrite));
}

TEST(Traps, AUserEntryHidesGroupEntriesAndTheOwnerEntryHidesBoth) {
  Node node =
      Folder({.owner = 0, .users = {{2001, 1}}, .groups = {{2101, 7}}, .mask = 7, .other = 7});
  EXPECT_FALSE(Permits(node, kBea, kRead));
  node.uid = 2001;
  EXPECT_FALSE(Permits(node, kBea, kExecute));
}

TEST(Traps, NewEntriesComeByTheDefaultAclAndTheMakersMode) {
  Node folder = Folder({.owner = 7});
  folder.default_acl = Acl{.owner = 7, .users = {{2002, 7}}, .mask = 7};
  // A client that sends 0644 cuts the named user to r through the mask; the umask isn't asked.
  const Node file = NewEntry(folder, kBea, Node::Type::kFile, 0644, 0077);
  EXPECT_EQ(file.access.mask, kRead);
  EXPECT_TRUE(Permits(file, {.uid = 2002}, kRead));
  EXPECT_FALSE(Permits(file, {.uid = 2002}, kWrite));
  const Node sub = NewEntry(folder, kBea, Node::Type::kFolder, 0777, 0077);
  EXPECT_EQ(sub.default_acl, folder.default_acl);
  EXPECT_TRUE(Permits(sub, {.uid = 2002}, 7));
}

Tree SmallTree() {
  Tree tree;
  tree.Put("/", Folder({.owner = 7, .group = 5, .other = 5}));
  Node in = Folder({.owner = 7, .users = {{2001, 7}}, .mask = 7});
  in.default_acl = Acl{.owner = 7, .users = {{2001, 6}}, .mask = 6};
  tree.Put("/in", in);
  return tree;
}

KnownIds Known() {
  return {.uids = {0, 2001}, .gids = {0, 2100}};
}

// `mv` keeps the ACL of where the file came from.
TEST(Traps, AMovedInFileIsToldBecauseItKeepsItsOwnAcl) {
  Tree tree = SmallTree();
  EXPECT_THAT(FindingsIn(tree, Known()), IsEmpty());
  Node file{.type = Node::Type::kFile,
            .access = {.owner = 6, .users = {{2001, 6}}, .mask = 4, .other = 0}};
  tree.Put("/in/made-here", file);
  auto findings = FindingsIn(tree, Known());
  ASSERT_THAT(findings, SizeIs(1));  // the maker's 0644 cut w: told as such, not as moved in
  EXPECT_EQ(findings[0].kind, Finding::Kind::kMaskDiffers);
  file.access = {.owner = 6, .other = 4};
  tree.Put("/in/made-here", file);
  findings = FindingsIn(tree, Known());
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].kind, Finding::Kind::kNotInherited);
  EXPECT_EQ(findings[0].path, "/in/made-here");
}

TEST(Traps, NumbersThatNoAccountHasAreTold) {
  Tree tree = SmallTree();
  Node file{.type = Node::Type::kFile, .uid = 3000, .gid = 2100};
  file.access = {.owner = 6, .users = {{3001, 4}}, .mask = 4};
  tree.Put("/x", file);
  const auto findings = FindingsIn(tree, Known());
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings[0].kind, Finding::Kind::kOrphanOwner);
  EXPECT_EQ(findings[1].kind, Finding::Kind::kOrphanEntry);
  EXPECT_THAT(findings[1].why, HasSubstr("user:3001:r--"));
}

TEST(Traps, OthersInASharedStickyFolderCanBeGuardedByTheKernel) {
  Node folder = Folder({.owner = 7, .group = 7, .other = 7});
  folder.sticky = true;
  const Node file{.type = Node::Type::kFile, .uid = 9, .access = {.owner = 6, .other = 6}};
  const std::vector<const Node*> chain = {&folder, &file};
  EXPECT_TRUE(May(kBea, chain, Right::kOverwrite, {.protected_regular = 0}));
  EXPECT_FALSE(May(kBea, chain, Right::kOverwrite, {.protected_regular = 1}));
  EXPECT_FALSE(May(kBea, chain, Right::kDelete));
  EXPECT_TRUE(May(Root(), chain, Right::kDelete));
}

}  // namespace
}  // namespace postern::posix
