// The daemon against openssh::Raiser: random worlds of accounts, Match blocks, forced commands,
// chroots, keys and POSIX ACLs. Every account tries every right in every folder with OpenSSH's
// sftp, one session for each account; what happened is read from the disk.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/live/openssh_product/estate.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/live/openssh_product/mutants.h"

namespace postern::openssh {
namespace {

using live::Estate;
using live::TestAccount;
using posix::Node;
using posix::Perm;

constexpr Right kRights[] = {Right::kList,      Right::kRead,   Right::kCreate,
                             Right::kOverwrite, Right::kDelete, Right::kRename,
                             Right::kMkdir,     Right::kRmdir,  Right::kChmod};
const std::vector<std::string> kFolderNames = {"/srv/w/a", "/srv/w/a/b", "/srv/w/a/b/c",
                                               "/srv/w/d", "/srv/w/a b", "/srv/w/jail/u1"};
constexpr int kAccounts = 5;

// Draws one world.
class Draw {
 public:
  explicit Draw(uint32_t seed) : random_(seed) {}

  std::vector<TestAccount> Accounts() {
    std::vector<TestAccount> accounts;
    for (int i = 1; i <= kAccounts; ++i) {
      TestAccount account{
          .login = fmt::format("u{}", i), .uid = 30000u + i, .gid = 31000u + Below(2)};
      account.shell = OneOf({"/usr/sbin/nologin", "/usr/sbin/nologin", "/bin/sh", "/bin/false"});
      // At most one thing that may shut it: two hide each other.
      const std::string today = std::to_string(base::Now() / posix::kSecondsPerDay);
      switch (Below(9)) {
        case 0:
          account.shadow = OneOf({"!", "!*"});
          break;
        case 1:
          account.expires = OneOf({"1", "99999", today});
          break;
        case 2:
          account.key_mode = OneOf({"0666", "0600"});
          break;
        case 3:
          account.shell = "/bin/none";
          break;
        case 4:
        case 5:
          account.options = OneOf({"restrict", "restrict,pty", "from=\"127.0.0.1\"",
                                   "from=\"10.0.0.0/8\"", "from=\"*,!127.0.0.1\"",
                                   "expiry-time=\"20200101Z\"", "expiry-time=\"20991231Z\"",
                                   "bogus-option", "command=\"internal-sftp -R\"", "none"});
          break;
        default:
          break;
      }
      accounts.push_back(account);
    }
    return accounts;
  }

  std::map<std::string, std::pair<uint32_t, std::string>> Groups() {
    return {{"g0", {31000, ""}},
            {"g1", {31001, ""}},
            {"g2", {31002, Members()}},
            {"g3", {31003, Members()}}};
  }

  std::string Config() {
    std::string text = fmt::format(
        "UsePAM {}\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n",
        Below(2) ? "yes" : "no");
    text += "Subsystem sftp " +
            OneOf({"internal-sftp", "internal-sftp", Command(), "/usr/lib/openssh/sftp-server"}) +
            "\n";
    if (Below(7) == 0)
      text += OneOf({"DenyUsers u2\n", "AllowGroups g0 g2\n", "DenyGroups g3\n",
                     "AllowUsers u* !u5\n", "AllowUsers u1 u3@127.0.0.0/8 u4@10.*\n"});
    if (Below(3) == 0) text += "ForceCommand " + Command() + "\n";
    const uint32_t blocks = 1 + Below(4);
    for (uint32_t i = 0; i < blocks; ++i) text += Block();
    return text;
  }

  std::map<std::string, Node> Folders() {
    std::map<std::string, Node> nodes;
    nodes["/srv/w"] = live::PlainNode(Node::Type::kFolder);
    nodes["/srv/w/jail"] = live::PlainNode(Node::Type::kFolder, Below(3) ? 5 : 0);
    for (int i = 2; i <= kAccounts; ++i) {
      nodes[fmt::format("/srv/w/jail/u{}", i)] = live::PlainNode(Node::Type::kFolder);
    }
    for (const std::string& folder : kFolderNames) {
      nodes[folder] = AnyNode(Node::Type::kFolder);
      nodes[folder + "/p.file"] = AnyNode(Node::Type::kFile);
      nodes[folder + "/p.dir"] = AnyNode(Node::Type::kFolder);
    }
    return nodes;
  }

 private:
  uint32_t Below(uint32_t n) { return static_cast<uint32_t>(random_()) % n; }
  std::string OneOf(const std::vector<std::string>& some) { return some[Below(some.size())]; }

  std::string Members() {
    std::string members;
    for (int i = 1; i <= kAccounts; ++i) {
      if (Below(2)) members += fmt::format("{}u{}", members.empty() ? "" : ",", i);
    }
    return members;
  }

  std::string Requests() {
    std::string list;
    for (const char* some :
         {"remove", "rename", "posix-rename", "rename,posix-rename", "mkdir", "rmdir",
          "setstat,fsetstat,lsetstat", "read", "write", "opendir", "readdir",
          "open,setstat,fsetstat,lsetstat", "hardlink", "symlink", "no-such-request"}) {
      if (Below(5) == 0) list += (list.empty() ? "" : ",") + std::string(some);
    }
    return list.empty() ? "fsync" : list;
  }

  std::string Command() {
    std::string text = "internal-sftp";
    if (Below(3) == 0) text += " -u 0027";
    if (Below(4) == 0) text += " -f AUTH -l VERBOSE";
    if (Below(6) == 0) text += " -d /a";
    if (Below(2)) text += " -P " + Requests();
    if (Below(5) == 0) {
      text += " -p realpath,stat,lstat,fstat,close,limits,open,read,opendir,readdir," + Requests();
    }
    if (Below(5) == 0) text += " -R";
    return text;
  }

  std::string Block() {
    std::string text = "Match " +
                       OneOf({"User u1", "User u2,u3", "Group g2", "Group g3,!g2", "User u*,!u4",
                              "Address 127.0.0.0/8", "Address 10.0.0.0/8", "Group g1 User u1,u5",
                              "LocalPort 1", "Host 127.0.*"}) +
                       "\n";
    if (Below(3)) text += "  ForceCommand " + Command() + "\n";
    if (Below(2)) {
      text += "  ChrootDirectory " +
              OneOf({"/srv/w", "/srv/w/jail/%u", "/srv/w/a", "/srv/w/jail", "none"}) + "\n";
    }
    if (Below(16) == 0) text += "  PubkeyAuthentication no\n";
    if (Below(8) == 0) text += "  DenyUsers u3\n";
    return text;
  }

  // Often x, so that something deeper is reached.
  Perm AnyPerm() {
    return Below(3) == 0 ? 7 : static_cast<Perm>(Below(8) | (Below(4) == 0 ? 0 : posix::kExecute));
  }

  Node AnyNode(Node::Type type) {
    Node node{.type = type, .gid = Below(2) ? 0 : 31000 + Below(4)};
    node.access = {.owner = AnyPerm(), .group = AnyPerm(), .other = AnyPerm()};
    node.uid = Below(3) ? 0 : 30001 + Below(kAccounts);
    if (Below(2)) {
      for (uint32_t i = 1; i <= kAccounts; ++i) {
        if (Below(2)) node.access.users[30000 + i] = AnyPerm();
      }
      if (Below(2)) node.access.groups[31000 + Below(4)] = AnyPerm();
      SetMask(&node.access);
      if (!node.access.mask) node.access.mask = node.access.group;
      if (Below(4) == 0) node.access.mask = static_cast<Perm>(Below(8));
    }
    // Chroots want root's folders.
    if (type == Node::Type::kFolder && Below(3) == 0) {
      node = live::PlainNode(type, Below(2) ? 7 : 5);
    }
    if (type == Node::Type::kFolder) node.sticky = Below(5) == 0;
    return node;
  }

  std::mt19937 random_;
};

std::string PathFor(const std::string& folder, Right right) {
  if (right == Right::kList || right == Right::kCreate || right == Right::kMkdir) return folder;
  return folder + (right == Right::kRmdir ? "/p.dir" : "/p.file");
}

struct Counts {
  size_t decisions = 0, allowed = 0, differences = 0, sessions = 0, closed = 0, unknown = 0;
  size_t asked = 0, accounts = 0;
  std::map<std::string, size_t> reasons;  // why accounts were shut: what the worlds covered
};

class Worlds : public ::testing::Test {
 protected:
  void TearDown() override { live::Machine::Get().ExpectOutsideUnchanged(); }

  void RunWorld(uint32_t seed, Counts* counts) {
    Draw draw(seed);
    estate_.Clear();
    const std::string config = draw.Config();
    estate_.WriteConfig(config);
    estate_.WriteAccounts(draw.Accounts(), draw.Groups());
    estate_.WriteFolders(draw.Folders());
    ASSERT_TRUE(estate_.Start()) << config;
    const Estate::Facts facts = estate_.Gather();
    counts->asked += facts.asked;
    counts->accounts += facts.accounts.size();
    std::map<std::string, std::string> chroots;
    std::map<std::string, Session> sessions;
    for (const auto& [login, account] : facts.accounts) {
      // One answer of the daemon for a whole group of accounts.
      EXPECT_EQ(ParseSettings(estate_.EffectiveText(account.connection))->all, account.settings.all)
          << "seed " << seed << " " << login;
      sessions[login] = SessionOf(facts, login);
      chroots[login] = sessions[login].chroot;
    }
    const auto found = estate_.Probe(chroots, kFolderNames);
    const size_t before = counts->differences;
    for (const auto& [login, session] : sessions) {
      Compare(seed, login, session, facts, found, counts);
    }
    if (counts->differences > before) {
      std::printf("seed %u\n%s\n%s", seed, config.c_str(), estate_.Log().c_str());
    }
    HuntMutants(facts, sessions, found);
    estate_.Stop();
  }

  // The session as the probe sees it.
  static Session SessionOf(const Estate::Facts& facts, const std::string& login) {
    const Account& account = facts.accounts.at(login);
    Result<Session> session =
        Raiser(facts.host, facts.tree, facts.at, facts.kernel).SessionOf(account);
    EXPECT_TRUE(session.has_value()) << session.error().message;
    // The probe speaks SFTP: where a shell is open as well, it sees what the subsystem lets it.
    if (session->shell) {
      session->commands.clear();
      if (account.settings.subsystem.kind != SftpCommand::Kind::kNone) {
        session->commands = {account.settings.subsystem};
      }
    }
    return *session;
  }

  // "list,read" for one folder.
  static std::string Raised(const Estate::Facts& facts, const std::string& login,
                            const Session& session, const std::string& folder) {
    const Raiser raiser(facts.host, facts.tree, facts.at, facts.kernel);
    std::vector<std::string_view> due;
    for (const Right right : kRights) {
      const Result<bool> may =
          raiser.May(facts.accounts.at(login), session, PathFor(folder, right), right);
      if (!may) return may.error().message;
      if (*may) due.push_back(NameOf(right));
    }
    return fmt::format("{}", fmt::join(due, ","));
  }

  // A mutant is caught where it says something else than what was found.
  void HuntMutants(const Estate::Facts& facts, const std::map<std::string, Session>& sessions,
                   const std::map<std::string, std::string>& found) {
    std::erase_if(at_large_, [&](const live::Mutant& mutant) {
      Estate::Facts mutated = facts;
      mutant.apply(mutated);
      for (const auto& [login, session] : sessions) {
        if (!session.unknown.empty()) continue;
        const Session wrong = SessionOf(mutated, login);
        if (!wrong.unknown.empty() ||
            found.contains(login + "\tclosed") != wrong.commands.empty()) {
          return true;
        }
        if (wrong.commands.empty()) continue;
        for (const std::string& folder : kFolderNames) {
          const auto at = found.find(login + "\t" + folder);
          const std::string have = at == found.end() ? "" : at->second;
          if (Raised(mutated, login, wrong, folder) != have) return true;
        }
      }
      return false;
    });
  }

  static void Compare(uint32_t seed, const std::string& login, const Session& session,
                      const Estate::Facts& facts, const std::map<std::string, std::string>& found,
                      Counts* counts) {
    if (!session.unknown.empty()) {
      ++counts->unknown;
      return;
    }
    const auto closed = found.find(login + "\tclosed");
    ++counts->sessions;
    counts->closed += closed != found.end();
    for (const auto& whys : {session.login.why, session.notes}) {
      for (const std::string& why : whys) ++counts->reasons[why];
    }
    if (closed != found.end() && session.login.why.empty()) {
      ++counts->reasons[session.login.open() ? "no command serves SFTP" : "no way in opens"];
    }
    if ((closed != found.end()) != session.commands.empty()) {
      ++counts->differences;
      ADD_FAILURE() << "seed " << seed << " " << login << ": "
                    << (closed == found.end() ? "opened" : closed->second)
                    << "; raised: " << session.commands.size() << " commands, "
                    << fmt::format("{}", fmt::join(session.login.why, "; "))
                    << fmt::format("{}", fmt::join(session.notes, "; "));
      return;
    }
    for (const std::string& folder : kFolderNames) {
      const std::string want = Raised(facts, login, session, folder);
      counts->decisions += std::size(kRights);
      counts->allowed += want.empty() ? 0 : 1 + std::count(want.begin(), want.end(), ',');
      const auto at = found.find(login + "\t" + folder);
      const std::string have = at == found.end() ? "" : at->second;
      if (have == want) continue;
      ++counts->differences;
      ADD_FAILURE() << "seed " << seed << " " << login << " in " << folder << "\n  raised " << want
                    << "\n  daemon " << have;
    }
  }

  Estate estate_;
  std::vector<live::Mutant> at_large_ = live::Mutants();
};

TEST_F(Worlds, EveryDecisionIsWhatTheRaiserSays) {
  const uint32_t first = live::FirstSeed();
  const uint32_t worlds = live::FullCampaign() ? 100 : 10;
  Counts counts;
  for (uint32_t seed = first; seed < first + worlds && counts.differences < 10; ++seed) {
    ASSERT_NO_FATAL_FAILURE(RunWorld(seed, &counts));
  }
  EXPECT_GT(counts.allowed, counts.decisions / 50);
  EXPECT_GT(counts.sessions - counts.closed, worlds);
  // Not computable is a difference but for what needs another program (a shell in a chroot, ...).
  EXPECT_LE(counts.unknown * 20, counts.accounts);
  // Ten worlds can't have everything; a hundred have.
  const size_t mutants = live::Mutants().size();
  EXPECT_LE(at_large_.size(), live::FullCampaign() ? 0u : mutants / 3);
  for (const live::Mutant& mutant : at_large_) {
    std::printf("not caught: a raiser that overlooks %s\n", mutant.overlooks.c_str());
  }
  std::printf("%zu of %zu mutants caught\n", mutants - at_large_.size(), mutants);
  std::printf(
      "%zu decisions, %zu allowed; %zu sessions, %zu refused, %zu not computable; "
      "%zu answers of sshd -T for %zu accounts\n",
      counts.decisions, counts.allowed, counts.sessions, counts.closed, counts.unknown,
      counts.asked, counts.accounts);
  for (const auto& [why, count] : counts.reasons) std::printf("  %4zu %s\n", count, why.c_str());
}

}  // namespace
}  // namespace postern::openssh
