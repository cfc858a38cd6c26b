// providers/filetransfer/proftpd_io/key_file.h: a file of public keys as mod_sftp reads it. Pure.
//
// RFC 4716 text, several keys one after the other. Keys that aren't touched keep their text,
// comments and headers. Text between keys that isn't empty or a comment makes the file broken, not
// shorter.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::filetransfer {

struct PublicKey {
  std::string text;         // "ssh-ed25519 AAAA...", without comment
  std::string fingerprint;  // "SHA256:...", as ssh-keygen prints it
};

// From "TYPE BASE64 ..." as OpenSSH writes it. kInvalid when the blob isn't of that type.
Result<PublicKey> ParseOpenSshKey(std::string_view line);

class KeyFile {
 public:
  // kInvalid when the text isn't a row of RFC 4716 keys.
  static Result<KeyFile> Parse(std::string_view text);

  const std::vector<PublicKey>& keys() const { return keys_; }
  bool Has(std::string_view fingerprint) const;
  void Add(const PublicKey& key);
  void Remove(std::string_view fingerprint);
  std::string Text() const;
  bool empty() const { return keys_.empty(); }

 private:
  std::vector<PublicKey> keys_;
  std::vector<std::string> blocks_;  // the text of each key
};

}  // namespace postern::filetransfer
