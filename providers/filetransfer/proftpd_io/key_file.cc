#include "providers/filetransfer/proftpd_io/key_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/hash.h"
#include "providers/filetransfer/text/key_blob.h"

namespace postern::filetransfer {
namespace {

constexpr std::string_view kBegin = "---- BEGIN SSH2 PUBLIC KEY ----";
constexpr std::string_view kEnd = "---- END SSH2 PUBLIC KEY ----";

Result<PublicKey> FromBlob(std::string_view blob) {
  const std::string type = TypeOfKey(blob);
  if (type.empty()) return Fail(ErrorCode::kInvalid, "no public key");
  const base::Digest digest = base::Sha256(blob);
  std::string print = base::Base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  while (print.ends_with('=')) print.pop_back();
  return PublicKey{type + " " + base::Base64(blob), "SHA256:" + print};
}

std::string_view Trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

// Body of one key: headers ("Comment: ...", continued by a backslash), then base64.
Result<PublicKey> FromBody(const std::vector<std::string_view>& lines) {
  std::string body;
  bool header = false;
  for (const std::string_view line : lines) {
    const bool continued = header;
    header = line.ends_with('\\') && (continued || line.find(':') != std::string_view::npos);
    if (continued || line.find(':') != std::string_view::npos) continue;
    body += line;
  }
  std::string blob;
  if (body.empty() || !base::DecodeBase64(body, &blob)) {
    return Fail(ErrorCode::kInvalid, "a key that isn't base64");
  }
  return FromBlob(blob);
}

}  // namespace

Result<PublicKey> ParseOpenSshKey(std::string_view line) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return Fail(ErrorCode::kInvalid, "no public key");
  std::string_view text = line.substr(blank + 1);
  text = text.substr(0, text.find(' '));
  std::string blob;
  if (!base::DecodeBase64(text, &blob)) return Fail(ErrorCode::kInvalid, "a key that isn't base64");
  auto key = FromBlob(blob);
  if (key && !key->text.starts_with(std::string(line.substr(0, blank)) + " ")) {
    return Fail(ErrorCode::kInvalid, "a key of another type than it says");
  }
  return key;
}

Result<KeyFile> KeyFile::Parse(std::string_view text) {
  KeyFile file;
  std::vector<std::string_view> lines;
  std::string block;
  bool inside = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    block += std::string(line) + "\n";
    if (!inside && line == kBegin) {
      inside = true;
      lines.clear();
    } else if (inside && line == kEnd) {
      auto key = FromBody(lines);
      if (!key) return tl::unexpected(key.error());
      file.keys_.push_back(std::move(*key));
      file.blocks_.push_back(std::move(block));
      block.clear();
      inside = false;
    } else if (inside) {
      lines.push_back(line);
    } else if (!line.empty() && !line.starts_with('#')) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("not an RFC 4716 key: \"{}\"", line.substr(0, 30)));
    }
  }
  if (inside) return Fail(ErrorCode::kInvalid, "a key without its last line");
  return file;
}

bool KeyFile::Has(std::string_view fingerprint) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&](const PublicKey& key) { return key.fingerprint == fingerprint; });
}

void KeyFile::Add(const PublicKey& key) {
  if (Has(key.fingerprint)) return;
  std::string block = std::string(kBegin) + "\n";
  std::string_view body = std::string_view(key.text).substr(key.text.find(' ') + 1);
  for (; !body.empty(); body.remove_prefix(std::min<size_t>(body.size(), 70))) {
    block += std::string(body.substr(0, 70)) + "\n";
  }
  keys_.push_back(key);
  blocks_.push_back(block + std::string(kEnd) + "\n");
}

void KeyFile::Remove(std::string_view fingerprint) {
  for (size_t i = keys_.size(); i-- > 0;) {
    if (keys_[i].fingerprint != fingerprint) continue;
    keys_.erase(keys_.begin() + static_cast<ptrdiff_t>(i));
    blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(i));
  }
}

std::string KeyFile::Text() const {
  std::string out;
  for (const std::string& block : blocks_) out += block;
  return out;
}

}  // namespace postern::filetransfer
