// tests/support/proftpd.h: a real ProFTPD on loopback with FTP and mod_sftp, for tests.
//
// Works as root (accounts get their own uid, sessions switch to it) and as an ordinary user (all
// accounts act as the caller). Everything lies in the scratch folder; ports come from the kernel.
// Recipe: one tree, high ports, no DNS, no PAM, `-n` in the foreground, ended by pid. Use from the
// main thread; a failing step fails the test with the daemon's words.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/process.h"

namespace postern::support {

// One line of the AuthUserFile. `home` empty: the data folder.
struct ProftpdAccount {
  std::string name;
  std::string password;  // in clear; the file gets a $6$ hash. Empty: no password works
  unsigned uid = 30000;  // ignored (the caller's own) when not root
  std::string home;
};

struct ProftpdGroup {
  std::string name;
  unsigned gid = 0;
  std::vector<std::string> members;
};

class Proftpd {
 public:
  struct Options {
    std::string main;                  // lines at server level, after ours
    std::string global;                // lines in <Global>, after the include line
    std::string sftp;                  // lines in the mod_sftp <VirtualHost>
    std::vector<std::string> modules;  // besides mod_sftp and mod_ctrls_admin, in load order
    bool include = true;               // Include the generated file in <Global>
    bool default_root = false;         // DefaultRoot ~ (root only: needs chroot)
  };

  // Writes the files and starts nothing.
  explicit Proftpd(const Scratch& scratch);
  Proftpd(const Scratch& scratch, const Options& options);
  ~Proftpd() { Stop(); }
  Proftpd(const Proftpd&) = delete;
  Proftpd& operator=(const Proftpd&) = delete;

  // Write AuthUserFile and AuthGroupFile; the next login sees them.
  void WriteAccounts(const std::vector<ProftpdAccount>& accounts);
  void WriteGroups(const std::vector<ProftpdGroup>& groups);
  // The generated include's text. Takes effect at Start() or Reload().
  void WriteInclude(std::string_view text);
  // Writes proftpd.conf anew, with the same ports and paths.
  void WriteConfig(const Options& options);

  // `proftpd -t` over the configuration: exit code and messages.
  RunResult Check() const;
  // Starts the daemon and waits until both ports answer. False: the test has failed already.
  [[nodiscard]] bool Start();
  void Stop();
  // SIGHUP, then waits until the configuration was read again and both ports answer.
  [[nodiscard]] bool Reload();

  uint16_t ftp_port() const { return ftp_port_; }
  uint16_t sftp_port() const { return sftp_port_; }
  const std::string& data() const { return data_; }  // 0777, owned by the sessions' uid
  const std::string& config_path() const { return config_; }
  const std::string& include_path() const { return include_; }
  const std::string& passwd_path() const { return passwd_; }
  const std::string& group_path() const { return group_; }
  const std::string& keys_path() const { return keys_; }  // KEYS/ACCOUNT, RFC 4716
  const std::string& pid_path() const { return pid_file_; }
  const std::string& scoreboard_path() const { return scoreboard_; }
  const std::string& control_socket() const { return control_; }
  const std::string& host_key_path() const { return host_key_; }  // .pub beside it
  // What starts it in the foreground: proftpd -n -c CONFIG.
  std::vector<std::string> StartCommand() const;
  ServerProcess* process() { return process_.get(); }
  // The end of the daemon's log and of SFTPLog, for failure messages.
  std::string Logs() const;

 private:
  void MakeHostKey();

  const Scratch& scratch_;
  std::string data_, config_, include_, passwd_, group_, keys_, pid_file_, scoreboard_, control_,
      host_key_, sftp_log_, run_;
  uint16_t ftp_port_ = 0, sftp_port_ = 0;
  std::unique_ptr<ServerProcess> process_;
};

// Makes files and folders below `path` (and itself) usable by every account of the daemon, so that
// only the daemon's own rules decide: owner = the sessions' uid, folders 0777, files 0666.
void OpenTree(const std::string& path);

}  // namespace postern::support
