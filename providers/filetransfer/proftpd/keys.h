// providers/filetransfer/proftpd/keys.h: mod_sftp's key files (RFC 4716) <-> OpenSSH public key
// lines.
//
// Pure. mod_sftp takes one file an account with any number of keys. A key is compared by its type
// and blob; the comment is for people.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::proftpd {

struct PublicKey {
  std::string type;     // "ssh-ed25519", as the blob says it
  std::string blob;     // decoded
  std::string comment;  // may be empty
  bool operator==(const PublicKey&) const = default;
};

// "ssh-ed25519 AAAA... comment". Errors: kInvalid for options before the type (mod_sftp has none),
// bad base64, or a blob of another type.
Result<PublicKey> ParseOpenSshKey(std::string_view line);
std::string RenderOpenSshKey(const PublicKey& key);

struct KeyFile {
  std::vector<PublicKey> keys;
  struct Problem {
    uint32_t line = 0;
    std::string why;
  };
  std::vector<Problem> problems;  // a part of the file that is no key; it lets nobody in
};
KeyFile ParseKeyFile(std::string_view text);
// Lines of at most 72 characters; a comment loses what the format can't carry (quotes, line ends).
std::string RenderKeyFile(const std::vector<PublicKey>& keys);

}  // namespace postern::proftpd
