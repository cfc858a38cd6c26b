// providers/filetransfer/transport/ssh_session.h: one authenticated SSH session (ssh.h's inside).
#pragma once
#include <libssh2.h>

#include <memory>
#include <string>

#include "providers/filetransfer/transport/ssh.h"

namespace postern::filetransfer {

struct SessionDeleter {
  void operator()(LIBSSH2_SESSION* session) const {
    libssh2_session_set_blocking(session, 0);
    libssh2_session_disconnect(session, "done");
    libssh2_session_free(session);
  }
};

class SshSession {
 public:
  // Connects, checks the host key, authenticates; in this order, each with its own error.
  static Result<std::unique_ptr<SshSession>> Open(const SshSettings& settings);
  ~SshSession();
  SshSession(const SshSession&) = delete;
  SshSession& operator=(const SshSession&) = delete;

  LIBSSH2_SESSION* get() const { return session_.get(); }
  int socket() const { return socket_; }
  // libssh2's last error in words: "Unable to exchange encryption keys (-5)".
  std::string LastError() const;

 private:
  SshSession() = default;
  Result<void> Connect(const SshSettings& settings);
  Result<void> Handshake(const SshSettings& settings);
  Result<void> CheckHostKey(const SshSettings& settings);
  Result<void> Authenticate(const SshSettings& settings);
  Result<void> AuthenticateByText(const SshSettings& settings);
  Result<void> AuthenticateByPassword(const SshSettings& settings);
  Result<void> AuthenticateByFile(const SshSettings& settings);
  Result<void> AuthenticateByAgent(const SshSettings& settings);

  int socket_ = -1;
  std::unique_ptr<LIBSSH2_SESSION, SessionDeleter> session_;
};

}  // namespace postern::filetransfer
