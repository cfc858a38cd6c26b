// tests/live/openssh/world.h: an sshd that Postern manages, on a machine of its own (machine.h),
// the declarations over it, and ordinary clients as witnesses.
//
// /srv/ssh holds the daemon's files, /srv/exchange is the managed root, /srv/clients has the keys
// of the clients, /srv/postern the declarations and the ledger. One at a time, from the main
// thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace postern::live {

class SshdWorld {
 public:
  struct Options {
    bool pam = false;
    bool chroot = false;  // "chroot = home"
    std::string before;   // lines of sshd_config before the Include
    std::string after;    // and behind it
    std::string server;   // further lines of the server's table
    std::string servers;  // further tables of the operator's file
    // How Postern gets to the host: here, over the managed sshd itself as root or as an ordinary
    // user with sudo, or as `host` says (lines of [host.edge]).
    enum class Reach : uint8_t { kHere, kRoot, kSudo, kOther } reach = Reach::kHere;
    std::string host;
    std::string control;             // further fields of the server's control, after the pid file
    std::string foreign = "report";  // of the host's manage
  };
  explicit SshdWorld(const Options& options);
  ~SshdWorld();
  SshdWorld(const SshdWorld&) = delete;
  SshdWorld& operator=(const SshdWorld&) = delete;

  // `config`: what the daemon reads instead of config(), which Postern takes it to read.
  bool Start(const std::string& config = "");
  void WriteConfig(const std::string& before, const std::string& after);
  // `access`: the reviewed tree's one file.
  void Declare(const std::string& access);
  // An account of a person with that key, or none; `more`: further lines of it.
  static std::string Person(const std::string& name, const std::string& more = "");
  // "keys = [...]" with the client's key of that name.
  std::string KeysLine(const std::vector<std::string>& names) const;
  static std::string Folder(const std::string& name, const std::string& path);
  static std::string Grant(const std::string& who, const std::string& folder,
                           const std::string& rights);

  // Runs `postern WORDS`; `kill_point`: where the provider is killed (core/base/kill_point.h), or
  // the program where its name begins so.
  support::RunResult Postern(const std::vector<std::string>& words,
                             const std::string& kill_point = "") const;
  // Applies what is declared and expects that the plan after it is empty.
  void ApplyAll() const;
  bool PlanIsEmpty() const;

  // Runs a program as root; fails the test when it fails.
  static std::string Run(const std::vector<std::string>& words, const std::string& input = "");
  // A batch of OpenSSH's sftp with the key of that name.
  support::RunResult Sftp(const std::string& login, const std::string& key,
                          const std::string& batch, const std::string& from = "127.0.0.1") const;
  // `from`: the loopback address that the client comes from.
  bool LetsIn(const std::string& login, const std::string& key,
              const std::string& from = "127.0.0.1") const;
  // With that password and nothing else.
  bool LetsInByPassword(const std::string& login, const std::string& password) const;
  // A session that stays open until its object goes; `port`: of another server of this host, whose
  // key is taken as it is.
  std::unique_ptr<support::ServerProcess> OpenSession(const std::string& login,
                                                      const std::string& key, uint16_t port = 0);
  // A folder below /srv/exchange, of root, with one file "old" in it.
  static void MakeFolder(const std::string& path, const std::string& mode = "0755");

  const std::string& include() const { return include_; }
  const std::string& config() const { return config_; }
  uint16_t port() const { return port_; }
  int SshdPid() const;
  bool SshdAlive() const;

 private:
  void WriteOperatorFile() const;
  std::string HostLines() const;
  std::vector<std::string> ClientOptions(const std::string& key) const;

  support::Scratch scratch_;
  Options options_;
  std::string config_ = "/srv/ssh/sshd_config", include_ = "/srv/ssh/sshd_config.d/postern.conf";
  uint16_t port_ = 0;
  std::unique_ptr<support::ServerProcess> sshd_;
  int sessions_ = 0;
};

inline const std::string kExchange = "/srv/exchange";

}  // namespace postern::live
