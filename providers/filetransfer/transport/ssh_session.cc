#include "providers/filetransfer/transport/ssh_session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>

#include "core/base/hash.h"

namespace postern::filetransfer {
namespace {

constexpr std::string_view kNoRsa =
    "libssh2 before 1.11 signs with RSA only by SHA-1, which current servers refuse";

void InitOnce() {
  static std::once_flag once;
  std::call_once(once, [] { libssh2_init(0); });
}

std::string Where(const SshAddress& address) {
  return fmt::format("ssh://{}@{}:{}", address.user, address.host, address.port);
}

std::string Fingerprint(std::string_view blob) {
  const base::Digest digest = base::Sha256(blob);
  std::string text = base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

// Connects within `limit`; -1 with errno set when it can't.
int ConnectTo(const addrinfo& to, std::chrono::seconds limit) {
  const int fd = ::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol);
  if (fd < 0) return -1;
  int error = 0;
  if (::connect(fd, to.ai_addr, to.ai_addrlen) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      pollfd waiting = {fd, POLLOUT, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(limit.count() * 1000));
      socklen_t size = sizeof(error);
      if (ready <= 0) {
        error = ETIMEDOUT;
      } else {
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
  }
  if (error != 0) {
    ::close(fd);
    errno = error;
    return -1;
  }
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  return fd;
}

// True for the text of an RSA private key, in any of the formats that ssh-keygen writes.
bool IsRsaKey(const std::string& text) {
  if (text.find("BEGIN RSA PRIVATE KEY") != std::string::npos) return true;
  const size_t begin = text.find("-----BEGIN OPENSSH PRIVATE KEY-----");
  if (begin == std::string::npos) return false;
  std::string body;
  for (const char c : text.substr(begin + 35, text.rfind("-----END") - begin - 35)) {
    if (c != '\n' && c != '\r') body += c;
  }
  std::string blob;
  // The public key stands in the clear, also in an encrypted file.
  return base::DecodeBase64(body, &blob) &&
         blob.substr(0, 200).find("ssh-rsa") != std::string::npos;
}

bool IsRsaKeyFile(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text, '\0');  // a folder or a failing disk ends it; an iterator would throw
  return IsRsaKey(text);
}

bool IsRsaBlob(const unsigned char* blob, size_t size) {
  return std::string_view(reinterpret_cast<const char*>(blob), size)
             .substr(0, 16)
             .find("ssh-rsa") != std::string_view::npos;
}

bool ByAgent(const SshSettings& settings) {
  return settings.identity.empty() || settings.identity == "agent";
}

// What a failed login by key means; libssh2 has one code for most of it.
Error AuthenticationError(const SshSettings& settings, const std::string& last, bool rsa) {
  const std::string where = Where(settings.address);
  const std::string key = ByAgent(settings) ? "of the SSH agent" : settings.identity;
  if (rsa) {
    return {ErrorCode::kAuthentication,
            fmt::format("{}: the RSA key {} can't be used ({}): {}; use an ed25519 or ECDSA key",
                        where, key, last, kNoRsa)};
  }
  return {ErrorCode::kAuthentication, fmt::format("{} refused the key {} for {} ({})", where, key,
                                                  settings.address.user, last)};
}

}  // namespace

SshSession::~SshSession() {
  session_.reset();
  if (socket_ >= 0) ::close(socket_);
}

std::string SshSession::LastError() const {
  char* text = nullptr;
  int size = 0;
  const int code = libssh2_session_last_error(session_.get(), &text, &size, 0);
  return fmt::format("{} ({})", text == nullptr ? "no reason given" : text, code);
}

Result<std::unique_ptr<SshSession>> SshSession::Open(const SshSettings& settings) {
  InitOnce();
  auto session = std::unique_ptr<SshSession>(new SshSession());
  if (auto done = session->Connect(settings); !done) return tl::unexpected(done.error());
  if (auto done = session->Handshake(settings); !done) return tl::unexpected(done.error());
  if (auto done = session->CheckHostKey(settings); !done) return tl::unexpected(done.error());
  if (auto done = session->Authenticate(settings); !done) return tl::unexpected(done.error());
  return session;
}

Result<void> SshSession::Connect(const SshSettings& settings) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(settings.address.port);
  if (const int error = ::getaddrinfo(settings.address.host.c_str(), port.c_str(), &hints, &found);
      error != 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{}: {}", Where(settings.address), ::gai_strerror(error)));
  }
  for (const addrinfo* to = found; to != nullptr && socket_ < 0; to = to->ai_next) {
    socket_ = ConnectTo(*to, settings.connect_limit);
  }
  const int error = errno;
  ::freeaddrinfo(found);
  if (socket_ < 0) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{}: {}", Where(settings.address),
                            ::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
  }
  session_.reset(libssh2_session_init());
  if (session_ == nullptr) return Fail(ErrorCode::kInternal, "libssh2 has no memory");
  libssh2_session_set_timeout(session_.get(),
                              static_cast<long>(settings.connect_limit.count() * 1000));
  return {};
}

Result<void> SshSession::Handshake(const SshSettings& settings) {
  const std::string type = settings.known_host.substr(0, settings.known_host.find(' '));
  const std::string where = Where(settings.address);
  if (libssh2_session_method_pref(session_.get(), LIBSSH2_METHOD_HOSTKEY, type.c_str()) != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: this libssh2 ({}) knows no host keys of type {}", where,
                            libssh2_version(0), type));
  }
  const int code = libssh2_session_handshake(session_.get(), socket_);
  if (code == 0) return {};
  if (code == LIBSSH2_ERROR_TIMEOUT) {
    return Fail(ErrorCode::kTimeout, fmt::format("{}: no answer to the SSH handshake", where));
  }
  // -5 and -8 are how it says that no common host key algorithm was found.
  if (code == LIBSSH2_ERROR_KEX_FAILURE || code == LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE) {
    return Fail(
        ErrorCode::kUntrusted,
        fmt::format("{}: no key exchange with a host key of type {} ({}); the server has no such "
                    "key, or has only an RSA one: {}. Give it an ed25519 or ECDSA host key and "
                    "write that in known_host",
                    where, type, LastError(), kNoRsa));
  }
  return Fail(ErrorCode::kUnavailable, fmt::format("{}: SSH handshake: {}", where, LastError()));
}

Result<void> SshSession::CheckHostKey(const SshSettings& settings) {
  size_t size = 0;
  int type = 0;
  const char* key = libssh2_session_hostkey(session_.get(), &size, &type);
  std::string known;
  const size_t blank = settings.known_host.find(' ');
  const std::string text = settings.known_host.substr(blank + 1);
  base::DecodeBase64(text.substr(0, text.find(' ')), &known);
  const std::string_view shown(key == nullptr ? "" : key, key == nullptr ? 0 : size);
  if (!known.empty() && shown == known) return {};
  return Fail(
      ErrorCode::kUntrusted,
      fmt::format("{} showed the host key {}, known_host is {}; nothing was sent. Either the host "
                  "was set up anew or somebody stands between",
                  Where(settings.address), Fingerprint(shown), Fingerprint(known)));
}

Result<void> SshSession::Authenticate(const SshSettings& settings) {
  if (!settings.private_key.empty()) return AuthenticateByText(settings);
  if (!settings.password.empty()) return AuthenticateByPassword(settings);
  if (ByAgent(settings)) return AuthenticateByAgent(settings);
  return AuthenticateByFile(settings);
}

Result<void> SshSession::AuthenticateByText(const SshSettings& settings) {
  const std::string& user = settings.address.user;
  const int code = libssh2_userauth_publickey_frommemory(session_.get(), user.c_str(), user.size(),
                                                         nullptr, 0, settings.private_key.c_str(),
                                                         settings.private_key.size(), nullptr);
  if (code == 0) return {};
  const std::string last = LastError();
  if (code == LIBSSH2_ERROR_TIMEOUT || code == LIBSSH2_ERROR_SOCKET_DISCONNECT) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", Where(settings.address), last));
  }
  if (IsRsaKey(settings.private_key)) {
    return Fail(ErrorCode::kAuthentication,
                fmt::format("{}: an RSA key can't be used ({}): {}; use an ed25519 or ECDSA key",
                            Where(settings.address), last, kNoRsa));
  }
  return Fail(ErrorCode::kAuthentication,
              fmt::format("{} refused the key ({})", Where(settings.address), last));
}

Result<void> SshSession::AuthenticateByPassword(const SshSettings& settings) {
  const std::string& user = settings.address.user;
  const int code = libssh2_userauth_password_ex(
      session_.get(), user.c_str(), static_cast<unsigned>(user.size()), settings.password.c_str(),
      static_cast<unsigned>(settings.password.size()), nullptr);
  if (code == 0) return {};
  const bool lost = code == LIBSSH2_ERROR_TIMEOUT || code == LIBSSH2_ERROR_SOCKET_DISCONNECT;
  return Fail(lost ? ErrorCode::kUnavailable : ErrorCode::kAuthentication,
              fmt::format("{} refused the password ({})", Where(settings.address), LastError()));
}

Result<void> SshSession::AuthenticateByFile(const SshSettings& settings) {
  if (::access(settings.identity.c_str(), R_OK) != 0) {
    return Fail(ErrorCode::kAuthentication,
                fmt::format("the identity {} can't be read: {}", settings.identity,
                            ::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
  }
  const std::string& user = settings.address.user;
  const int code = libssh2_userauth_publickey_fromfile_ex(
      session_.get(), user.c_str(), static_cast<unsigned>(user.size()), nullptr,
      settings.identity.c_str(), nullptr);
  if (code == 0) return {};
  const std::string last = LastError();
  const bool rsa = IsRsaKeyFile(settings.identity);
  if (code == LIBSSH2_ERROR_FILE && !rsa) {
    return Fail(
        ErrorCode::kAuthentication,
        fmt::format(
            "the identity {} can't be used ({}); one with a passphrase belongs in the agent",
            settings.identity, last));
  }
  if (code == LIBSSH2_ERROR_TIMEOUT || code == LIBSSH2_ERROR_SOCKET_DISCONNECT) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", Where(settings.address), last));
  }
  return tl::unexpected(AuthenticationError(settings, last, rsa));
}

Result<void> SshSession::AuthenticateByAgent(const SshSettings& settings) {
  const std::unique_ptr<LIBSSH2_AGENT, decltype(&libssh2_agent_free)> agent(
      libssh2_agent_init(session_.get()), &libssh2_agent_free);
  if (agent == nullptr || libssh2_agent_connect(agent.get()) != 0) {
    return Fail(ErrorCode::kAuthentication,
                fmt::format("{}: no SSH agent answers at SSH_AUTH_SOCK; start one or set identity",
                            Where(settings.address)));
  }
  Result<void> answer = Fail(ErrorCode::kAuthentication,
                             fmt::format("{}: the SSH agent holds no key; add one or set identity",
                                         Where(settings.address)));
  libssh2_agent_publickey* key = nullptr;
  libssh2_agent_publickey* previous = nullptr;
  bool tried = false;
  if (libssh2_agent_list_identities(agent.get()) == 0) {
    while (libssh2_agent_get_identity(agent.get(), &key, previous) == 0) {
      previous = key;
      const int code = libssh2_agent_userauth(agent.get(), settings.address.user.c_str(), key);
      if (code == 0) {
        answer = {};
        break;
      }
      // That a good key was refused says more than that an RSA key can't be used.
      const bool rsa = IsRsaBlob(key->blob, key->blob_len);
      if (!tried || !rsa) {
        answer = tl::unexpected(AuthenticationError(settings, LastError(), rsa));
      }
      tried = tried || !rsa;
    }
  }
  libssh2_agent_disconnect(agent.get());
  return answer;
}

}  // namespace postern::filetransfer
