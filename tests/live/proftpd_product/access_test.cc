// The proof on the daemon: what a generated include means is what its rows mean.
//
// Random grants for four accounts and two groups over nested folders, some of them named by no
// row. Every account tries every right in every folder with a real FTP session; the answer is read
// from the disk. An account's rights in a folder are the union of its own rows', its groups' and
// everyone's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <sstream>

#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd/product.h"
#include "tests/support/process.h"
#include "tests/support/proftpd.h"

namespace postern::proftpd {
namespace {

using access::Depth;
using access::GrantRow;
using access::Right;
using access::Rights;
using access::Subject;
using Type = Subject::Type;

// Below the data folder. "a b", "[a]*" and "a-b" try block names; the last two rows are never
// named.
const std::vector<std::string> kNamed = {"a", "a/b", "a/b/c", "a b", "d/[e]", "a-b"};
const std::vector<std::string> kProbed = {"a",       "a/b", "a/b/c", "a b",   "d",        "d/[e]",
                                          "d/[e]/x", "a-b", "a/u",   "a/u/v", "a/b/c/w/z"};
const std::map<std::string, std::vector<std::string>> kGroupsOf = {
    {"u1", {"g1"}}, {"u2", {"g1", "g2"}}, {"u3", {}}, {"u4", {"g2"}}};

Rights RightsOfRows(const std::vector<GrantRow>& rows, const std::string& user,
                    const std::string& path) {
  Rights rights;
  for (const GrantRow& row : rows) {
    const auto& groups = kGroupsOf.at(user);
    const bool named = row.subject.type == Type::kEveryone ||
                       row.subject == Subject{Type::kAccount, user} ||
                       (row.subject.type == Type::kGroup &&
                        std::find(groups.begin(), groups.end(), row.subject.name) != groups.end());
    const bool covers = row.depth == Depth::kSubtree
                            ? access::IsWithin(path, row.path)
                            : path == row.path || access::ParentOf(path) == row.path;
    if (named && covers) rights |= row.rights;
  }
  return rights;
}

bool MayEnter(const std::vector<GrantRow>& rows, const std::string& user, const std::string& path) {
  if (!RightsOfRows(rows, user, path).empty()) return true;
  for (const GrantRow& row : rows) {
    if (access::IsWithin(row.path, path) && !RightsOfRows({row}, user, row.path).empty()) {
      return true;
    }
  }
  return false;
}

// What the probe has to print for one folder.
std::string Expected(const std::vector<GrantRow>& rows, const std::string& user,
                     const std::string& folder) {
  // Files in the folder are decided at FOLDER/name; a listing needs the folder and its entries.
  const Rights inside = RightsOfRows(rows, user, folder + "/p.file");
  const Rights node = RightsOfRows(rows, user, folder);
  std::set<std::string> words;
  for (int i = 0; i < access::kRightCount; ++i) {
    const Right right = static_cast<Right>(i);
    if (inside.Has(right)) words.insert(std::string(NameOf(right)));
  }
  if (!node.Has(Right::kList)) words.erase("list");
  if (MayEnter(rows, user, folder)) words.insert("enter");
  return fmt::format("{}", fmt::join(words, ","));
}

std::vector<GrantRow> RandomRows(std::mt19937& random, const std::string& data) {
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::vector<Subject> subjects = {{Type::kAccount, "u1"}, {Type::kAccount, "u2"},
                                         {Type::kAccount, "u3"}, {Type::kAccount, "u4"},
                                         {Type::kGroup, "g1"},   {Type::kGroup, "g2"},
                                         {Type::kEveryone, ""}};
  std::vector<GrantRow> rows(4 + below(7));
  for (GrantRow& row : rows) {
    row.path = data + "/" + kNamed[below(kNamed.size())];
    row.depth = below(2) == 0 ? Depth::kThis : Depth::kSubtree;
    // Everyone rarely: it hides the rest.
    row.subject = subjects[below(subjects.size() - (below(4) == 0 ? 0 : 1))];
    row.rights = Rights(static_cast<uint32_t>(random()) & 0x1ff);
    if (row.rights.Has(Right::kOverwrite)) row.rights |= Right::kCreate;
  }
  return rows;
}

class ProftpdAccess : public ::testing::Test {
 protected:
  ProftpdAccess() : server_(scratch_) {
    for (const std::string& folder : kProbed) scratch_.Folder("data/" + folder + "/p.empty");
    support::OpenTree(server_.data());
    std::vector<support::ProftpdAccount> accounts;
    std::map<std::string, support::ProftpdGroup> groups = {{"g1", {"g1", 40001, {}}},
                                                           {"g2", {"g2", 40002, {}}}};
    for (const auto& [user, in] : kGroupsOf) {
      // A home outside of the root: OpenSSH's client leaves when it can't enter it.
      accounts.push_back({.name = user, .password = "pw", .home = scratch_.Folder("home")});
      for (const std::string& group : in) groups[group].members.push_back(user);
    }
    server_.WriteAccounts(accounts);
    server_.WriteGroups({groups["g1"], groups["g2"]});
  }

  // One session of `user` over all folders: folder -> rights found.
  std::map<std::string, std::string> Probe(const std::string& user) {
    std::string input;
    for (const std::string& folder : kProbed) input += server_.data() + "/" + folder + "\n";
    const support::RunResult run = support::RunCommand(
        {"/usr/bin/python3", PROBE_SCRIPT, std::to_string(server_.ftp_port()), user, "pw"}, input);
    EXPECT_EQ(run.exit, 0) << run.err << server_.Logs();
    std::map<std::string, std::string> found;
    std::istringstream lines(run.out);
    for (std::string line; std::getline(lines, line);) {
      const size_t tab = line.find('\t');
      found[line.substr(0, tab)] = line.substr(tab + 1);
    }
    return found;
  }

  void Write(const std::vector<GrantRow>& rows, const std::vector<std::string>& locked = {}) {
    const std::vector<std::string> roots = {server_.data()};
    const Result<std::string> text = Lower(rows, roots, locked);
    ASSERT_TRUE(text.has_value()) << text.error().message;
    server_.WriteInclude(*text);
    const support::RunResult check = server_.Check();
    ASSERT_EQ(check.exit, 0) << check.err << *text;
  }

  std::vector<GrantRow> FitOf(const std::vector<GrantRow>& rows) {
    const std::vector<std::string> roots = {server_.data()};
    return Proftpd().FitRows(rows, roots).rows;
  }

  support::Scratch scratch_;
  support::Proftpd server_;
};

TEST_F(ProftpdAccess, EveryDecisionIsWhatTheRowsMean) {
  // The seed and the number of rounds can be set to search longer than the gate does.
  const char* seed_text = std::getenv("POSTERN_SEED");      // NOLINT(concurrency-mt-unsafe)
  const char* rounds_text = std::getenv("POSTERN_ROUNDS");  // NOLINT(concurrency-mt-unsafe)
  const uint32_t first = seed_text == nullptr ? 1 : std::strtoul(seed_text, nullptr, 10);
  const uint32_t rounds = rounds_text == nullptr ? 10 : std::strtoul(rounds_text, nullptr, 10);
  size_t decisions = 0, differences = 0;
  for (uint32_t seed = first; seed < first + rounds; ++seed) {
    std::mt19937 random(seed);
    const std::vector<GrantRow> rows = FitOf(RandomRows(random, server_.data()));
    ASSERT_NO_FATAL_FAILURE(Write(rows));
    ASSERT_TRUE(server_.Start());
    for (const auto& [user, unused] : kGroupsOf) {
      const auto found = Probe(user);
      for (const std::string& folder : kProbed) {
        const std::string path = server_.data() + "/" + folder;
        decisions += access::kRightCount + 2;
        const auto at = found.find(path);
        ASSERT_NE(at, found.end()) << path;
        const std::string want = Expected(rows, user, path);
        if (at->second == want) continue;
        ++differences;
        ADD_FAILURE() << "seed " << seed << ", " << user << " in " << folder << "\n  rows mean "
                      << want << "\n  daemon    " << at->second;
      }
      if (differences > 10) {
        FAIL() << support::ReadFile(server_.include_path());
      }
    }
    server_.Stop();
  }
  EXPECT_EQ(decisions, rounds * kGroupsOf.size() * kProbed.size() * 11);
  std::printf("%zu decisions compared\n", decisions);
}

// ---- over SFTP, by OpenSSH's client, with keys

// OpenSSH's client reads patterns in its paths, so the bracket folder is left to FTP.
const std::vector<std::string> kSftpProbed = {"a", "a/b", "a/b/c", "a b",
                                              "d", "a-b", "a/u",   "a/u/v"};

class ProftpdSftp : public ProftpdAccess {
 protected:
  ProftpdSftp() {
    const support::RunResult made = support::RunCommand(
        {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key_});
    EXPECT_EQ(made.exit, 0) << made.err;
    const support::RunResult text =
        support::RunCommand({"ssh-keygen", "-e", "-m", "RFC4716", "-f", key_ + ".pub"});
    EXPECT_EQ(text.exit, 0) << text.err;
    for (const auto& [user, unused] : kGroupsOf) {
      scratch_.Write("proftpd/keys/" + user, text.out);
    }
  }

  support::RunResult Client(const std::string& user, const std::string& batch) {
    const std::string file = scratch_.Write("batch", batch);
    return support::RunCommand({"sftp", "-q", "-P", std::to_string(server_.sftp_port()), "-i", key_,
                                "-oIdentitiesOnly=yes", "-oStrictHostKeyChecking=no",
                                "-oUserKnownHostsFile=/dev/null", "-oBatchMode=yes", "-b", file,
                                user + "@127.0.0.1"});
  }

  // folder -> rights found, chmod among them if it ever works.
  std::map<std::string, std::set<std::string>> ProbeSftp(const std::string& user) {
    const std::string results = scratch_.Write("results", "");
    const std::string local = scratch_.File("local"), fresh = scratch_.Write("fresh", "new");
    std::string batch;
    for (const std::string& name : kSftpProbed) {
      const std::string folder = server_.data() + "/" + name;
      const auto step = [&](std::string_view right, std::string_view command) {
        batch += fmt::format("-{}\n!sh {} '{}' {} {} {}\n", command, STEP_SCRIPT, folder, right,
                             results, local);
      };
      step("start", "pwd");
      batch += fmt::format("-ls -1 \"{}\"\n", folder);
      step("read", fmt::format("get \"{}/p.file\" {}", folder, local));
      step("create", fmt::format("put {} \"{}/p.new\"", fresh, folder));
      step("overwrite", fmt::format("put {} \"{}/p.file\"", fresh, folder));
      step("delete", fmt::format("rm \"{}/p.file\"", folder));
      step("rename", fmt::format("rename \"{0}/p.file\" \"{0}/p.moved\"", folder));
      step("mkdir", fmt::format("mkdir \"{}/p.dir\"", folder));
      step("rmdir", fmt::format("rmdir \"{}/p.empty\"", folder));
      step("chmod", fmt::format("chmod 600 \"{}/p.file\"", folder));
    }
    const support::RunResult run = Client(user, batch);
    EXPECT_EQ(run.exit, 0) << run.err << server_.Logs();
    std::map<std::string, std::set<std::string>> found;
    std::istringstream lines(support::ReadFile(results));
    for (std::string line; std::getline(lines, line);) {
      const size_t tab = line.find('\t');
      found[line.substr(0, tab)].insert(line.substr(tab + 1));
    }
    for (const std::string& name : kSftpProbed) {
      const std::string folder = server_.data() + "/" + name;
      if (run.out.find("\n" + folder + "/p.file") != std::string::npos)
        found[folder].insert("list");
    }
    return found;
  }

  std::string key_ = scratch_.File("client_key");
};

TEST_F(ProftpdSftp, EveryDecisionIsWhatTheRowsMean) {
  size_t decisions = 0;
  for (uint32_t seed = 101; seed < 104; ++seed) {
    std::mt19937 random(seed);
    const std::vector<GrantRow> rows = FitOf(RandomRows(random, server_.data()));
    ASSERT_NO_FATAL_FAILURE(Write(rows));
    ASSERT_TRUE(server_.Start());
    for (const auto& [user, unused] : kGroupsOf) {
      auto found = ProbeSftp(user);
      for (const std::string& name : kSftpProbed) {
        const std::string path = server_.data() + "/" + name;
        // chmod is the one right that mod_sftp can't keep apart from truncating.
        std::set<std::string> want;
        std::istringstream words(Expected(rows, user, path));
        for (std::string word; std::getline(words, word, ',');) {
          if (word != "chmod" && word != "enter") want.insert(word);
        }
        decisions += access::kRightCount;
        EXPECT_EQ(found[path], want) << "seed " << seed << ", " << user << " in " << name;
      }
      if (HasFailure()) FAIL() << support::ReadFile(server_.include_path());
    }
    server_.Stop();
  }
  std::printf("%zu decisions compared\n", decisions);
}

TEST_F(ProftpdSftp, ALockedLoginIsRefusedByKey) {
  ASSERT_NO_FATAL_FAILURE(Write({}, {"u1"}));
  ASSERT_TRUE(server_.Start());
  EXPECT_NE(Client("u1", "version\n").exit, 0);
  EXPECT_EQ(Client("u2", "version\n").exit, 0) << server_.Logs();
}

TEST_F(ProftpdAccess, ALockedLoginIsRefusedByPassword) {
  const std::vector<GrantRow> rows = {
      {server_.data(), Depth::kSubtree, {Type::kAccount, "u1"}, Right::kList}};
  ASSERT_NO_FATAL_FAILURE(Write(rows, {"u1"}));
  ASSERT_TRUE(server_.Start());
  const auto login = [&](const std::string& user) {
    return support::RunCommand({"curl", "-s", "-S", "-u", user + ":pw",
                                fmt::format("ftp://127.0.0.1:{}/", server_.ftp_port())})
        .exit;
  };
  constexpr int kLoginDenied = 67;
  EXPECT_EQ(login("u1"), kLoginDenied) << server_.Logs();
  EXPECT_EQ(login("u2"), 0) << server_.Logs();
}

}  // namespace
}  // namespace postern::proftpd
