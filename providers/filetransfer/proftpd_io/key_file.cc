#include "providers/filetransfer/proftpd_io/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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
  bool inside = false, quarantined = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    const bool kept = line.starts_with(kQuarantine) && (!inside || quarantined);
    if (kept) line = Trim(line.substr(kQuarantine.size()));
    block += std::string(line) + "\n";
    if (!inside && line == kBegin) {
      inside = true;
      quarantined = kept;
      lines.clear();
    } else if (inside && quarantined && !kept) {
      return Fail(ErrorCode::kInvalid, "a key in quarantine without its last line");
    } else if (inside && line == kEnd) {
      auto key = FromBody(lines);
      if (!key) return tl::unexpected(key.error());
      file.blocks_.push_back({std::move(*key), std::move(block), quarantined});
      block.clear();
      inside = quarantined = false;
    } else if (inside) {
      lines.push_back(line);
    } else if (!line.empty() && !line.starts_with('#')) {
      return Fail(ErrorCode::kInvalid,
                  fmt::format("not an RFC 4716 key: \"{}\"", line.substr(0, 30)));
    }
  }
  if (inside) return Fail(ErrorCode::kInvalid, "a key without its last line");
  // Put in once more by hand: it is in force, whatever else is kept of it.
  std::set<std::string> open;
  for (const Block& of : file.blocks_) {
    if (!of.quarantined) open.insert(of.key.fingerprint);
  }
  std::erase_if(file.blocks_, [&](const Block& of) {
    return of.quarantined && open.contains(of.key.fingerprint);
  });
  return file;
}

size_t KeyFile::IndexOf(std::string_view fingerprint) const {
  const auto at = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return block.key.fingerprint == fingerprint;
  });
  return static_cast<size_t>(at - blocks_.begin());
}

void KeyFile::Add(const PublicKey& key) {
  if (const size_t known = IndexOf(key.fingerprint); known < blocks_.size()) {
    blocks_[known].quarantined = false;
    return;
  }
  std::string block = std::string(kBegin) + "\n";
  std::string_view body = std::string_view(key.text).substr(key.text.find(' ') + 1);
  for (; !body.empty(); body.remove_prefix(std::min<size_t>(body.size(), 70))) {
    block += std::string(body.substr(0, 70)) + "\n";
  }
  blocks_.push_back({key, block + std::string(kEnd) + "\n"});
}

void KeyFile::Add(const Block& block) {
  if (IndexOf(block.key.fingerprint) == blocks_.size()) blocks_.push_back(block);
}

void KeyFile::Remove(std::string_view fingerprint) {
  std::erase_if(blocks_, [&](const Block& block) { return block.key.fingerprint == fingerprint; });
}

void KeyFile::Quarantine(std::string_view fingerprint) {
  for (Block& block : blocks_) {
    if (block.key.fingerprint == fingerprint) block.quarantined = true;
  }
}

std::string KeyFile::Text() const {
  std::string out;
  for (const Block& block : blocks_) {
    if (!block.quarantined) {
      out += block.text;
      continue;
    }
    for (std::string_view rest = block.text; !rest.empty();) {
      const size_t end = rest.find('\n') + 1;
      out += std::string(kQuarantine) + std::string(rest.substr(0, end));
      rest.remove_prefix(end);
    }
  }
  return out;
}

bool KeyFile::OpensAny() const {
  return std::any_of(blocks_.begin(), blocks_.end(),
                     [](const Block& block) { return !block.quarantined; });
}

}  // namespace postern::filetransfer
