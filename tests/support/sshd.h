// tests/support/sshd.h: a real sshd on loopback, for tests of the SSH transport.
//
// Own host keys, own login key, a port from the kernel, in the foreground, log on stderr. Works as
// root and as an ordinary user (then it serves that user only): whoever runs the test logs in by
// key. As root it runs outside PAM and reads only its own files. With `login`, or programs of its
// own, it lives in a private mount namespace: what it changes there nobody else sees, and it goes
// with the server. Use from the main thread.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "tests/support/process.h"

namespace postern::support {

class Sshd {
 public:
  struct Options {
    // Type of the host key: ed25519, ecdsa, rsa.
    std::string host_key = "ed25519";
    // Type of the key that may log in.
    std::string user_key = "ed25519";
    // An ordinary user that exists for this server alone (needs root). Empty: who runs the test.
    std::string login;
    // That user's rules in sudoers, such as "NOPASSWD: ALL". Empty: none.
    std::string sudoers;
    // Programs that the host has in another's place, by path (needs root). Empty text: removed.
    std::map<std::string, std::string> programs;
    // Whether the host looks as if systemd had booted it (sd_booted(3); needs root): its /etc and
    // /run are its own. systemctl is one of `programs`, then.
    bool booted = false;
    std::string more;  // lines of sshd_config
  };

  // Makes the keys and the configuration; starts nothing.
  explicit Sshd(const Scratch& scratch) : Sshd(scratch, Options()) {}
  Sshd(const Scratch& scratch, const Options& options);
  ~Sshd() { Stop(); }
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  [[nodiscard]] bool Start();
  void Stop();

  uint16_t port() const { return port_; }
  // "ssh://USER@127.0.0.1:PORT"
  std::string address() const;
  // "ssh-ed25519 AAAA...", for known_host.
  const std::string& known_host() const { return known_host_; }
  // Private key file that may log in; .pub beside it.
  const std::string& identity() const { return identity_; }
  // How many connections came as far as authentication, by the log.
  size_t Authentications() const;
  std::string Log() const;
  ServerProcess* process() { return process_.get(); }

 private:
  std::vector<std::string> Command() const;

  const Scratch& scratch_;
  const Options options_;
  std::string folder_, config_, identity_, known_host_;
  uint16_t port_ = 0;
  std::unique_ptr<ServerProcess> process_;
};

// Makes a key pair without passphrase at `path` (and .pub).
void MakeSshKey(const std::string& type, const std::string& path);
// "TYPE BASE64" of a public key file, without its comment.
std::string PublicKeyOf(const std::string& path);

}  // namespace postern::support
