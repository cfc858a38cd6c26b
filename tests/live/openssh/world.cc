#include "tests/live/openssh/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/live/openssh_product/machine.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using support::RunCommand;
using support::RunResult;

void WriteFile(const std::string& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path, std::ios::trunc) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

}  // namespace

SshdWorld::SshdWorld(const Options& options) : options_(options), port_(support::FreePort()) {
  Machine& machine = Machine::Get();
  EXPECT_TRUE(machine.entered());
  Run({"rm", "-rf", "/srv/ssh", kExchange, "/srv/postern", "/srv/clients"});
  // Somebody who keeps the host, and is none of the managed accounts.
  machine.WriteAccounts("keeper:x:29999:29999::/:/bin/sh\n", "ftpusers:x:30000:\nkeeper:x:29999:\n",
                        "keeper:*:19000:0:99999:7:::\n");
  for (const char* folder :
       {"/srv/ssh", "/srv/ssh/sshd_config.d", "/srv/ssh/keys", "/srv/clients", "/srv/postern",
        "/srv/postern/operator", "/srv/postern/access", "/srv/postern/secrets", "/run/sshd"}) {
    ::mkdir(folder, 0755);
  }
  ::mkdir(kExchange.c_str(), 0750);
  support::MakeSshKey("ed25519", "/srv/ssh/host_key");
  for (const char* name : {"one", "two", "keeper"}) {
    support::MakeSshKey("ed25519", std::string("/srv/clients/") + name);
  }
  for (const char* login : {"root", "keeper"}) {
    if (options.reach == Options::Reach::kHere || options.reach == Options::Reach::kOther) break;
    Run({"cp", "/srv/clients/keeper.pub", std::string("/srv/ssh/keys/") + login});
  }
  if (options.reach == Options::Reach::kSudo) {
    ::mkdir("/etc/sudoers.d", 0755);
    WriteFile("/etc/sudoers.d/postern-test", "keeper ALL=(root) NOPASSWD: /usr/bin/env\n", 0440);
  }
  WriteFile("/srv/clients/known_hosts", fmt::format("[127.0.0.1]:{} {}\n", port_,
                                                    support::PublicKeyOf("/srv/ssh/host_key.pub")));
  WriteFile("/srv/postern/secrets/pw", "correct horse", 0600);
  WriteConfig(options.before, options.after);
  WriteOperatorFile();
}

SshdWorld::~SshdWorld() {
  if (sshd_ != nullptr) sshd_->Stop();
  Machine::Get().ExpectOutsideUnchanged();
}

void SshdWorld::WriteConfig(const std::string& before, const std::string& after) {
  WriteFile(config_,
            fmt::format("ListenAddress 127.0.0.1\nPort {}\nHostKey /srv/ssh/host_key\n"
                        "PidFile /srv/ssh/sshd.pid\nLogLevel VERBOSE\nUseDNS no\nMaxStartups 100\n"
                        "UsePAM {}\nAuthorizedKeysFile /srv/ssh/keys/%u\n"
                        "Subsystem sftp internal-sftp\n{}Include /srv/ssh/sshd_config.d/*.conf\n{}",
                        port_, options_.pam ? "yes" : "no", before, after),
            0600);
}

std::string SshdWorld::HostLines() const {
  using Reach = Options::Reach;
  if (options_.reach == Reach::kHere) return "address = \"local:\"";
  if (options_.reach == Reach::kOther) return options_.host;
  const bool sudo = options_.reach == Reach::kSudo;
  return fmt::format(
      "address = \"ssh://{}@127.0.0.1:{}\"\nknown_host = \"{}\"\n"
      "identity = \"/srv/clients/keeper\"{}",
      sudo ? "keeper" : "root", port_, support::PublicKeyOf("/srv/ssh/host_key.pub"),
      sudo ? "\nbecome = \"sudo\"" : "");
}

void SshdWorld::WriteOperatorFile() const {
  WriteFile("/srv/postern/operator/postern.toml",
            fmt::format(R"(administrators = ["person:root"]

[host.edge]
{}
manage = {{ roots = ["{}"], accounts = "group:ftpusers", foreign = "{}" }}
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, remove_percent = 100, change_percent = 100 }}

[server.sftp]
host = "edge"
product = "openssh"
config = "{}"
uids = {{ from = 30000, to = 39999, gid = 30000 }}
chroot = "{}"
control = {{ pidfile = "/srv/ssh/sshd.pid"{} }}
{}
limits = {{ lose_people = 100, lose_percent = 100, remove_objects = 100, remove_percent = 100, change_percent = 100 }}

[secret.pw]
from = "file:/srv/postern/secrets/pw"
{})",
                        HostLines(), kExchange, options_.foreign, config_,
                        options_.chroot ? "home" : "none",
                        options_.control.empty() ? "" : ", " + options_.control, options_.server,
                        options_.servers));
}

bool SshdWorld::Start(const std::string& config) {
  const std::string program = support::FindProgram("sshd");
  sshd_ = std::make_unique<support::ServerProcess>(
      scratch_,
      std::vector<std::string>{program, "-D", "-e", "-f", config.empty() ? config_ : config},
      support::ServerProcess::Options{.name = "sshd"});
  return sshd_->WaitForPort(port_);
}

bool SshdWorld::SshdAlive() const {
  return sshd_->Alive();
}

int SshdWorld::SshdPid() const {
  return sshd_->pid();
}

void SshdWorld::Declare(const std::string& access) {
  // A floor that every plan keeps: somebody with a login of her own that no test touches.
  WriteFile("/srv/postern/access/all.toml", Person("root", KeysLine({"one"})) +
                                                Folder("all", kExchange) +
                                                Grant("person:root", "all", "\"list\"") + access);
}

std::string SshdWorld::Person(const std::string& name, const std::string& more) {
  return fmt::format(
      "[person.{0}]\n[account.{0}-in]\nfor = \"person:{0}\"\nserver = \"sftp\"\nhome = "
      "\"{1}\"\n{2}\n",
      name, kExchange, more);
}

std::string SshdWorld::KeysLine(const std::vector<std::string>& names) const {
  std::string list;
  for (const std::string& name : names) {
    list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ",
                        support::PublicKeyOf(fmt::format("/srv/clients/{}.pub", name)));
  }
  return fmt::format("keys = [{}]", list);
}

std::string SshdWorld::Folder(const std::string& name, const std::string& path) {
  return fmt::format("[folder.{}]\nhost = \"edge\"\npath = \"{}\"\n", name, path);
}

std::string SshdWorld::Grant(const std::string& who, const std::string& folder,
                             const std::string& rights) {
  return fmt::format("[[grant]]\nwho = [\"{}\"]\nfolder = \"{}\"\nrights = [{}]\n", who, folder,
                     rights);
}

RunResult SshdWorld::Postern(const std::vector<std::string>& words,
                             const std::string& kill_point) const {
  std::vector<std::string> command = {POSTERN};
  command.insert(command.end(), words.begin(), words.end());
  support::RunOptions options;
  options.cwd = "/srv/postern";
  const bool program = kill_point.starts_with("apply.");
  const char* variable = program ? "POSTERN_KILL_POINT" : "POSTERN_PROVIDER_KILL_POINT";
  if (!kill_point.empty()) options.env = {{variable, kill_point}};
  options.limit = std::chrono::seconds(120);
  return RunCommand(command, options);
}

void SshdWorld::ApplyAll() const {
  const RunResult run = Postern({"apply", "--yes"});
  EXPECT_EQ(run.exit, 0) << run.out << run.err << sshd_->LogTail();
  const RunResult plan = Postern({"plan", "--detailed-exitcode"});
  EXPECT_EQ(plan.exit, 0) << "the plan after an apply is empty\n" << plan.out << plan.err;
}

bool SshdWorld::PlanIsEmpty() const {
  return Postern({"plan", "--detailed-exitcode"}).exit == 0;
}

std::string SshdWorld::Run(const std::vector<std::string>& words, const std::string& input) {
  const RunResult run = RunCommand(words, input);
  EXPECT_EQ(run.exit, 0) << words.front() << ": " << run.err;
  return run.out;
}

std::vector<std::string> SshdWorld::ClientOptions(const std::string& key) const {
  return {"-F",
          "/dev/null",
          "-i",
          "/srv/clients/" + key,
          "-oIdentitiesOnly=yes",
          "-oIdentityAgent=none",
          "-oStrictHostKeyChecking=yes",
          "-oUserKnownHostsFile=/srv/clients/known_hosts"};
}

RunResult SshdWorld::Sftp(const std::string& login, const std::string& key,
                          const std::string& batch, const std::string& from) const {
  std::vector<std::string> command = {"sftp",
                                      "-q",
                                      "-b",
                                      "-",
                                      "-P",
                                      std::to_string(port_),
                                      "-oBatchMode=yes",
                                      "-oBindAddress=" + from};
  for (const std::string& word : ClientOptions(key)) command.push_back(word);
  command.push_back(login + "@127.0.0.1");
  return RunCommand(command, batch);
}

bool SshdWorld::LetsIn(const std::string& login, const std::string& key,
                       const std::string& from) const {
  return Sftp(login, key, "pwd\n", from).exit == 0;
}

bool SshdWorld::LetsInByPassword(const std::string& login, const std::string& password) const {
  WriteFile("/srv/clients/askpass", "#!/bin/sh\necho '" + password + "'\n", 0755);
  // sftp asks for no password in batch mode: the subsystem alone, ended by the end of input.
  std::vector<std::string> command = {"ssh", "-T", "-s", "-p", std::to_string(port_)};
  for (const std::string& word : ClientOptions("one")) command.push_back(word);
  command.insert(command.end(), {"-oPubkeyAuthentication=no", "-oNumberOfPasswordPrompts=1",
                                 login + "@127.0.0.1", "sftp"});
  support::RunOptions options;
  options.env = {{"SSH_ASKPASS", "/srv/clients/askpass"}, {"SSH_ASKPASS_REQUIRE", "force"}};
  return RunCommand(command, options).exit == 0;
}

std::unique_ptr<support::ServerProcess> SshdWorld::OpenSession(const std::string& login,
                                                               const std::string& key,
                                                               uint16_t port) {
  // Reads its requests from a pipe that it holds open itself: it never ends, and leaves nobody
  // behind.
  const std::string pipe = scratch_.File(fmt::format("requests-{}", sessions_));
  std::string words =
      fmt::format("mkfifo {} && exec ssh -v -T -s -p {}", pipe, port == 0 ? port_ : port);
  // The first that is said of an option counts.
  if (port != 0) words += " -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null";
  for (const std::string& word : ClientOptions(key)) words += " " + word;
  words += fmt::format(" -oBatchMode=yes {}@127.0.0.1 sftp <>{}", login, pipe);
  const std::string name = fmt::format("session-{}", ++sessions_);
  auto session = std::make_unique<support::ServerProcess>(
      scratch_, std::vector<std::string>{"bash", "-c", words},
      support::ServerProcess::Options{.name = name});
  const auto in = [&] {
    return support::ReadFile(session->log_path()).find("Sending subsystem") != std::string::npos;
  };
  for (int i = 0; i < 200 && !in() && session->Alive(); ++i) ::usleep(50'000);
  EXPECT_TRUE(in()) << session->LogTail();
  return session;
}

void SshdWorld::MakeFolder(const std::string& path, const std::string& mode) {
  Run({"mkdir", "-p", "-m", mode, path});
  WriteFile(path + "/old", "old\n");
}

}  // namespace postern::live
