// file-transfer.md section 6 on the real file system: each trap by its name, what cp, mv, chmod and
// setfacl really do beside what the library says.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "providers/filetransfer/posix/access.h"
#include "providers/filetransfer/posix/fit.h"
#include "tests/live/openssh_product/estate.h"
#include "tests/live/openssh_product/machine.h"

namespace postern::posix {
namespace {

using live::Estate;
using live::PlainNode;
using support::RunCommand;
using ::testing::HasSubstr;
using Type = Node::Type;

const Credentials kUser{.uid = 30001, .gid = 31000};

class PosixTraps : public ::testing::Test {
 protected:
  void SetUp() override {
    Node in = PlainNode(Type::kFolder);
    in.access.users[30001] = 7;
    SetMask(&in.access);
    in.default_acl = in.access;
    estate_.WriteFolders({{"/srv/w", PlainNode(Type::kFolder)},
                          {"/srv/w/in", in},
                          {"/srv/w/out", PlainNode(Type::kFolder)},
                          {"/srv/w/out/f", PlainNode(Type::kFile, 4)}});
  }
  void TearDown() override { live::Machine::Get().ExpectOutsideUnchanged(); }

  static void Run(const std::vector<std::string>& command) {
    const support::RunResult run = RunCommand(command);
    ASSERT_EQ(run.exit, 0) << run.err;
  }

  static Tree Read() {
    const auto way = RunCommand({"getfacl", "-n", "-p", "/", "/srv"});
    const auto dump = RunCommand({"getfacl", "-R", "-n", "-p", "/srv/w"});
    Tree tree = *Tree::Parse(way.out + dump.out);
    const auto types = RunCommand({"find", "/srv", "/srv/w", "-printf", "%y %p\\0"});
    EXPECT_TRUE(tree.AddTypes(std::string("d /") + '\0' + types.out).has_value());
    return tree;
  }

  static std::vector<std::string> Findings(Finding::Kind kind) {
    std::vector<std::string> paths;
    for (const Finding& finding : FindingsIn(Read(), {{0, 30001}, {0, 31000}})) {
      if (finding.kind == kind) paths.push_back(finding.path);
    }
    return paths;
  }

  Estate estate_;
};

// "mv keeps the source's ACL, cp inherits: moved-in files are the usual hole."
TEST_F(PosixTraps, MovedInFilesKeepTheirAcl) {
  Run({"cp", "/srv/w/out/f", "/srv/w/in/copied"});
  Run({"mv", "/srv/w/out/f", "/srv/w/in/moved"});
  const Tree tree = Read();
  EXPECT_TRUE(tree.Find("/srv/w/in/copied")->access.users.contains(30001));
  EXPECT_TRUE(tree.Find("/srv/w/in/moved")->access.minimal());
  EXPECT_THAT(Findings(Finding::Kind::kNotInherited), ::testing::ElementsAre("/srv/w/in/moved"));
}

// A fit reaches what was moved in: its ACL is what the folder means, not where it came from.
TEST_F(PosixTraps, AFitReachesMovedInFiles) {
  Run({"mv", "/srv/w/out/f", "/srv/w/in/moved"});
  const std::vector<Wanted> wanted = {{"/srv/w/in", Depth::kSubtree, 30001, Right::kRead}};
  const auto fit = Fit(Read(), wanted, {.roots = {"/srv/w/in"}, .managed = {kUser}});
  ASSERT_TRUE(fit.has_value());
  ASSERT_EQ(RunCommand({"setfacl", "--restore=-"}, RestoreText(fit->changes)).exit, 0);
  const Tree tree = Read();
  EXPECT_TRUE(May(kUser, *tree.Chain("/srv/w/in/moved"), Right::kRead));
  EXPECT_FALSE(May(kUser, *tree.Chain("/srv/w/in/moved"), Right::kOverwrite));
  EXPECT_EQ(tree.Find("/srv/w/in/moved")->access.other, 0);
}

// "New directories copy the default ACL as both; new files lose x through the mask."
TEST_F(PosixTraps, NewEntriesAreAsNewEntrySays) {
  for (const uint32_t mode : {0644u, 0600u, 0666u, 0777u}) {
    const std::string file = fmt::format("/srv/w/in/f{:o}", mode);
    const std::string sub = fmt::format("/srv/w/in/d{:o}", mode);
    const auto made = RunCommand(
        {"python3", "-c",
         fmt::format("import os\nos.umask(0o027)\nos.close(os.open('{}', os.O_CREAT, 0o{:o}))\n"
                     "os.mkdir('{}', 0o{:o})",
                     file, mode, sub, mode)});
    ASSERT_EQ(made.exit, 0) << made.err;
    const Tree tree = Read();
    const Node& folder = *tree.Find("/srv/w/in");
    EXPECT_EQ(*tree.Find(file), NewEntry(folder, Credentials(), Type::kFile, mode, 027)) << file;
    EXPECT_EQ(*tree.Find(sub), NewEntry(folder, Credentials(), Type::kFolder, mode, 027)) << sub;
  }
}

TEST_F(PosixTraps, WithoutADefaultAclTheUmaskCounts) {
  const auto made = RunCommand(
      {"python3", "-c",
       "import os\nos.umask(0o027)\nos.close(os.open('/srv/w/out/g', os.O_CREAT, 0o666))"});
  ASSERT_EQ(made.exit, 0) << made.err;
  const Tree tree = Read();
  EXPECT_EQ(*tree.Find("/srv/w/out/g"),
            NewEntry(*tree.Find("/srv/w/out"), Credentials(), Type::kFile, 0666, 027));
}

// "Default ACL changes do not touch existing children."
TEST_F(PosixTraps, ADefaultAclDoesntTouchChildren) {
  Run({"cp", "/srv/w/out/f", "/srv/w/in/old"});
  Run({"setfacl", "-d", "-m", "u:30001:---", "/srv/w/in"});
  EXPECT_TRUE(May(kUser, *Read().Chain("/srv/w/in/old"), Right::kRead));
  EXPECT_THAT(Findings(Finding::Kind::kNotInherited), ::testing::ElementsAre("/srv/w/in/old"));
}

// "chmod 700 silently cut a named user to no rights (entries still listed as rwx)."
TEST_F(PosixTraps, ChmodWritesTheMask) {
  Run({"chmod", "700", "/srv/w/in"});
  Tree tree = Read();
  const Node& cut = *tree.Find("/srv/w/in");
  EXPECT_EQ(cut.access.users.at(30001), 7);
  EXPECT_EQ(cut.access.mask, 0);
  EXPECT_EQ(cut.access.group, 5);
  EXPECT_FALSE(Permits(cut, kUser, kExecute));
  EXPECT_THAT(Findings(Finding::Kind::kMaskDiffers), ::testing::Contains("/srv/w/in"));
  // "setfacl -m recomputes the mask and can re-grant everyone it had cut; -n keeps it."
  Run({"setfacl", "-n", "-m", "u:30002:r", "/srv/w/in"});
  EXPECT_FALSE(Permits(*Read().Find("/srv/w/in"), kUser, kExecute));
  Run({"setfacl", "-m", "u:30002:r", "/srv/w/in"});
  EXPECT_TRUE(Permits(*Read().Find("/srv/w/in"), kUser, 7));
}

// A fit doesn't re-grant by the mask: an entry by another hand stays cut as far as it was.
TEST_F(PosixTraps, AFitDoesntOpenWhatTheMaskHadCut) {
  Run({"chmod", "700", "/srv/w/in"});
  const std::vector<Wanted> wanted = {{"/srv/w/in", Depth::kSubtree, 30002, Right::kList}};
  const Credentials other{.uid = 30002, .gid = 31000};
  const auto fit = Fit(Read(), wanted, {.roots = {"/srv/w/in"}, .managed = {other}});
  ASSERT_TRUE(fit.has_value());
  ASSERT_EQ(RunCommand({"setfacl", "--restore=-"}, RestoreText(fit->changes)).exit, 0);
  const Tree tree = Read();
  EXPECT_TRUE(May(other, *tree.Chain("/srv/w/in"), Right::kList));
  EXPECT_FALSE(Permits(*tree.Find("/srv/w/in"), kUser, kRead));
}

// "FTP clients and SFTP setstat do this"; "stat shows the mask in the group bits."
TEST_F(PosixTraps, SetstatOverSftpCutsTheMaskAndStatShowsIt) {
  Node mine = PlainNode(Type::kFolder);
  mine.uid = 30001;
  mine.access.users[30002] = 7;
  SetMask(&mine.access);
  estate_.WriteFolders({{"/srv/w/mine", mine}});
  estate_.WriteAccounts({{.login = "u1", .uid = 30001, .gid = 31000}}, {{"g0", {31000, ""}}});
  estate_.WriteConfig("UsePAM no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n");
  ASSERT_TRUE(estate_.Start());
  EXPECT_THAT(estate_.Sftp("u1", "ls -la /srv/w\n").out, HasSubstr("drwxrwxr-x"));
  ASSERT_EQ(estate_.Sftp("u1", "chmod 700 /srv/w/mine\n").exit, 0);
  const Credentials second{.uid = 30002, .gid = 31000};
  const Tree tree = Read();
  EXPECT_EQ(tree.Find("/srv/w/mine")->access.users.at(30002), 7);
  EXPECT_FALSE(Permits(*tree.Find("/srv/w/mine"), second, kRead));
}

// Linux, not in POSIX.1e: with an empty mask a named user has what other has.
TEST_F(PosixTraps, AnEmptyMaskOpensANamedUserToWhatOtherHas) {
  Run({"setfacl", "-m", "u:30001:---,m::---,o::rx", "/srv/w/in"});
  const auto as = RunCommand(
      {"setpriv", "--reuid=30001", "--regid=31000", "--clear-groups", "ls", "/srv/w/in"});
  EXPECT_EQ(as.exit, 0) << as.err;
  EXPECT_TRUE(May(kUser, *Read().Chain("/srv/w/in"), Right::kList));
}

// "Uids aren't reused": the next account with the number has all that the last one had.
TEST_F(PosixTraps, ARecycledUidInheritsEverything) {
  EXPECT_TRUE(FindingsIn(Read(), {{0, 30001}, {0}}).empty());
  std::vector<Finding> gone = FindingsIn(Read(), {{0}, {0}});
  ASSERT_FALSE(gone.empty());
  EXPECT_EQ(gone[0].kind, Finding::Kind::kOrphanEntry);
  EXPECT_THAT(gone[0].why, HasSubstr("user:30001:rwx"));
}

// "a file name with newline": names come back as they are, and the batch writes to that very file.
TEST_F(PosixTraps, NamesWithNewlineAndEscapeSequences) {
  const std::string name = "/srv/w/in/a\n# file: \\012\x1b[2J\tb";
  std::ofstream(name) << "x";
  const Tree tree = Read();
  const Node* node = tree.Find(name);
  ASSERT_NE(node, nullptr);
  Node shut = *node;
  shut.access = {.owner = 6};
  ASSERT_EQ(RunCommand({"setfacl", "--restore=-"}, FormatRestore(name, shut, true)).exit, 0);
  EXPECT_EQ(Read().Find(name)->access, shut.access);
}

}  // namespace
}  // namespace postern::posix
