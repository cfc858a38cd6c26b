#include "providers/delivery/open.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "core/base/hash.h"
#include "providers/delivery/ftp.h"
#include "providers/delivery/sftp.h"
#include "schemas/job_declarations.pb.h"

namespace postern::delivery {
namespace {

Result<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return Fail(ErrorCode::kInvalid, fmt::format("{} isn't a port", text));
  }
  return port;
}

uint16_t DefaultPort(const std::string& protocol) {
  if (protocol == "sftp") return 22;
  return protocol == "ftps-implicit" ? 990 : 21;
}

// The next string of RFC 4251 section 5: four bytes of length, then it.
std::string_view TakeString(std::string_view* blob) {
  if (blob->size() < 4) return {};
  size_t length = 0;
  for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>((*blob)[i]);
  blob->remove_prefix(4);
  if (length > blob->size()) return {};
  const std::string_view text = blob->substr(0, length);
  blob->remove_prefix(length);
  return text;
}

Result<void> CheckEndpoint(const decl::Endpoint& endpoint, const Address& address) {
  const std::string& protocol = endpoint.protocol();
  if (protocol == "sftp" && endpoint.known_host().find(' ') == std::string::npos) {
    return Fail(ErrorCode::kInvalid, "sftp needs known_host: the host key that must answer");
  }
  if (protocol == "ftp" && !endpoint.plain() && !IsLoopback(address.host)) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("ftp to {} would send the password and the files in the clear; use "
                            "ftps or sftp, or accept it by plain = true",
                            address.host));
  }
  if (protocol != "sftp" && protocol != "ftp" && protocol != "ftps" &&
      protocol != "ftps-implicit") {
    return Fail(ErrorCode::kInvalid, fmt::format("there is no protocol {}", protocol));
  }
  return {};
}

Result<std::unique_ptr<object::Place>> OpenBy(const decl::Endpoint& endpoint,
                                              const Address& address,
                                              const object::PlaceCredential& credential) {
  if (endpoint.protocol() == "sftp") return OpenSftp(address, endpoint.known_host(), credential);
  if (credential.password.empty()) {
    return Fail(ErrorCode::kAuthentication, "FTP takes passwords only");
  }
  return OpenFtp(endpoint, address, credential);
}

}  // namespace

Result<Address> ParseAddress(std::string_view text, uint16_t port) {
  Address address;
  address.port = port;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return Fail(ErrorCode::kInvalid, fmt::format("{} isn't an address", text));
    }
    address.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t end = std::min(text.find(':'), text.size());
    address.host = text.substr(0, end);
    rest = text.substr(end);
  }
  const bool odd = address.host.find_first_of("/@ \t\r\n?#") != std::string::npos;
  if (address.host.empty() || odd || (!rest.empty() && rest[0] != ':')) {
    return Fail(ErrorCode::kInvalid, fmt::format("{} isn't an address: host or host:port", text));
  }
  if (rest.empty()) return address;
  auto given = ParsePort(rest.substr(1));
  if (!given) return tl::unexpected(given.error());
  address.port = *given;
  return address;
}

bool IsLoopback(const std::string& host) {
  in_addr four{};
  in6_addr six{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return host == "localhost";
}

Result<void> CheckPath(const std::string& path) {
  bool fit = path.starts_with('/');
  for (const char c : path) fit = fit && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  const std::string whole = path + "/";
  fit = fit && whole.find("/../") == std::string::npos && whole.find("/./") == std::string::npos;
  if (fit) return {};
  return Fail(ErrorCode::kInvalid, fmt::format("{:?} isn't a path at a place", path));
}

std::string KeyFingerprint(const std::string& private_key) {
  constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
  constexpr std::string_view kMagic{"openssh-key-v1\0", 15};
  const size_t begin = private_key.find(kBegin), end = private_key.find("-----END");
  std::string body, blob;
  if (begin == std::string::npos || end == std::string::npos) return "private key";
  for (size_t i = begin + kBegin.size(); i < end; ++i) {
    if (private_key[i] != '\n' && private_key[i] != '\r') body += private_key[i];
  }
  if (!base::DecodeBase64(body, &blob) || !blob.starts_with(kMagic)) return "private key";
  // PROTOCOL.key of OpenSSH: cipher, kdf, its options, the number of keys, the public key.
  std::string_view rest = std::string_view(blob).substr(kMagic.size());
  for (int i = 0; i < 3; ++i) TakeString(&rest);
  if (rest.size() < 4) return "private key";
  rest.remove_prefix(4);
  const base::Digest digest = base::Sha256(TakeString(&rest));
  std::string text = base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<object::OpenedPlace> OpenPlace(const decl::Endpoint& endpoint,
                                      const std::vector<object::PlaceCredential>& credentials) {
  auto address = ParseAddress(endpoint.address(), DefaultPort(endpoint.protocol()));
  if (!address) return tl::unexpected(address.error());
  if (auto fit = CheckEndpoint(endpoint, *address); !fit) return tl::unexpected(fit.error());
  Error last{ErrorCode::kAuthentication, "no credential is declared for it"};
  for (const object::PlaceCredential& credential : credentials) {
    auto place = OpenBy(endpoint, *address, credential);
    if (place) {
      object::OpenedPlace opened;
      opened.place = std::move(*place);
      opened.credential = credential.name;
      opened.fingerprint = credential.private_key.empty() || endpoint.protocol() != "sftp"
                               ? "password"
                               : KeyFingerprint(credential.private_key);
      return opened;
    }
    last = place.error();
    if (last.code != ErrorCode::kAuthentication) break;
  }
  return tl::unexpected(std::move(last));
}

}  // namespace postern::delivery
