// Trees with ACLs, read and written while somebody works against it.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "providers/filetransfer/host/tree_io.h"
#include "tests/live/host/shims.h"
#include "tests/live/host/world.h"

namespace postern::filetransfer {
namespace {

using posix::Change;
using posix::Node;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::vector<std::string> kNames = {"sp ace",        "new\nline",         "esc\x1b[31mred",
                                         "back\\slash",   "tab\tand 'quote\"", "-n",
                                         "\xff not utf-8"};

class TreeIo : public ::testing::Test {
 protected:
  TreeIo() {
    for (const std::string& name : kNames) {
      std::filesystem::create_directories(kRoot + "/" + name + "/in");
      WriteTo(kRoot + "/" + name + "/in/f", "text");
    }
    EXPECT_EQ(::symlink("/etc", (kRoot + "/link").c_str()), 0);
    EXPECT_EQ(::mkfifo((kRoot + "/pipe").c_str(), 0644), 0);
    Run({"setfacl", "-m", "u:30001:rwx,d:u:30001:rwx,d:g:30500:r", kRoot + "/sp ace"});
    Run({"chmod", "3775", kRoot + "/sp ace"});
  }

  static void Run(const std::vector<std::string>& command) {
    const auto run = support::RunCommand(command);
    ASSERT_EQ(run.exit, 0) << run.err;
  }
  TreeRead Read() {
    auto read = ReadTree(*w_.transport, w_.settings.roots);
    EXPECT_TRUE(read.has_value()) << read.error().message;
    return read ? std::move(*read) : TreeRead();
  }
  // Every folder and file but the root gives uid 30007 r-x, by an entry of its own.
  std::vector<Change> Widen(const posix::Tree& tree) {
    std::vector<Change> out;
    for (const auto& [path, node] : tree.nodes()) {
      if (!path.starts_with(kRoot + "/") || node.type == Node::Type::kLink) continue;
      Node after = node;
      after.access.users[30007] = 5;
      posix::SetMask(&after.access);
      out.push_back({path, node, after});
    }
    return out;
  }
  TreeWritten Write(const std::vector<Change>& changes) {
    auto written = WriteTree(*w_.transport, changes, w_.settings.roots);
    EXPECT_TRUE(written.has_value()) << written.error().message;
    return written ? std::move(*written) : TreeWritten();
  }
  static std::string AclOf(const std::string& path) {
    return support::RunCommand({"getfacl", "-n", "-p", "-E", "--", path}).out;
  }

  World w_;
};

TEST_F(TreeIo, NamesLinksAndAncestors) {
  const TreeRead read = Read();
  EXPECT_TRUE(read.complete) << read.why_not;
  for (const std::string& name : kNames) {
    const Node* folder = read.tree.Find(kRoot + "/" + name);
    const Node* file = read.tree.Find(kRoot + "/" + name + "/in/f");
    ASSERT_NE(folder, nullptr) << name;
    ASSERT_NE(file, nullptr) << name;
    EXPECT_EQ(folder->type, Node::Type::kFolder);
    EXPECT_EQ(file->type, Node::Type::kFile);
  }
  const Node& node = *read.tree.Find(kRoot + "/sp ace");
  EXPECT_EQ(node.access.users.at(30001), 7);
  EXPECT_EQ(node.default_acl->groups.at(30500), 4);
  EXPECT_TRUE(node.sticky && node.set_gid && !node.set_uid);
  EXPECT_EQ(read.tree.Find(kRoot + "/link")->type, Node::Type::kLink);
  EXPECT_EQ(read.tree.Find(kRoot + "/link/passwd"), nullptr);
  EXPECT_EQ(read.tree.Find(kRoot + "/pipe")->type, Node::Type::kOther);
  EXPECT_TRUE(read.tree.Chain(kRoot + "/sp ace/in").has_value());
  EXPECT_THAT(read.real_roots, ::testing::ElementsAre(kRoot));
  // 7 names × 3, link, pipe, root, /srv, /.
  EXPECT_THAT(read.tree.nodes(), SizeIs(kNames.size() * 3 + 5));
}

TEST_F(TreeIo, ARootThatIsMissingOrALink) {
  w_.settings.roots = {kRoot, "/srv/gone"};
  TreeRead read = Read();
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.why_not, "/srv/gone doesn't exist");
  EXPECT_NE(read.tree.Find(kRoot + "/sp ace"), nullptr);
  std::filesystem::create_symlink(kRoot + "/sp ace", "/srv/way in");
  w_.settings.roots = {"/srv/way in"};
  read = Read();
  EXPECT_TRUE(read.complete) << read.why_not;
  EXPECT_THAT(read.real_roots, ::testing::ElementsAre(kRoot + "/sp ace"));
  EXPECT_NE(read.tree.Find("/srv/way in/in/f"), nullptr);
  EXPECT_NE(read.tree.Find(kRoot), nullptr);  // what stands above the folder that is meant
  const TreeWritten written =
      Write({Change{"/srv/way in/in", *read.tree.Find("/srv/way in/in"), *read.tree.Find(kRoot)}});
  EXPECT_EQ(written.written, 1U);
  std::filesystem::remove("/srv/way in");
}

TEST_F(TreeIo, WrittenReadBackAndRunAgain) {
  const std::vector<Change> changes = Widen(Read().tree);
  ASSERT_THAT(changes, SizeIs(kNames.size() * 3 + 1));
  TreeWritten written = Write(changes);
  EXPECT_EQ(written.written, changes.size());
  EXPECT_THAT(written.refused, IsEmpty());
  const TreeRead read = Read();
  for (const Change& change : changes) EXPECT_EQ(*read.tree.Find(change.path), change.after);
  written = Write(changes);
  EXPECT_EQ(written.written, changes.size());
  // And back: entries and masks go.
  std::vector<Change> back;
  for (const Change& change : changes) back.push_back({change.path, change.after, change.before});
  EXPECT_EQ(Write(back).written, changes.size());
  const TreeRead restored = Read();
  for (const Change& change : changes) EXPECT_EQ(*restored.tree.Find(change.path), change.before);
}

TEST_F(TreeIo, WhatIsNotAsPlannedStaysAndTheRestIsWritten) {
  const std::vector<Change> changes = Widen(Read().tree);
  Run({"chmod", "0700", kRoot + "/-n/in"});
  std::filesystem::remove(kRoot + "/-n/in/f");
  const TreeWritten written = Write(changes);
  EXPECT_EQ(written.written, changes.size() - 2);
  ASSERT_THAT(written.refused, SizeIs(2));
  EXPECT_THAT(AclOf(kRoot + "/-n/in"), ::testing::Not(HasSubstr("30007")));
}

TEST_F(TreeIo, ALinkSwappedInIsNotFollowed) {
  const std::vector<Change> changes = Widen(Read().tree);
  // Victims of the same owner, mode and ACL as the nodes whose place the links take.
  std::filesystem::create_directories("/srv/victim/in");
  WriteTo("/srv/victim/in/f", "text");
  std::filesystem::rename(kRoot + "/-n", "/srv/moved");
  std::filesystem::create_directory_symlink("/srv/victim", kRoot + "/-n");
  std::filesystem::remove(kRoot + "/back\\slash/in/f");
  std::filesystem::create_symlink("/srv/victim/in/f", kRoot + "/back\\slash/in/f");
  const std::string before =
      AclOf("/srv/victim") + AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f");
  const TreeWritten written = Write(changes);
  EXPECT_EQ(written.written, changes.size() - 4);
  EXPECT_THAT(written.refused, SizeIs(4));
  EXPECT_EQ(AclOf("/srv/victim") + AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f"), before);
  std::filesystem::remove_all("/srv/victim");
  std::filesystem::remove_all("/srv/moved");
}

// Between the look and setfacl: what is held is written, what took its place isn't reached.
TEST_F(TreeIo, ALinkSwappedInDuringTheWriteLeadsNowhere) {
  std::filesystem::create_directories("/srv/victim/in");
  WriteTo("/srv/victim/in/f", "text");
  const TreeRead read = Read();
  const std::string before = AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f");
  const std::string folder = kRoot + "/-n/in", file = folder + "/f";
  std::vector<Change> changes;
  for (const std::string& path : {folder, file}) {
    Node after = *read.tree.Find(path);
    after.access.other = 0;
    changes.push_back({path, *read.tree.Find(path), after});
  }
  const Shims shims;
  shims.Put("setfacl", "mv '" + kRoot + "/-n' /srv/moved; ln -s /srv/victim '" + kRoot +
                           "/-n'; exec \"$real\" \"$@\"");
  const TreeWritten written = Write(changes);
  EXPECT_EQ(written.written, 0U);
  EXPECT_THAT(written.refused, SizeIs(2));
  EXPECT_EQ(AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f"), before);
  std::filesystem::remove_all("/srv/victim");
  std::filesystem::remove_all("/srv/moved");
}

// Somebody who owns the folder swaps it and a file of it for links for as long as we write.
TEST_F(TreeIo, ARaceOfSwapsNeverReachesAnotherNode) {
  std::filesystem::create_directories("/srv/victim/in");
  WriteTo("/srv/victim/in/f", "text");
  const std::string folder = kRoot + "/-n/in", file = kRoot + "/back\\slash/in/f",
                    pipe = kRoot + "/pipe";
  const TreeRead read = Read();
  std::vector<Change> changes;
  for (const std::string& path : {folder, folder + "/f", file, pipe}) {
    Node after = *read.tree.Find(path);
    after.access.users[30007] = 7;
    posix::SetMask(&after.access);
    changes.push_back({path, *read.tree.Find(path), after});
  }
  const std::string before = AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f");
  ASSERT_EQ(::symlink("/srv/victim/in", (folder + ".link").c_str()), 0);
  ASSERT_EQ(::symlink("/srv/victim/in/f", (file + ".link").c_str()), 0);
  ASSERT_EQ(::symlink("/srv/victim/in/f", (pipe + ".link").c_str()), 0);
  std::atomic<bool> stop = false;
  std::atomic<size_t> swaps = 0;
  std::thread attacker([&] {
    for (; !stop; ++swaps) {
      for (const std::string& path : {folder, file, pipe}) {
        ::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, (path + ".link").c_str(), RENAME_EXCHANGE);
      }
    }
  });
  for (int i = 0; i < 40; ++i) {
    if (Write(changes).written == changes.size()) break;
    if (AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f") != before) break;
  }
  stop = true;
  attacker.join();
  EXPECT_GT(swaps, 1000U);
  EXPECT_EQ(AclOf("/srv/victim/in") + AclOf("/srv/victim/in/f"), before);
  std::filesystem::remove_all("/srv/victim");
}

// A program that the host doesn't have, for as long as this lives.
class Without {
 public:
  explicit Without(const std::string& name) : program_(support::FindProgram(name)) {
    WriteTo("/srv/nothing", "", 0644);
    EXPECT_EQ(::mount("/srv/nothing", program_.c_str(), nullptr, MS_BIND, nullptr), 0) << program_;
  }
  ~Without() { EXPECT_EQ(::umount(program_.c_str()), 0); }
  Without(const Without&) = delete;
  Without& operator=(const Without&) = delete;

 private:
  std::string program_;
};

// Then nodes are held by a shell, and what must not be opened is left as it is; dash has one digit
// for a descriptor.
TEST_F(TreeIo, AHostWithoutPerlOrBashIsWrittenInSmallPieces) {
  const std::vector<Change> changes = Widen(Read().tree);
  ASSERT_GT(changes.size(), 14U);
  const Without perl("perl");
  for (const bool bash : {true, false}) {
    SCOPED_TRACE(bash);
    std::optional<Without> none;
    if (!bash) none.emplace("bash");
    const TreeWritten written = Write(changes);
    EXPECT_EQ(written.written, changes.size() - 1);
    ASSERT_THAT(written.refused, SizeIs(1));
    EXPECT_EQ(written.refused[0].path, kRoot + "/pipe");
    EXPECT_THAT(written.refused[0].why, HasSubstr("by perl alone"));
    std::vector<Change> back;
    for (const Change& change : changes) {
      if (change.path != kRoot + "/pipe")
        back.push_back({change.path, change.after, change.before});
    }
    EXPECT_THAT(Write(back).refused, IsEmpty());
  }
}

// In place of a file that is about to be written: nobody waits for its other end.
TEST_F(TreeIo, APipeSwappedInDuringTheWriteHoldsNothingUp) {
  const std::string file = kRoot + "/-n/in/f", beside = kRoot + "/sp ace/in/f";
  const TreeRead read = Read();
  std::vector<Change> changes;
  for (const std::string& path : {file, beside}) {
    Node after = *read.tree.Find(path);
    after.access.users[30007] = 4;
    posix::SetMask(&after.access);
    changes.push_back({path, *read.tree.Find(path), after});
  }
  const Shims shims;
  shims.Put("timeout", "rm -f '" + file + "'; mkfifo -m 604 '" + file + "'; exec \"$real\" \"$@\"");
  const auto began = std::chrono::steady_clock::now();
  const TreeWritten written = Write(changes);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
  EXPECT_EQ(written.written, 1U) << "what stands beside it";
  ASSERT_THAT(written.refused, SizeIs(1));
  EXPECT_EQ(written.refused[0].path, file);
  EXPECT_THAT(AclOf(file), Not(HasSubstr("30007")));
}

TEST_F(TreeIo, WhatGoesOrTurnsDuringTheReadIsLookedAtAgain) {
  // In one folder, so that one run of getfacl is asked for both.
  const std::string gone = kRoot + "/-n/gone", turned = kRoot + "/-n/turned";
  WriteTo(gone, "x");
  WriteTo(turned, "x");
  const Shims shims;
  // After find has named them, before getfacl looks.
  shims.Put("getfacl", "if [ -e " + gone + " ]; then case \"$*\" in *" + gone + "*) rm -f " + gone +
                           " " + turned + "; mkdir " + turned + "; setfacl -m d:u:30001:rx " +
                           turned + ";; esac; fi; exec \"$real\" \"$@\"");
  const TreeRead read = Read();
  EXPECT_TRUE(read.complete) << read.why_not;
  EXPECT_EQ(read.tree.Find(gone), nullptr);
  const Node* node = read.tree.Find(turned);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->type, Node::Type::kFolder);
  EXPECT_EQ(node->default_acl->users.at(30001), 5);
}

// Without a name for what went: find tells all names once more, and nothing is taken for another.
TEST_F(TreeIo, ANodeThatGetfaclIsSilentAboutMakesItIncomplete) {
  const Shims shims;
  shims.Put(
      "getfacl",
      "for at do shift; case $at in */-n/in/f) ;; *) set -- \"$@\" \"$at\"; last=$at ;; esac; "
      "done; [ \"$last\" != -- ] || exit 0; exec \"$real\" \"$@\"");
  const TreeRead read = Read();
  EXPECT_FALSE(read.complete);
  EXPECT_EQ(read.why_not, kRoot + "/-n/in/f: getfacl says nothing about it");
  EXPECT_EQ(read.tree.Find(kRoot + "/-n/in")->type, Node::Type::kFolder);
  EXPECT_EQ(read.tree.Find(kRoot + "/tab\tand 'quote\"/in/f")->type, Node::Type::kFile);
}

// More ACLs than one text, in every order: each node has its own.
TEST_F(TreeIo, NodesOfManyAclsKeepTheirOwn) {
  std::string restore;
  for (int i = 0; i < 300; ++i) {
    const std::string path = fmt::format("{}/-n/in/{:03}", kRoot, i);
    ::mkdir(path.c_str(), 0755);
    restore +=
        fmt::format("# file: {}\nuser::rwx\nuser:{}:r-x\ngroup::r-x\nmask::r-x\nother::r-x\n\n",
                    path, 31000 + i * i % 7);
  }
  WriteTo("/srv/restore", restore);
  Run({"setfacl", "--restore=/srv/restore"});
  const TreeRead read = Read();
  EXPECT_TRUE(read.complete) << read.why_not;
  for (int i = 0; i < 300; ++i) {
    const Node* node = read.tree.Find(fmt::format("{}/-n/in/{:03}", kRoot, i));
    ASSERT_NE(node, nullptr) << i;
    EXPECT_TRUE(node->access.users.contains(31000 + i * i % 7)) << i;
    EXPECT_EQ(node->type, Node::Type::kFolder);
  }
}

TEST_F(TreeIo, WithoutTheToolsThePackageIsNamed) {
  WriteTo("/srv/nothing", "", 0644);
  const std::string program = support::FindProgram("getfacl");
  ASSERT_EQ(::mount("/srv/nothing", program.c_str(), nullptr, MS_BIND, nullptr), 0);
  const auto read = ReadTree(*w_.transport, w_.settings.roots);
  const auto written =
      WriteTree(*w_.transport, std::vector<Change>{{kRoot, Node(), Node()}}, w_.settings.roots);
  ASSERT_EQ(::umount(program.c_str()), 0);
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(read.error().message, HasSubstr("package acl"));
  ASSERT_FALSE(written.has_value());
  EXPECT_THAT(written.error().message, HasSubstr("package acl"));
}

// An account of its own can't be looked into by another ordinary one: the tree isn't whole then.
TEST_F(TreeIo, WhatMayNotBeReadMakesItIncomplete) {
  const Shims shims;
  shims.Put("getfacl", "\"$real\" \"$@\"; echo 'getfacl: /srv/x/sp ace: Permission denied' >&2");
  const TreeRead read = Read();
  EXPECT_FALSE(read.complete);
  EXPECT_THAT(read.why_not, HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace postern::filetransfer
