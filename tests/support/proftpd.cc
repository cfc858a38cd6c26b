#include "tests/support/proftpd.h"

#include <crypt.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace postern::support {
namespace {

namespace fs = std::filesystem;

// The uid of all sessions when we are root; any number that no system account has.
constexpr unsigned kSessionId = 30000;

unsigned SessionUid() {
  return geteuid() == 0 ? kSessionId : geteuid();
}
unsigned SessionGid() {
  return geteuid() == 0 ? kSessionId : getegid();
}

// Who the daemon is between logins. It knows names only.
std::string DaemonUser() {
  if (geteuid() == 0) return "nobody";
  const passwd* entry = getpwuid(geteuid());  // NOLINT(concurrency-mt-unsafe): main thread
  return entry == nullptr ? std::to_string(geteuid()) : entry->pw_name;
}

std::string DaemonGroup() {
  if (geteuid() == 0) return "nogroup";
  const group* entry = getgrgid(getegid());  // NOLINT(concurrency-mt-unsafe): main thread
  return entry == nullptr ? std::to_string(getegid()) : entry->gr_name;
}

std::string HashOf(const std::string& password) {
  if (password.empty()) return "!";
  crypt_data data{};
  // The least number of rounds: tests log in hundreds of times.
  const char* hash = crypt_r(password.c_str(), "$6$rounds=1000$posterntest$", &data);
  return hash == nullptr ? "!" : hash;
}

void WriteFile(const std::string& path, std::string_view text, mode_t mode) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  EXPECT_TRUE(out.good()) << path;
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
}

// True when a connection to 127.0.0.1:port is greeted by the server.
bool Greets(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool greeted = false;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    char byte = 0;
    greeted = poll(&waiting, 1, 3000) == 1 && recv(fd, &byte, 1, 0) == 1;
  }
  close(fd);
  return greeted;
}

std::string Tail(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return "";
  const std::string text = ReadFile(path);
  return text.size() > 4000 ? text.substr(text.size() - 4000) : text;
}

}  // namespace

Proftpd::Proftpd(const Scratch& scratch) : Proftpd(scratch, Options()) {}

Proftpd::Proftpd(const Scratch& scratch, const Options& options) : scratch_(scratch) {
  // Sessions of another uid walk through the scratch folder to reach the data.
  EXPECT_EQ(chmod(scratch.path().c_str(), 0711), 0);
  run_ = scratch.Folder("proftpd", 0755);
  data_ = scratch.Folder("data", 0777);
  keys_ = scratch.Folder("proftpd/keys", 0755);
  config_ = run_ + "/proftpd.conf";
  include_ = run_ + "/postern.conf";
  passwd_ = run_ + "/passwd";
  group_ = run_ + "/group";
  pid_file_ = run_ + "/proftpd.pid";
  scoreboard_ = run_ + "/scoreboard";
  control_ = run_ + "/control.sock";
  host_key_ = run_ + "/host_key";
  sftp_log_ = run_ + "/sftp.log";
  ftp_port_ = FreePort();
  sftp_port_ = FreePort();
  MakeHostKey();
  OpenTree(data_);
  WriteAccounts({});
  WriteGroups({});
  WriteInclude("");
  WriteConfig(options);
}

// The shortest RSA key that clients take: a longer one costs a quarter of a second, hundreds of
// times.
void Proftpd::MakeHostKey() {
  const RunResult made = RunCommand(
      {"ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-m", "PEM", "-N", "", "-f", host_key_});
  EXPECT_EQ(made.exit, 0) << made.err;
  // ECDSA as well: libssh2 and old clients disagree about RSA signatures.
  const RunResult ecdsa = RunCommand({"ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-m", "PEM",
                                      "-N", "", "-f", host_key_ + "_ecdsa"});
  EXPECT_EQ(ecdsa.exit, 0) << ecdsa.err;
}

void Proftpd::WriteAccounts(const std::vector<ProftpdAccount>& accounts) {
  std::string text;
  for (const ProftpdAccount& account : accounts) {
    text += fmt::format("{}:{}:{}:{}::{}:/bin/false\n", account.name, HashOf(account.password),
                        geteuid() == 0 ? account.uid : SessionUid(), SessionGid(),
                        account.home.empty() ? data_ : account.home);
  }
  WriteFile(passwd_, text, 0600);
}

void Proftpd::WriteGroups(const std::vector<ProftpdGroup>& groups) {
  std::string text;
  for (const ProftpdGroup& group : groups) {
    text += fmt::format("{}:x:{}:{}\n", group.name, group.gid, fmt::join(group.members, ","));
  }
  WriteFile(group_, text, 0600);
}

void Proftpd::WriteInclude(std::string_view text) {
  WriteFile(include_, text, 0644);
}

void Proftpd::WriteConfig(const Options& options) {
  const bool root = geteuid() == 0;
  std::string text =
      "ServerName \"postern test\"\nServerType standalone\nUseIPv6 off\n"
      "DefaultAddress 127.0.0.1\nSocketBindTight on\nUseReverseDNS off\n"
      "DelayEngine off\nWtmpLog off\nTransferLog none\n"
      "MaxInstances none\nTimeoutIdle 600\nModulePath /usr/lib/proftpd\n"
      "LoadModule mod_sftp.c\nLoadModule mod_ctrls_admin.c\n";
  for (const std::string& module : options.modules) text += "LoadModule " + module + "\n";
  text += fmt::format("Port {}\nUser {}\nGroup {}\n", ftp_port_, DaemonUser(), DaemonGroup());
  text += fmt::format("PidFile {}\nScoreboardFile {}\n", pid_file_, scoreboard_);
  text += fmt::format("ControlsEngine on\nControlsSocket {}\nControlsInterval 1\n", control_);
  text += fmt::format("ControlsACLs all allow user {0}\nControlsSocketACL allow user {0}\n",
                      root ? "root" : "*");
  text += "<IfModule mod_ctrls_admin.c>\n  AdminControlsEngine on\n";
  text += fmt::format("  AdminControlsACLs all allow user {}\n</IfModule>\n", root ? "root" : "*");
  text += "AllowOverride off\n" + options.main + "\n<Global>\n";
  if (options.include) text += "  Include " + include_ + "\n";
  text += fmt::format("  AuthOrder mod_auth_file.c\n  AuthUserFile {}\n  AuthGroupFile {}\n",
                      passwd_, group_);
  text += "  RequireValidShell off\n  AllowOverride off\n  AllowStoreRestart off\n";
  if (options.default_root) text += "  DefaultRoot ~\n";
  text += options.global + "\n</Global>\n";
  text += fmt::format("<VirtualHost 127.0.0.1>\n  Port {}\n  SFTPEngine on\n  SFTPLog {}\n",
                      sftp_port_, sftp_log_);
  text += fmt::format("  SFTPHostKey {0}\n  SFTPHostKey {0}_ecdsa\n", host_key_);
  text += fmt::format("  SFTPAuthorizedUserKeys file:{}/%u\n", keys_);
  text +=
      "  SFTPOptions IgnoreSFTPUploadPerms\n"
      "  SFTPExtensions -copyFile -hardlink -posixRename\n";
  text += options.sftp + "\n</VirtualHost>\n";
  WriteFile(config_, text, 0644);
}

std::vector<std::string> Proftpd::StartCommand() const {
  return {FindProgram("proftpd"), "-n", "-c", config_};
}

RunResult Proftpd::Check() const {
  return RunCommand({FindProgram("proftpd"), "-t", "-c", config_});
}

bool Proftpd::Start() {
  process_ = std::make_unique<ServerProcess>(scratch_, StartCommand(),
                                             ServerProcess::Options{.name = "proftpd"});
  return process_->WaitForPort(ftp_port_) && process_->WaitForPort(sftp_port_);
}

void Proftpd::Stop() {
  if (process_ != nullptr) process_->Stop();
  process_.reset();
}

bool Proftpd::Reload() {
  // The daemon says so in its log once it has read everything again; a bad file ends it instead.
  const auto restarts = [this] {
    const std::string log = ReadFile(process_->log_path());  // -n: stderr, not SystemLog
    size_t count = 0;
    for (size_t at = log.find("received SIGHUP"); at != std::string::npos;
         at = log.find("received SIGHUP", at + 1)) {
      ++count;
    }
    return count;
  };
  const size_t before = restarts();
  process_->Signal(SIGHUP);
  if (!Eventually(seconds(10), [&] { return restarts() > before; })) {
    ADD_FAILURE() << "the daemon didn't see the reload\n" << Logs();
    return false;
  }
  // The old sockets accept for a moment longer; only a greeting comes from the new configuration.
  if (!Eventually(seconds(10), [&] { return Greets(ftp_port_) && Greets(sftp_port_); })) {
    ADD_FAILURE() << "no greeting after the reload\n" << Logs();
    return false;
  }
  return true;
}

std::string Proftpd::Logs() const {
  return "--- daemon\n" + (process_ == nullptr ? "" : Tail(process_->log_path())) +
         "--- sftp log\n" + Tail(sftp_log_);
}

void OpenTree(const std::string& path) {
  const auto open = [](const fs::path& entry, mode_t mode) {
    EXPECT_EQ(lchown(entry.c_str(), SessionUid(), SessionGid()), 0) << entry;
    EXPECT_EQ(chmod(entry.c_str(), mode), 0) << entry;
  };
  open(path, 0777);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_symlink()) continue;
    open(entry.path(), entry.is_directory() ? 0777 : 0666);
  }
}

}  // namespace postern::support
