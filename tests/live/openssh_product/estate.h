// tests/live/openssh_product/estate.h: a real sshd over system accounts and folders of this
// process's own machine (machine.h), and what a provider would gather about it.
//
// All lies below /srv: clients (keys of the client), ssh (configuration, authorized keys), w (the
// folders). Use one at a time, from the main thread.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "providers/filetransfer/openssh/config.h"
#include "providers/filetransfer/openssh/raise.h"
#include "tests/support/process.h"

namespace postern::live {

inline const std::string kWorldRoot = "/srv/w";

struct TestAccount {
  std::string login;
  uint32_t uid = 0, gid = 0;
  std::string home = "/srv/w", shell = "/usr/sbin/nologin";
  std::string shadow = "*";  // the second field
  std::string expires;       // the eighth
  std::string options;       // of its one key; "none": no key at all
  std::string key_mode = "0644";
};

class Estate {
 public:
  Estate();
  ~Estate() { Stop(); }
  Estate(const Estate&) = delete;
  Estate& operator=(const Estate&) = delete;

  // Empties /srv/w and the authorized keys.
  void Clear();
  // `groups`: name -> (gid, members).
  void WriteAccounts(const std::vector<TestAccount>& accounts,
                     const std::map<std::string, std::pair<uint32_t, std::string>>& groups);
  // `body` follows the lines that every configuration needs.
  void WriteConfig(const std::string& body);
  void WriteFolders(const std::map<std::string, posix::Node>& nodes);

  [[nodiscard]] bool Start();
  void Stop();
  std::string Log() const;
  uint16_t port() const { return port_; }
  // How sftp started by a test ends and what it says.
  support::RunResult Sftp(const std::string& login, const std::string& batch,
                          const std::vector<std::string>& options = {}) const;
  // Runs `command` over ssh.
  support::RunResult Ssh(const std::string& login, const std::string& command) const;
  // True when a session of SFTP opens with the key.
  bool LetsIn(const std::string& login) const;
  // With the password "pw" and nothing else.
  bool LetsInByPassword(const std::string& login) const;

  // probe.py on every account (login -> chroot): LOGIN<tab>FOLDER -> rights, or LOGIN<tab>closed.
  std::map<std::string, std::string> Probe(const std::map<std::string, std::string>& chroots,
                                           const std::vector<std::string>& folders) const;
  // The daemon's own process.
  void Signal(int signal) const { sshd_->Signal(signal); }
  pid_t pid() const { return sshd_->pid(); }

  // What the libraries are told about the machine.
  struct Facts {
    posix::HostAccounts host;
    posix::Tree tree;
    openssh::HostFacts at;
    posix::KernelRules kernel;
    openssh::SshdConfig config;
    std::map<std::string, openssh::Account> accounts;
    size_t asked = 0;  // runs of sshd -T
  };
  Facts Gather() const;
  std::string EffectiveText(const openssh::Connection& connection) const;
  const std::string& config_path() const { return config_; }
  const std::string& client_key() const { return key_; }

 private:
  openssh::AccountKeys KeysOf(const Facts& facts, const std::string& login,
                              const openssh::Settings& settings) const;
  std::vector<std::string> ClientOptions(const std::string& login) const;

  support::Scratch scratch_;
  std::string config_ = "/srv/ssh/sshd_config", key_;
  uint16_t port_ = 0;
  std::vector<TestAccount> accounts_;
  std::unique_ptr<support::ServerProcess> sshd_;
};

// A folder or file of root that everybody may read and enter.
posix::Node PlainNode(posix::Node::Type type, posix::Perm other = 5);
// The hash of the password "pw".
std::string PasswordHash();

}  // namespace postern::live
