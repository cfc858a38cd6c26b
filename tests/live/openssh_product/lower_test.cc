// The way back: rows of grants, fitted and written as an include for sshd and as ACLs, mean on the
// daemon exactly what the fitted rows say.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "providers/filetransfer/openssh/include_file.h"
#include "providers/filetransfer/openssh/product.h"
#include "tests/live/openssh_product/estate.h"
#include "tests/live/openssh_product/machine.h"

namespace postern::openssh {
namespace {

using access::Depth;
using live::Estate;
using live::PlainNode;
using live::TestAccount;
using posix::Node;
using support::RunCommand;

const std::vector<std::string> kFolders = {"/srv/w/a", "/srv/w/a/b", "/srv/w/a/b/c", "/srv/w/d",
                                           "/srv/w/a b"};
const std::vector<std::string> kRoots = {"/srv/w"};
constexpr const char* kInclude = "/srv/ssh/postern.conf";

class LowerLive : public ::testing::Test {
 protected:
  void TearDown() override { live::Machine::Get().ExpectOutsideUnchanged(); }

  // Modes and ACLs by other hands, before anything of ours.
  static std::map<std::string, Node> Folders(std::mt19937& random) {
    std::map<std::string, Node> nodes = {{"/srv/w", PlainNode(Node::Type::kFolder)}};
    const auto any = [&](Node::Type type) {
      Node node = PlainNode(type, static_cast<posix::Perm>(random() % 8));
      node.gid = 31000 + random() % 2;
      node.sticky = type == Node::Type::kFolder && random() % 3 == 0;
      if (random() % 2) node.access.users[30001 + random() % 4] = random() % 8;
      if (random() % 2) node.access.groups[31000] = random() % 8;
      SetMask(&node.access);
      if (type == Node::Type::kFolder && random() % 2) node.default_acl = node.access;
      return node;
    };
    for (const std::string& folder : kFolders) {
      nodes[folder] = any(Node::Type::kFolder);
      nodes[folder + "/p.file"] = any(Node::Type::kFile);
      nodes[folder + "/p.dir"] = any(Node::Type::kFolder);
    }
    return nodes;
  }

  static std::vector<GrantRow> Rows(std::mt19937& random) {
    std::vector<GrantRow> rows(3 + random() % 6);
    for (GrantRow& row : rows) {
      row.path = kFolders[random() % kFolders.size()];
      row.depth = random() % 2 ? Depth::kThis : Depth::kSubtree;
      row.subject = random() % 4
                        ? Subject{Subject::Type::kAccount, fmt::format("u{}", 1 + random() % 4)}
                        : Subject{Subject::Type::kGroup, "g"};
      row.rights = Rights(static_cast<uint32_t>(random())) - Right::kChmod;
      if (random() % 2) row.rights = row.rights & Rights(static_cast<uint32_t>(random()));
    }
    return rows;
  }

  void WriteAccounts() {
    std::vector<TestAccount> accounts;
    for (uint32_t i = 1; i <= 4; ++i) {
      accounts.push_back({.login = fmt::format("u{}", i), .uid = 30000 + i, .gid = 31000 + i % 2});
    }
    estate_.WriteAccounts(accounts, {{"g0", {31000, ""}}, {"g1", {31001, ""}}});
  }

  // Writes both layers and checks that nothing is left to do.
  void Apply(const IncludeContent& content) {
    const Result<std::string> text = Lower(content);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    std::ofstream(kInclude, std::ios::trunc) << *text;
    estate_.WriteConfig(
        fmt::format("Include {}\nUsePAM no\nSubsystem sftp internal-sftp\n", kInclude));
    for (int run = 0; run < 2; ++run) {
      const Estate::Facts facts = estate_.Gather();
      posix::FitQuestion question{.roots = kRoots};
      for (const ManagedAccount& account : content.accounts) {
        question.managed.push_back(*facts.host.CredentialsOf(account.login));
      }
      const auto fit = posix::Fit(facts.tree, *WantedOf(content.rows, facts.host), question);
      ASSERT_TRUE(fit.has_value()) << fit.error().message;
      EXPECT_EQ(fit->changes.empty(), run == 1);
      EXPECT_TRUE(fit->obstacles.empty());
      const auto set = RunCommand({"setfacl", "--restore=-"}, RestoreText(fit->changes));
      ASSERT_EQ(set.exit, 0) << set.err;
    }
    ASSERT_TRUE(estate_.Start());
  }

  Estate estate_;
};

TEST_F(LowerLive, TheDaemonGivesWhatTheFittedRowsSay) {
  const uint32_t worlds = live::FullCampaign() ? 40 : 5;
  size_t decisions = 0, allowed = 0, differences = 0;
  for (uint32_t seed = 1; seed <= worlds && differences < 10; ++seed) {
    std::mt19937 random(seed);
    estate_.Clear();
    WriteAccounts();
    estate_.WriteFolders(Folders(random));
    const std::vector<GrantRow> rows = ExpandMembers(Rows(random), Members{{"g", {"u1", "u3"}}});
    IncludeContent content{.rows = OpenSsh().FitRows(rows, kRoots).rows, .roots = kRoots};
    std::map<std::string, std::string> chroots;
    for (int i = 1; i <= 4; ++i) {
      ManagedAccount account{.login = fmt::format("u{}", i)};
      if (random() % 2) account.chroot = "/srv/w";
      chroots[account.login] = account.chroot.empty() ? "/" : account.chroot;
      content.accounts.push_back(account);
    }
    ASSERT_NO_FATAL_FAILURE(Apply(content));
    const auto found = estate_.Probe(chroots, kFolders);
    for (const auto& [login, chroot] : chroots) {
      for (const std::string& folder : kFolders) {
        std::vector<std::string_view> due;
        const Rights rights = RightsOfRows(content.rows, login, folder);
        for (int bit = 0; bit < access::kRightCount; ++bit) {
          if (rights.Has(static_cast<Right>(bit))) due.push_back(NameOf(static_cast<Right>(bit)));
        }
        decisions += access::kRightCount;
        allowed += due.size();
        const auto at = found.find(login + "\t" + folder);
        const std::string want = fmt::format("{}", fmt::join(due, ","));
        const std::string have = at == found.end() ? "no session" : at->second;
        if (have == want) continue;
        ++differences;
        ADD_FAILURE() << "seed " << seed << " " << login << " in " << folder << "\n  rows   "
                      << want << "\n  daemon " << have << "\n"
                      << support::ReadFile(kInclude);
      }
    }
    estate_.Stop();
  }
  EXPECT_GT(allowed, decisions / 20);
  std::printf("%zu decisions, %zu allowed\n", decisions, allowed);
}

// A locked account of the include: no key and, by the raiser, no way in at all.
TEST_F(LowerLive, ALockedAccountIsShutAndTheOthersAreNot) {
  estate_.Clear();
  WriteAccounts();
  std::mt19937 random(1);
  estate_.WriteFolders(Folders(random));
  IncludeContent content{.roots = kRoots};
  for (int i = 1; i <= 4; ++i) {
    content.accounts.push_back({.login = fmt::format("u{}", i), .locked = i == 2});
  }
  content.rows = {{"/srv/w/a", Depth::kSubtree, {Subject::Type::kAccount, "u1"}, Right::kList},
                  {"/srv/w/a", Depth::kSubtree, {Subject::Type::kAccount, "u2"}, Right::kList}};
  ASSERT_NO_FATAL_FAILURE(Apply(content));
  EXPECT_TRUE(estate_.LetsIn("u1"));
  EXPECT_FALSE(estate_.LetsIn("u2"));
  const Estate::Facts facts = estate_.Gather();
  const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
  EXPECT_TRUE(raiser.SessionOf(facts.accounts.at("u1"))->login.open());
  EXPECT_FALSE(raiser.SessionOf(facts.accounts.at("u2"))->login.open());
}

}  // namespace
}  // namespace postern::openssh
