// The kernel against posix::May: random trees of owners, modes, ACLs, masks, sticky and set-gid
// bits, written with setfacl --restore, read back with getfacl and find; every account tries every
// right with the system call itself.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "providers/filetransfer/posix/access.h"
#include "providers/filetransfer/posix/fit.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/process.h"

namespace postern::posix {
namespace {

using live::Machine;
using support::RunCommand;

constexpr uint32_t kUids[] = {20001, 20002, 20003, 20004};
constexpr uint32_t kGids[] = {21001, 21002, 21003};
const std::string kRoot = "/srv/world";

// Becomes somebody for the file system, for as long as it stands.
class As {
 public:
  explicit As(const Credentials& who) {
    std::vector<gid_t> groups(who.groups.begin(), who.groups.end());
    EXPECT_EQ(::setgroups(groups.size(), groups.data()), 0);
    EXPECT_EQ(::setegid(who.gid), 0);
    EXPECT_EQ(::seteuid(who.uid), 0);
  }
  ~As() {
    EXPECT_EQ(::seteuid(0), 0);
    EXPECT_EQ(::setegid(0), 0);
    EXPECT_EQ(::setgroups(0, nullptr), 0);
  }
  As(const As&) = delete;
  As& operator=(const As&) = delete;
};

bool Opens(const std::string& path, int flags, mode_t mode = 0) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (file >= 0) ::close(file);
  return file >= 0;
}

// The bytes of an ACL, to put a folder back as it was.
std::string RawAcl(const std::string& path, const char* name) {
  char buffer[4096];
  const ssize_t size = ::lgetxattr(path.c_str(), name, buffer, sizeof buffer);
  return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : "";
}

void MakeAgain(const std::string& path, const struct stat& at, const std::string& access,
               const std::string& fallback) {
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(::chown(path.c_str(), at.st_uid, at.st_gid), 0);
  ASSERT_EQ(::removexattr(path.c_str(), "system.posix_acl_access") == 0 || errno == ENODATA ||
                errno == EOPNOTSUPP,
            true);
  ::removexattr(path.c_str(), "system.posix_acl_default");
  ASSERT_EQ(::chmod(path.c_str(), at.st_mode & 07777), 0);
  const auto set = [&](const char* name, const std::string& raw) {
    if (raw.empty()) return;
    ASSERT_EQ(::setxattr(path.c_str(), name, raw.data(), raw.size(), 0), 0);
  };
  set("system.posix_acl_access", access);
  set("system.posix_acl_default", fallback);
}

int ReadSwitch(const char* name) {
  std::ifstream file(std::string("/proc/sys/fs/") + name);
  int value = 0;
  file >> value;
  return value;
}

KernelRules Rules() {
  return {.protected_regular = ReadSwitch("protected_regular"),
          .protected_hardlinks = ReadSwitch("protected_hardlinks") != 0};
}

// Tries one right in `folder` with the system call, and puts everything back.
bool Try(const Credentials& who, const std::string& folder, Right right) {
  const std::string file = folder + "/p.file", kept = kRoot + "-kept", made = folder + "/p.new",
                    sub = folder + "/p.dir";
  bool done = false;
  struct stat at = {};
  switch (right) {
    case Right::kList: {
      const As as(who);
      return Opens(folder, O_RDONLY | O_DIRECTORY) && ::lstat(file.c_str(), &at) == 0;
    }
    case Right::kRead: {
      const As as(who);
      return Opens(file, O_RDONLY);
    }
    case Right::kOverwrite:
      EXPECT_EQ(::stat(file.c_str(), &at), 0);
      {
        const As as(who);
        done = Opens(file, O_WRONLY | O_CREAT | O_TRUNC, 0666);
      }
      // Who truncates a file takes its set-gid bit away.
      if (done) ::chmod(file.c_str(), at.st_mode & 07777);
      return done;
    case Right::kChmod:
      EXPECT_EQ(::stat(file.c_str(), &at), 0);
      {
        const As as(who);
        done = ::chmod(file.c_str(), at.st_mode & 07777) == 0;
      }
      // The kernel drops set-gid where the caller isn't of the group.
      if (done) ::chmod(file.c_str(), at.st_mode & 07777);
      return done;
    case Right::kCreate: {
      {
        const As as(who);
        done = Opens(made, O_WRONLY | O_CREAT | O_EXCL, 0666);
      }
      ::unlink(made.c_str());
      return done;
    }
    case Right::kMkdir: {
      {
        const As as(who);
        done = ::mkdir(made.c_str(), 0777) == 0;
      }
      ::rmdir(made.c_str());
      return done;
    }
    case Right::kDelete:
      EXPECT_EQ(::link(file.c_str(), kept.c_str()), 0);
      {
        const As as(who);
        done = ::unlink(file.c_str()) == 0;
      }
      if (done) {
        EXPECT_EQ(::link(kept.c_str(), file.c_str()), 0);
      }
      ::unlink(kept.c_str());
      return done;
    case Right::kRename: {
      {
        const As as(who);
        done = ::rename(file.c_str(), made.c_str()) == 0;
      }
      if (done) {
        EXPECT_EQ(::rename(made.c_str(), file.c_str()), 0);
      }
      return done;
    }
    case Right::kRmdir: {
      EXPECT_EQ(::stat(sub.c_str(), &at), 0);
      const std::string access = RawAcl(sub, "system.posix_acl_access");
      const std::string fallback = RawAcl(sub, "system.posix_acl_default");
      {
        const As as(who);
        done = ::rmdir(sub.c_str()) == 0;
      }
      if (done) MakeAgain(sub, at, access, fallback);
      return done;
    }
  }
  return false;
}

bool TryLink(const Credentials& who, const std::string& file) {
  const std::string target = "/srv/open/link";
  bool done = false;
  {
    const As as(who);
    done = ::link(file.c_str(), target.c_str()) == 0;
  }
  if (done) ::unlink(target.c_str());
  return done;
}

bool TryMoveOut(const Credentials& who, const std::string& sub) {
  const std::string target = "/srv/open/moved";
  bool done = false;
  {
    const As as(who);
    done = ::rename(sub.c_str(), target.c_str()) == 0;
  }
  if (done) {
    EXPECT_EQ(::rename(target.c_str(), sub.c_str()), 0);
  }
  return done;
}

class World {
 public:
  explicit World(uint32_t seed) : random_(seed) {
    for (const char* folder : {"/srv/world", "/srv/open"}) {
      support::RunCommand({"rm", "-rf", folder});
      ::mkdir(folder, 0755);
    }
    ::chmod("/srv/open", 0777);
    for (const char* name : {"a", "a/b", "a/b/c", "d", "a b", "n\nl\\x"}) {
      const std::string folder = kRoot + "/" + name;
      ::mkdir(folder.c_str(), 0755);
      ::mkdir((folder + "/p.dir").c_str(), 0755);
      std::ofstream(folder + "/p.file") << "old";
      wanted_[folder] = RandomNode(Node::Type::kFolder);
      wanted_[folder + "/p.file"] = RandomNode(Node::Type::kFile);
      wanted_[folder + "/p.dir"] = RandomNode(Node::Type::kFolder);
      folders_.push_back(folder);
    }
  }

  void Write() {
    std::string text;
    for (const auto& [path, node] : wanted_) text += FormatRestore(path, node, true);
    const support::RunResult run = RunCommand({"setfacl", "--restore=-"}, text);
    ASSERT_EQ(run.exit, 0) << run.err;
  }

  Tree Read() {
    const support::RunResult way = RunCommand({"getfacl", "-n", "-p", "/", "/srv"});
    const support::RunResult dump = RunCommand({"getfacl", "-R", "-n", "-p", kRoot});
    Result<Tree> tree = Tree::Parse(way.out + dump.out);
    EXPECT_TRUE(tree.has_value()) << tree.error().message;
    const support::RunResult below = RunCommand({"find", "/srv", "-printf", "%y %p\\0"});
    EXPECT_TRUE(tree->AddTypes(std::string("d /") + '\0' + below.out).has_value());
    return std::move(*tree);
  }

  // Drawn anew at each call.
  std::vector<Credentials> Accounts() {
    std::vector<Credentials> accounts;
    for (const uint32_t uid : kUids) {
      Credentials who{.uid = uid, .gid = kGids[Below(3)]};
      for (const uint32_t gid : kGids) {
        if (Below(2) == 0) who.groups.push_back(gid);
      }
      accounts.push_back(who);
    }
    return accounts;
  }

  const std::vector<std::string>& folders() const { return folders_; }
  const Tree::Nodes& wanted() const { return wanted_; }

 private:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_()) % n; }
  // Often x, so that something deeper is reached.
  Perm RandomPerm() { return static_cast<Perm>(Below(8) | (Below(3) == 0 ? 0 : kExecute)); }

  Acl RandomAcl() {
    Acl acl{.owner = RandomPerm(), .group = RandomPerm(), .other = RandomPerm()};
    if (Below(3) == 0) return acl;
    for (const uint32_t uid : kUids) {
      if (Below(3) == 0) acl.users[uid] = RandomPerm();
    }
    for (const uint32_t gid : kGids) {
      if (Below(3) == 0) acl.groups[gid] = RandomPerm();
    }
    SetMask(&acl);
    if (!acl.mask) acl.mask = acl.group;
    if (Below(3) == 0) acl.mask = static_cast<Perm>(Below(8));
    if (Below(6) == 0) acl.mask = Perm{0};
    return acl;
  }

  Node RandomNode(Node::Type type) {
    Node node{.type = type, .access = RandomAcl()};
    node.uid = Below(3) == 0 ? 0 : kUids[Below(4)];
    node.gid = Below(3) == 0 ? 0 : kGids[Below(3)];
    node.set_gid = Below(5) == 0;
    if (type != Node::Type::kFolder) return node;
    node.sticky = Below(3) == 0;
    if (Below(2) == 0) node.default_acl = RandomAcl();
    return node;
  }

  std::mt19937 random_;
  Tree::Nodes wanted_;
  std::vector<std::string> folders_;
};

class Kernel : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(Machine::Get().entered()); }
  void TearDown() override { Machine::Get().ExpectOutsideUnchanged(); }
};

constexpr Right kRights[] = {Right::kList,      Right::kRead,   Right::kCreate,
                             Right::kOverwrite, Right::kDelete, Right::kRename,
                             Right::kMkdir,     Right::kRmdir,  Right::kChmod};

// The chain on which May decides this right.
std::vector<const Node*> ChainFor(const Tree& tree, const std::string& folder, Right right) {
  std::string path = folder;
  if (right == Right::kRmdir) path += "/p.dir";
  if (right != Right::kRmdir && right != Right::kList && right != Right::kCreate &&
      right != Right::kMkdir) {
    path += "/p.file";
  }
  auto chain = tree.Chain(path);
  EXPECT_TRUE(chain.has_value()) << chain.error().message;
  return chain ? *chain : std::vector<const Node*>();
}

TEST_F(Kernel, DecidesAsMaySays) {
  const bool full = live::FullCampaign();
  const uint32_t worlds = full ? 300 : 30;
  const KernelRules rules = Rules();
  size_t decisions = 0, allowed = 0, differences = 0;
  for (uint32_t seed = 1; seed <= worlds; ++seed) {
    World world(seed);
    ASSERT_NO_FATAL_FAILURE(world.Write());
    const Tree tree = world.Read();
    for (const auto& [path, node] : world.wanted()) {
      const Node* read = tree.Find(path);
      ASSERT_NE(read, nullptr) << path;
      EXPECT_EQ(FormatRestore(path, *read, true), FormatRestore(path, node, true));
      EXPECT_EQ(read->type, node.type) << path;
    }
    const auto compare = [&](const std::string& what, bool said, bool did) {
      ++decisions;
      allowed += did;
      if (said == did) return;
      ++differences;
      ADD_FAILURE() << "seed " << seed << ": " << what << ": May says " << said << ", the kernel "
                    << did;
    };
    for (const Credentials& who : world.Accounts()) {
      for (const std::string& folder : world.folders()) {
        for (const Right right : kRights) {
          compare(fmt::format("{} {} in {}", who.uid, NameOf(right), folder),
                  May(who, ChainFor(tree, folder, right), right, rules), Try(who, folder, right));
        }
        const auto file = tree.Chain(folder + "/p.file");
        compare(fmt::format("{} link {}", who.uid, folder), MayLink(who, *file, rules),
                TryLink(who, folder + "/p.file"));
        const auto sub = tree.Chain(folder + "/p.dir");
        compare(fmt::format("{} moves out {}/p.dir", who.uid, folder), MayMoveOut(who, *sub),
                TryMoveOut(who, folder + "/p.dir"));
      }
      ASSERT_LT(differences, 10u);
    }
  }
  EXPECT_EQ(decisions, worlds * 4 * 6 * 11);
  EXPECT_GT(allowed, decisions / 20);
  std::printf("%zu decisions, %zu of them allowed\n", decisions, allowed);
}

// Wanted rows on a random tree: one run of setfacl, read back, nothing left to do, and a second run
// of the same text changes nothing.
TEST_F(Kernel, AFittedTreeIsFittedAfterSetfacl) {
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    World world(1000 + seed);
    ASSERT_NO_FATAL_FAILURE(world.Write());
    std::mt19937 random(seed);
    FitQuestion question{.roots = {kRoot}, .managed = world.Accounts()};
    std::vector<Wanted> wanted;
    for (int i = 0; i < 5; ++i) {
      wanted.push_back({world.folders()[random() % world.folders().size()],
                        random() % 2 ? access::Depth::kThis : access::Depth::kSubtree,
                        kUids[random() % 4], Rights(static_cast<uint32_t>(random()))});
    }
    const auto fit = Fit(world.Read(), wanted, question);
    ASSERT_TRUE(fit.has_value()) << fit.error().message;
    EXPECT_FALSE(fit->changes.empty());
    for (int run = 0; run < 2; ++run) {
      const support::RunResult set =
          RunCommand({"setfacl", "--restore=-"}, RestoreText(fit->changes));
      ASSERT_EQ(set.exit, 0) << set.err;
      const Tree tree = world.Read();
      for (const Change& change : fit->changes) {
        EXPECT_EQ(FormatRestore(change.path, *tree.Find(change.path), true),
                  FormatRestore(change.path, change.after, true));
      }
      const auto again = Fit(tree, wanted, question);
      ASSERT_TRUE(again.has_value());
      EXPECT_TRUE(again->changes.empty());
    }
  }
}

}  // namespace
}  // namespace postern::posix
