// providers/filetransfer/proftpd_io/key_file.h: a file of public keys as mod_sftp reads it. Pure.
//
// RFC 4716 text, several keys one after the other. Keys that aren't touched keep their text,
// comments and headers. Text between keys that isn't empty or a comment makes the file broken, not
// shorter. A key in quarantine is one whose lines all begin with kQuarantine: to mod_sftp no key.
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

inline constexpr std::string_view kQuarantine = "# postern-quarantine: ";

class KeyFile {
 public:
  // kInvalid when the text isn't a row of RFC 4716 keys.
  static Result<KeyFile> Parse(std::string_view text);

  struct Block {
    PublicKey key;
    std::string text;
    bool quarantined = false;
  };
  const std::vector<Block>& blocks() const { return blocks_; }
  // A key that is there stays as it is, out of quarantine.
  void Add(const PublicKey& key);
  // As it stands there, unless it is here.
  void Add(const Block& block);
  void Remove(std::string_view fingerprint);
  void Quarantine(std::string_view fingerprint);
  std::string Text() const;
  bool empty() const { return blocks_.empty(); }
  // Some key isn't in quarantine.
  bool OpensAny() const;

 private:
  // In quarantine or not; the number of blocks when there is none.
  size_t IndexOf(std::string_view fingerprint) const;

  std::vector<Block> blocks_;
};

}  // namespace postern::filetransfer
