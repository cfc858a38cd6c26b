// providers/filetransfer/transport/ssh.h: the transport to another machine, by libssh2.
//
// Nothing is sent to a host before its key matched `known_host` byte for byte; the algorithm of
// that key is the only one that is negotiated, so that a server with a second key can't read as a
// stranger. Source of what libssh2 1.10 can't do (RSA with SHA-2, both as host and as user key):
// its issues 536 and 626; 1.11 can. One session, used by one thread; a broken one is opened anew
// before a batch is sent, never after.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct SshAddress {
  std::string user, host;
  uint16_t port = 22;
};

// "ssh://user@host:port"; the port may be missing, an IPv6 address stands in brackets.
Result<SshAddress> ParseSshAddress(std::string_view address);

struct SshSettings {
  SshAddress address;
  std::string known_host;   // "ssh-ed25519 AAAA..."
  std::string identity;     // private key file; "agent" or empty: the agent at SSH_AUTH_SOCK
  std::string private_key;  // its text, instead of identity
  std::string password;     // instead of a key
  bool sudo = false;
  std::chrono::seconds connect_limit{15};
};

// Checks the settings; connects with the first batch. kInvalid when a setting can't be right.
Result<std::unique_ptr<Transport>> MakeSshTransport(SshSettings settings);

}  // namespace postern::filetransfer
