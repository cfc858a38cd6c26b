#include "providers/filetransfer/proftpd/keys.h"

#include <algorithm>

#include "core/base/hash.h"
#include "providers/filetransfer/text/key_blob.h"

namespace postern::proftpd {
namespace {

// RFC 4716 section 3.1 and 3.2.
constexpr std::string_view kBegin = "---- BEGIN SSH2 PUBLIC KEY ----";
constexpr std::string_view kEnd = "---- END SSH2 PUBLIC KEY ----";
constexpr size_t kLineLimit = 72;

std::string_view TakeField(std::string_view& rest) {
  const size_t start = std::min(rest.find_first_not_of(" \t"), rest.size());
  rest.remove_prefix(start);
  const size_t end = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end);
  return field;
}

std::string_view Trim(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return "";
  return text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1);
}

// One key between its markers.
class KeyReader {
 public:
  explicit KeyReader(KeyFile& out) : out_(out) {}

  void Take(std::string_view line, uint32_t number) {
    line = Trim(line);
    if (line == kBegin) {
      if (inside_) Problem(begun_, "a key without its end line");
      *this = KeyReader(out_);
      inside_ = true;
      begun_ = number;
    } else if (line == kEnd && inside_) {
      Finish();
    } else if (inside_) {
      TakeInside(line);
    } else if (!line.empty() && line.front() != '#') {
      Problem(number, "a line outside of a key");
    }
  }
  void End() {
    if (inside_) Problem(begun_, "a key without its end line");
  }
  KeyReader& operator=(const KeyReader& other) {
    inside_ = other.inside_;
    begun_ = other.begun_;
    header_ = other.header_;
    base64_ = other.base64_;
    comment_ = other.comment_;
    return *this;
  }

 private:
  void TakeInside(std::string_view line) {
    const bool continued = line.ends_with('\\');
    if (continued) line.remove_suffix(1);
    if (!header_.empty() || (base64_.empty() && line.find(':') != std::string_view::npos)) {
      header_ += line;
      if (continued) return;
      TakeHeader();
      header_.clear();
    } else {
      base64_ += line;
    }
  }

  void TakeHeader() {
    const size_t colon = header_.find(':');
    std::string_view value = Trim(std::string_view(header_).substr(colon + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    std::string tag = header_.substr(0, colon);
    std::transform(tag.begin(), tag.end(), tag.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (tag == "comment") comment_ = value;
  }

  void Finish() {
    inside_ = false;
    PublicKey key{.comment = comment_};
    if (!base::DecodeBase64(base64_, &key.blob)) return Problem(begun_, "not base64");
    key.type = filetransfer::TypeOfKey(key.blob);
    if (key.type.empty()) return Problem(begun_, "not a public key");
    out_.keys.push_back(std::move(key));
  }

  void Problem(uint32_t line, std::string why) { out_.problems.push_back({line, std::move(why)}); }

  KeyFile& out_;
  bool inside_ = false;
  uint32_t begun_ = 0;
  std::string header_, base64_, comment_;
};

}  // namespace

Result<PublicKey> ParseOpenSshKey(std::string_view line) {
  std::string_view rest = Trim(line);
  const std::string_view type = TakeField(rest);
  const std::string_view base64 = TakeField(rest);
  PublicKey key{.type = std::string(type), .comment = std::string(Trim(rest))};
  if (base64.empty() || !base::DecodeBase64(base64, &key.blob)) {
    return Fail(ErrorCode::kInvalid,
                "not an OpenSSH public key: expected a type and base64 (options can't be kept)");
  }
  if (filetransfer::TypeOfKey(key.blob) != key.type) {
    return Fail(ErrorCode::kInvalid, "the key's content isn't of the type that the line says");
  }
  return key;
}

std::string RenderOpenSshKey(const PublicKey& key) {
  std::string line = key.type + " " + base::Base64(key.blob);
  if (!key.comment.empty()) line += " " + key.comment;
  return line;
}

KeyFile ParseKeyFile(std::string_view text) {
  KeyFile file;
  KeyReader reader(file);
  uint32_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    reader.Take(text.substr(0, end), ++number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  reader.End();
  return file;
}

std::string RenderKeyFile(const std::vector<PublicKey>& keys) {
  std::string text;
  for (const PublicKey& key : keys) {
    text += std::string(kBegin) + "\n";
    std::string comment;
    for (const char c : key.comment) {
      if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f) comment += c;
    }
    // A header line could be continued; mod_sftp needs no comment, so a long one is cut.
    const size_t room = kLineLimit - std::string_view("Comment: \"\"").size();
    if (!comment.empty()) text += "Comment: \"" + comment.substr(0, room) + "\"\n";
    const std::string base64 = base::Base64(key.blob);
    for (size_t i = 0; i < base64.size(); i += kLineLimit - 2) {
      text += base64.substr(i, kLineLimit - 2) + "\n";
    }
    text += std::string(kEnd) + "\n";
  }
  return text;
}

}  // namespace postern::proftpd
