// Kills around the renames and reloads of a real ProFTPD.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "tests/fault/live/campaign.h"
#include "tests/support/proftpd.h"
#include "tests/support/sshd.h"

namespace postern::fault {
namespace {

namespace fs = std::filesystem;
using support::RunCommand;

// The provider's note of what the daemon has loaded while an include is being swapped.
constexpr std::string_view kNote = ".postern-pending-postern.conf";

// Three people, one group, two folders. Each way between the states takes away and gives, in the
// include, in the user file, in the group file and in the key files.
class ProftpdWorld : public World {
 public:
  // `ssh`: the provider reaches the host through a real sshd.
  ProftpdWorld(const support::Scratch& scratch, bool ssh)
      : scratch_(scratch), server_(scratch, {.global = "Umask 007 007"}) {
    if (ssh) sshd_ = std::make_unique<support::Sshd>(scratch);
    for (const char* name : {"ada", "bea", "cyril"}) {
      scratch.Write(fmt::format("secrets/login-{}", name), Password(name), 0600);
      const std::string key = scratch.File(std::string("key-") + name);
      EXPECT_EQ(RunCommand({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}).exit, 0);
      std::string text = support::ReadFile(key + ".pub");
      text.pop_back();
      keys_[name] = text;
    }
    for (const char* folder : {"data/in", "data/out"}) {
      const std::string file = scratch.Folder(folder) + "/file.txt";
      std::ofstream(file) << "content\n";
    }
    support::OpenTree(server_.data());
  }
  ~ProftpdWorld() override { support::EndAdopted("proftpd"); }
  ProftpdWorld(const ProftpdWorld&) = delete;
  ProftpdWorld& operator=(const ProftpdWorld&) = delete;

  bool Start() { return (sshd_ == nullptr || sshd_->Start()) && server_.Start(); }

  std::string OperatorFile() override {
    const std::string address =
        sshd_ == nullptr ? "address = \"local:\""
                         : fmt::format("address = \"{}\"\nknown_host = \"{}\"\nidentity = \"{}\"",
                                       sshd_->address(), sshd_->known_host(), sshd_->identity());
    return fmt::format(R"(administrators = ["person:ada"]

[host.edge]
{}
manage = {{ roots = ["{}"], accounts = "all" }}
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, change_percent = 100 }}

[server.files]
host = "edge"
product = "proftpd"
config = "{}"
include = "{}"
uids = {{ from = 30000, to = 39999, gid = {} }}
control = {{ pidfile = "{}", start = ["{}", "-c", "{}"] }}
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, change_percent = 100 }}

[secret."login-*"]
from = "file:{}/login-*"
)",
                       address, server_.data(), server_.config_path(), server_.include_path(),
                       geteuid() == 0 ? 30000 : getegid(), server_.pid_path(),
                       support::FindProgram("proftpd"), server_.config_path(),
                       scratch_.File("secrets"));
  }

  std::string Declarations(char state) override {
    const bool b = state == 'B';
    std::string text;
    const auto account = [&](const std::string& name, const std::string& key, bool enabled) {
      text += fmt::format(
          "[person.{0}]\n[account.{0}]\nfor = \"person:{0}\"\nserver = \"files\"\nhome = \"{1}\"\n"
          "password = \"secret:login-{0}\"\nkeys = [\"{2}\"]\nenabled = {3}\n",
          name, server_.data(), key, enabled);
    };
    const auto folder = [&](const std::string& name, const std::string& path) {
      text += fmt::format("[folder.{}]\nhost = \"edge\"\npath = \"{}\"\n", name, path);
    };
    const auto grant = [&](const char* who, const char* where, const char* rights) {
      text += fmt::format("[[grant]]\nwho = [\"{}\"]\nfolder = \"{}\"\nrights = [{}]\n", who, where,
                          rights);
    };
    account("ada", keys_["ada"], true);
    account("bea", b ? keys_["ada"] : keys_["bea"], true);
    account("cyril", keys_["cyril"], b);
    text += fmt::format("[group.crew]\nmembers = [\"person:{}\"]\n", b ? "cyril" : "bea");
    folder("data", server_.data());
    folder("in", server_.data() + "/in");
    folder("out", server_.data() + "/out");
    grant("person:ada", "data", R"("list", "read")");
    grant("group:crew", "out", b ? R"("list", "create")" : R"("list", "read", "delete")");
    grant("person:bea", "in", b ? R"("list")" : R"("list", "read", "create")");
    grant("person:cyril", "in", b ? R"("list", "read")" : R"("list")");
    return text;
  }

  std::string Dump() override {
    std::string out = "--- files\n";
    std::set<std::string> names;
    const std::string run = fs::path(server_.config_path()).parent_path();
    for (const auto& entry : fs::recursive_directory_iterator(run)) {
      // What the daemon itself writes comes and goes. The note of an interrupted swap names a
      // generation of the daemon that is gone; the next swap drops it (HasNote).
      const std::string name = fs::relative(entry.path(), run);
      if (name.starts_with("scoreboard") || name.ends_with(".log") || name == kNote) continue;
      names.insert(name);
    }
    for (const std::string& name : names) out += name + "\n";
    out += "--- accounts\n" + Accounts();
    for (const std::string& path : {server_.group_path(), server_.include_path()}) {
      out += "--- " + fs::path(path).filename().string() + "\n" + support::ReadFile(path);
    }
    for (const std::string& name : names) {
      if (!name.starts_with("keys/")) continue;
      out += "--- " + name + "\n" + support::ReadFile(run + "/" + name);
    }
    return out;
  }

  void TryClients(char state) override {
    const bool b = state == 'B';
    EXPECT_TRUE(Reads("ada", "in")) << Logs();
    EXPECT_EQ(Reads("bea", "in"), !b) << Logs();
    EXPECT_EQ(Reads("bea", "out"), !b) << Logs();
    EXPECT_EQ(Reads("cyril", "in"), b) << Logs();
    EXPECT_FALSE(Reads("cyril", "out")) << Logs();
    EXPECT_EQ(KeyOpens("cyril", "cyril"), b) << Logs();
    EXPECT_EQ(KeyOpens("bea", "bea"), !b) << Logs();
    EXPECT_EQ(KeyOpens("bea", "ada"), b) << Logs();
  }

  std::string Logs() override {
    return server_.Logs() + (sshd_ == nullptr ? "" : "--- sshd\n" + sshd_->Log());
  }

  bool HasNote() const { return fs::exists(fs::path(server_.config_path()).parent_path() / kNote); }

 private:
  static std::string Password(const std::string& name) { return name + "-password"; }

  // Without the hash, which has a new salt each time; whether it is put out of use stays.
  std::string Accounts() const {
    std::istringstream in(support::ReadFile(server_.passwd_path()));
    std::string out;
    for (std::string line; std::getline(in, line);) {
      const size_t from = line.find(':') + 1, to = line.find(':', from);
      out +=
          line.substr(0, from) + (line[from] == '!' ? "locked" : "open") + line.substr(to) + "\n";
    }
    return out;
  }

  bool Reads(const std::string& login, const std::string& folder) const {
    const auto run =
        RunCommand({"curl", "-s", "-S", "--max-time", "20", "--ftp-method", "nocwd", "-u",
                    login + ":" + Password(login),
                    fmt::format("ftp://127.0.0.1:{}/%2F{}/{}/file.txt", server_.ftp_port(),
                                server_.data().substr(1), folder)});
    // 67: not logged in; 78: no such file or no right. Anything else is no answer of the server.
    EXPECT_TRUE(run.exit == 0 || run.exit == 67 || run.exit == 78) << run.exit << run.err;
    return run.exit == 0 && run.out == "content\n";
  }

  bool KeyOpens(const std::string& login, const std::string& key) const {
    const auto run = RunCommand(
        {"sftp", "-q", "-F", "/dev/null", "-b", "-", "-P", std::to_string(server_.sftp_port()),
         "-i", scratch_.File("key-" + key), "-oIdentitiesOnly=yes", "-oIdentityAgent=none",
         "-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
         "-oGlobalKnownHostsFile=/dev/null", login + "@127.0.0.1"},
        "pwd\n");
    EXPECT_EQ(run.err.find("refused"), std::string::npos) << run.err;
    return run.exit == 0;
  }

  const support::Scratch& scratch_;
  support::Proftpd server_;
  std::unique_ptr<support::Sshd> sshd_;
  std::map<std::string, std::string> keys_;
};

// The user file, the group file and the key files are swapped together; then the include.
const std::vector<Place> kPlaces = {{"filetransfer.before-accounts", true},
                                    {"filetransfer.after-accounts", true},
                                    {"filetransfer.before-rename", true},
                                    {"filetransfer.after-rename", true},
                                    {"filetransfer.before-reload", true},
                                    {"filetransfer.after-reload", true},
                                    {"apply.after-intents"},
                                    {"apply.after-call"},
                                    {"apply.after-outcomes"}};

// Answers the kills tried.
int KillAll(bool ssh, const std::vector<std::pair<Place, int>>& always, int few) {
  const support::Scratch scratch;
  ProftpdWorld world(scratch, ssh);
  if (!world.Start()) return 0;
  Campaign campaign(&world, scratch.Folder("world"));
  if (!campaign.Prepare("AB")) {
    ADD_FAILURE() << "no two states to go between";
    return 0;
  }
  const int kills = campaign.Run(kPlaces, always, few);
  campaign.GoOn();
  EXPECT_FALSE(world.HasNote());
  std::printf("%d kills tried\n", kills);
  return kills;
}

TEST(LiveKills, AroundProftpdTheNextApplyFinishes) {
  // The revoking phase has swapped and loaded its include, the opening one has not begun; accounts
  // that are being locked, and those that are being opened.
  const std::vector<std::pair<Place, int>> always = {{{"filetransfer.after-reload", true}, 1},
                                                     {{"filetransfer.before-reload", true}, 2},
                                                     {{"filetransfer.after-accounts", true}, 1},
                                                     {{"filetransfer.before-accounts", true}, 2}};
  EXPECT_GE(KillAll(false, always, 7), FullCampaign() ? 30 : 7);
}

TEST(LiveKills, AroundProftpdOverSshTheNextApplyFinishes) {
  const std::vector<std::pair<Place, int>> always = {{{"filetransfer.after-rename", true}, 1},
                                                     {{"filetransfer.after-accounts", true}, 2},
                                                     {{"filetransfer.before-reload", true}, 2}};
  EXPECT_GE(KillAll(true, always, 3), FullCampaign() ? 30 : 3);
}

}  // namespace
}  // namespace postern::fault
