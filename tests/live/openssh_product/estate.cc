#include "tests/live/openssh_product/estate.h"

#include <crypt.h>
#include <fmt/format.h>
#include <glob.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/live/openssh_product/machine.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using support::RunCommand;
using support::RunResult;

const std::string kFolders[] = {"/srv/ssh", "/srv/ssh/keys", "/srv/clients", "/srv/w"};

class Disk final : public openssh::FileSource {
 public:
  Result<std::string> Read(const std::string& path) const override {
    std::ifstream file(path);
    if (!file) return Fail(ErrorCode::kNotFound, "no such file");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    glob_t found = {};
    std::vector<std::string> paths;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): tests use one thread
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    return paths;
  }
};

void WriteFile(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream(path, std::ios::trunc) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0) << path;
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

posix::Node PlainNode(posix::Node::Type type, posix::Perm other) {
  return {.type = type, .access = {.owner = 7, .group = other, .other = other}};
}

std::string PasswordHash() {
  static const std::string hash = [] {
    crypt_data data = {};
    return std::string(::crypt_r("pw", "$6$posternsalt$", &data));
  }();
  return hash;
}

Estate::Estate() : port_(support::FreePort()) {
  EXPECT_TRUE(Machine::Get().entered());
  for (const std::string& folder : kFolders) ::mkdir(folder.c_str(), 0755);
  ::mkdir("/run/sshd", 0755);
  key_ = "/srv/clients/id";
  if (::access(key_.c_str(), F_OK) != 0) {
    support::MakeSshKey("ed25519", key_);
    support::MakeSshKey("ed25519", "/srv/ssh/host_key");
    WriteFile("/srv/clients/new", "new", 0644);
  }
  WriteFile(
      "/srv/clients/known_hosts",
      fmt::format("[127.0.0.1]:{} {}\n", port_, support::PublicKeyOf("/srv/ssh/host_key.pub")),
      0644);
  Clear();
}

void Estate::Clear() {
  Stop();
  EXPECT_EQ(RunCommand({"rm", "-rf", "/srv/w", "/srv/keep", "/srv/ssh/keys"}).exit, 0);
  for (const std::string& folder : kFolders) ::mkdir(folder.c_str(), 0755);
}

void Estate::WriteAccounts(const std::vector<TestAccount>& accounts,
                           const std::map<std::string, std::pair<uint32_t, std::string>>& groups) {
  accounts_ = accounts;
  std::string passwd, group, shadow;
  for (const TestAccount& account : accounts) {
    passwd += fmt::format("{}:x:{}:{}::{}:{}\n", account.login, account.uid, account.gid,
                          account.home, account.shell);
    shadow +=
        fmt::format("{}:{}:19000:0:99999:7::{}:\n", account.login, account.shadow, account.expires);
    const std::string client = "/srv/clients/key-" + account.login;
    WriteFile(client, TextOf(key_), 0600);
    if (account.options == "none") continue;
    const std::string options = account.options.empty() ? "" : account.options + " ";
    WriteFile("/srv/ssh/keys/" + account.login, options + TextOf(key_ + ".pub"),
              static_cast<mode_t>(std::stoul(account.key_mode, nullptr, 8)));
  }
  for (const auto& [name, who] : groups) {
    group += fmt::format("{}:x:{}:{}\n", name, who.first, who.second);
  }
  Machine::Get().WriteAccounts(passwd, group, shadow);
}

void Estate::WriteConfig(const std::string& body) {
  WriteFile(config_,
            fmt::format("ListenAddress 127.0.0.1\nPort {}\nHostKey /srv/ssh/host_key\n"
                        "PidFile none\nLogLevel VERBOSE\nUseDNS no\nMaxStartups 100\n"
                        "AuthorizedKeysFile /srv/ssh/keys/%u\n{}",
                        port_, body),
            0600);
}

void Estate::WriteFolders(const std::map<std::string, posix::Node>& nodes) {
  std::string text;
  for (const auto& [path, node] : nodes) {
    if (node.type == posix::Node::Type::kFolder) {
      ::mkdir(path.c_str(), 0755);
    } else {
      std::ofstream(path) << "old";
    }
    text += posix::FormatRestore(path, node, true);
  }
  const RunResult run = RunCommand({"setfacl", "--restore=-"}, text);
  ASSERT_EQ(run.exit, 0) << run.err;
}

bool Estate::Start() {
  const std::string program = support::FindProgram("sshd");
  const RunResult check = RunCommand({program, "-t", "-f", config_});
  EXPECT_EQ(check.exit, 0) << check.err;
  sshd_ = std::make_unique<support::ServerProcess>(
      scratch_, std::vector<std::string>{program, "-D", "-e", "-f", config_},
      support::ServerProcess::Options{.name = "sshd"});
  return sshd_->WaitForPort(port_);
}

void Estate::Stop() {
  if (sshd_ != nullptr) sshd_->Stop();
  sshd_.reset();
}

std::string Estate::Log() const {
  return sshd_ == nullptr ? "" : support::ReadFile(sshd_->log_path());
}

std::vector<std::string> Estate::ClientOptions(const std::string& login) const {
  return {"-F",
          "/dev/null",
          "-i",
          "/srv/clients/key-" + login,
          "-oIdentitiesOnly=yes",
          "-oIdentityAgent=none",
          "-oStrictHostKeyChecking=yes",
          "-oUserKnownHostsFile=/srv/clients/known_hosts"};
}

RunResult Estate::Sftp(const std::string& login, const std::string& batch,
                       const std::vector<std::string>& options) const {
  std::vector<std::string> command = {"sftp", "-q", "-b", "-", "-P", std::to_string(port_)};
  for (const std::string& word : ClientOptions(login)) command.push_back(word);
  command.insert(command.end(), options.begin(), options.end());
  command.push_back(login + "@127.0.0.1");
  return RunCommand(command, batch);
}

RunResult Estate::Ssh(const std::string& login, const std::string& text) const {
  std::vector<std::string> command = {"ssh", "-T", "-p", std::to_string(port_), "-oBatchMode=yes"};
  for (const std::string& word : ClientOptions(login)) command.push_back(word);
  command.push_back(login + "@127.0.0.1");
  command.push_back(text);
  return RunCommand(command);
}

bool Estate::LetsIn(const std::string& login) const {
  return Sftp(login, "pwd\n", {"-oBatchMode=yes"}).exit == 0;
}

bool Estate::LetsInByPassword(const std::string& login) const {
  WriteFile("/srv/clients/askpass", "#!/bin/sh\necho pw\n", 0755);
  // sftp asks for no password in batch mode: the subsystem alone, ended by the end of input.
  std::vector<std::string> command = {"ssh", "-T", "-s", "-p", std::to_string(port_)};
  for (const std::string& word : ClientOptions(login)) command.push_back(word);
  command.insert(command.end(), {"-oPubkeyAuthentication=no", "-oNumberOfPasswordPrompts=1",
                                 login + "@127.0.0.1", "sftp"});
  support::RunOptions options;
  options.env = {{"SSH_ASKPASS", "/srv/clients/askpass"}, {"SSH_ASKPASS_REQUIRE", "force"}};
  return RunCommand(command, options).exit == 0;
}

std::map<std::string, std::string> Estate::Probe(const std::map<std::string, std::string>& chroots,
                                                 const std::vector<std::string>& folders) const {
  std::string accounts;
  for (const auto& [login, chroot] : chroots) {
    std::string pairs;
    for (const std::string& folder : folders) {
      const auto client = openssh::ClientPath(folder, chroot);
      if (!client) continue;
      pairs += fmt::format("{}[\"{}\", \"{}\"]", pairs.empty() ? "" : ", ", folder,
                           *client == "/" ? "" : *client);
    }
    accounts += fmt::format("{}\"{}\": [{}]", accounts.empty() ? "" : ", ", login, pairs);
  }
  support::RunOptions options;
  options.input = fmt::format("{{\"port\": {}, \"accounts\": {{{}}}}}", port_, accounts);
  options.limit = std::chrono::seconds(120);
  const RunResult run = RunCommand({"python3", PROBE_SCRIPT}, options);
  EXPECT_EQ(run.exit, 0) << run.err;
  std::map<std::string, std::string> found;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const size_t tab = line.rfind('\t');
    found[line.substr(0, tab)] = line.substr(tab + 1);
  }
  return found;
}

std::string Estate::EffectiveText(const openssh::Connection& connection) const {
  const RunResult run = RunCommand(
      {support::FindProgram("sshd"), "-T", "-f", config_, "-C", openssh::SpecOf(connection)});
  EXPECT_EQ(run.exit, 0) << run.err;
  return run.out;
}

openssh::AccountKeys Estate::KeysOf(const Facts& facts, const std::string& login,
                                    const openssh::Settings& settings) const {
  openssh::AccountKeys keys;
  const posix::User& user = *facts.host.FindUser(login);
  const auto files = openssh::KeyFilesOf(settings, user);
  EXPECT_TRUE(files.has_value());
  for (const std::string& file : *files) {
    if (facts.tree.Find(file) == nullptr) continue;
    std::string why = openssh::WhyKeyFileUnused(facts.tree, facts.host, user, settings, file);
    if (!why.empty()) {
      keys.problems.push_back(std::move(why));
      continue;
    }
    for (auto& key : openssh::ParseAuthorizedKeys(TextOf(file)).keys) {
      keys.keys.push_back(std::move(key));
    }
  }
  return keys;
}

Estate::Facts Estate::Gather() const {
  Facts facts;
  facts.host = posix::HostAccounts::Parse(TextOf("/etc/passwd"), TextOf("/etc/group"),
                                          TextOf("/etc/shadow"));
  const RunResult way = RunCommand({"getfacl", "-n", "-p", "/", "/srv"});
  const RunResult dump = RunCommand({"getfacl", "-R", "-n", "-p", "/srv/w", "/srv/ssh"});
  Result<posix::Tree> tree = posix::Tree::Parse(way.out + dump.out);
  EXPECT_TRUE(tree.has_value()) << tree.error().message;
  facts.tree = std::move(*tree);
  const RunResult types = RunCommand({"find", "/srv", "/srv/w", "/srv/ssh", "-printf", "%y %p\\0"});
  EXPECT_TRUE(facts.tree.AddTypes(std::string("d /") + '\0' + types.out).has_value());
  facts.at.now = base::Now();
  facts.at.nologin_file = ::access("/etc/nologin", F_OK) == 0;
  facts.at.programs = {"/bin/bash", "/bin/false", "/bin/sh", "/usr/sbin/nologin"};
  std::ifstream("/proc/sys/fs/protected_regular") >> facts.kernel.protected_regular;
  int hardlinks = 0;
  std::ifstream("/proc/sys/fs/protected_hardlinks") >> hardlinks;
  facts.kernel.protected_hardlinks = hardlinks != 0;

  const auto config = openssh::ReadConfig(Disk(), config_);
  EXPECT_TRUE(config.has_value()) << config.error().message;
  facts.config = *config;
  std::vector<openssh::Connection> connections;
  for (const TestAccount& account : accounts_) {
    connections.push_back({account.login,
                           facts.host.GroupNamesOf(*facts.host.FindUser(account.login)),
                           "127.0.0.1", "127.0.0.1", "127.0.0.1", port_});
  }
  for (const auto& group : openssh::OutcomeGroups(facts.config, connections)) {
    const std::string text = EffectiveText(connections[group.front()]);
    ++facts.asked;
    const auto settings = openssh::ParseSettings(text);
    EXPECT_TRUE(settings.has_value()) << settings.error().message;
    for (const size_t i : group) {
      const std::string& login = connections[i].user;
      facts.accounts[login] = {connections[i], *settings, KeysOf(facts, login, *settings)};
    }
  }
  return facts;
}

}  // namespace postern::live
