#include "providers/filetransfer/openssh/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "core/base/hash.h"
#include "providers/filetransfer/openssh/words.h"
#include "providers/filetransfer/text/key_blob.h"

namespace postern::openssh {
namespace {

constexpr std::string_view kFlags[] = {"agent-forwarding",
                                       "no-agent-forwarding",
                                       "port-forwarding",
                                       "no-port-forwarding",
                                       "x11-forwarding",
                                       "no-x11-forwarding",
                                       "pty",
                                       "no-pty",
                                       "user-rc",
                                       "no-user-rc",
                                       "no-touch-required",
                                       "verify-required"};
constexpr std::string_view kValued[] = {"environment", "permitlisten", "permitopen", "tunnel"};

bool Contains(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsKeyType(std::string_view word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
}

// YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with or without Z.
std::optional<base::Instant> ParseExpiry(std::string_view text, bool* local) {
  *local = !text.ends_with('Z') && !text.ends_with("UTC");
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.ends_with("UTC")) text.remove_suffix(3);
  if (text.size() != 8 && text.size() != 12 && text.size() != 14) return std::nullopt;
  const auto part = [&](size_t start, size_t size) {
    int value = -1;
    if (start >= text.size()) return 0;
    const char* end = text.data() + start + size;
    const auto [stop, error] = std::from_chars(text.data() + start, end, value);
    return error == std::errc() && stop == end ? value : -1;
  };
  const std::chrono::year_month_day day(std::chrono::year(part(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(part(4, 2))),
                                        std::chrono::day(static_cast<unsigned>(part(6, 2))));
  const int hour = part(8, 2), minute = part(10, 2), second = part(12, 2);
  if (!day.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return std::nullopt;
  }
  const int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return days * 86400 + hour * 3600 + minute * 60 + second;
}

std::string FormatExpiry(base::Instant at) {
  const std::string text = base::FormatInstant(at);  // 2026-12-31T00:00:00Z
  std::string digits;
  for (const char c : text) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits + "Z";
}

// Takes the options off the front of a line, up to the blank after them.
class OptionParser {
 public:
  OptionParser(std::string_view* rest, KeyOptions* options) : rest_(rest), options_(options) {}

  // Empty: taken.
  std::string Parse() {
    while (true) {
      if (std::string why = One(); !why.empty()) return why;
      if (rest_->empty()) return "options without a key";
      const char next = rest_->front();
      if (next == ' ' || next == '\t') {
        std::sort(options_->others.begin(), options_->others.end());
        return "";
      }
      if (next != ',') return "something other than a comma after an option";
      rest_->remove_prefix(1);
    }
  }

 private:
  std::string One() {
    const size_t end = std::min(rest_->find_first_of("=, \t"), rest_->size());
    const std::string written(rest_->substr(0, end));
    const std::string name = Lowercase(written);
    rest_->remove_prefix(end);
    if (rest_->empty() || rest_->front() != '=') return Flag(name, written);
    std::string value;
    if (!TakeValue(&value)) return name + ": the value isn't in closed quotes";
    return Valued(name, value);
  }

  bool TakeValue(std::string* value) {
    rest_->remove_prefix(1);
    if (rest_->empty() || rest_->front() != '"') return false;
    for (size_t i = 1; i < rest_->size(); ++i) {
      const char c = (*rest_)[i];
      if (c == '\\' && i + 1 < rest_->size() && (*rest_)[i + 1] == '"') {
        *value += '"';
        ++i;
      } else if (c == '"') {
        rest_->remove_prefix(i + 1);
        return true;
      } else {
        *value += c;
      }
    }
    return false;
  }

  std::string Flag(const std::string& name, const std::string& written) {
    if (name == "restrict") {
      options_->restrict_all = true;
    } else if (name == "cert-authority") {
      options_->cert_authority = true;
    } else if (Contains(kFlags, name)) {
      options_->others.push_back(name);
    } else {
      return "unknown option " + written;
    }
    return "";
  }

  static std::string Once(std::optional<std::string>* field, const std::string& name,
                          std::string value) {
    if (field->has_value()) return name + " stands twice";
    *field = std::move(value);
    return "";
  }

  std::string Valued(const std::string& name, const std::string& value) {
    if (name == "from") return Once(&options_->from, name, value);
    if (name == "command") return Once(&options_->command, name, value);
    if (name == "principals") return Once(&options_->principals, name, value);
    if (name == "expiry-time") {
      bool local = false;
      const auto at = ParseExpiry(value, &local);
      if (!at) return "expiry-time isn't a time";
      // Of several the earliest counts.
      if (!options_->not_after || *at < *options_->not_after) {
        options_->not_after = at;
        options_->local_time = local;
      }
      return "";
    }
    if (!Contains(kValued, name)) return "unknown option " + name;
    options_->others.push_back(name + "=" + value);
    return "";
  }

  std::string_view* rest_;
  KeyOptions* options_;
};

std::string_view TrimLeft(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

std::string_view TakeWord(std::string_view* rest) {
  *rest = TrimLeft(*rest);
  const size_t end = std::min(rest->find_first_of(" \t"), rest->size());
  const std::string_view word = rest->substr(0, end);
  rest->remove_prefix(end);
  return word;
}

std::string Quote(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"') text += '\\';
    text += c;
  }
  return text + "\"";
}

}  // namespace

std::string AuthorizedKey::Fingerprint() const {
  const base::Digest digest = base::Sha256(blob);
  std::string text =
      base::Base64(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
  while (text.ends_with('=')) text.pop_back();
  return "SHA256:" + text;
}

Result<AuthorizedKey> ParseKeyLine(std::string_view line) {
  AuthorizedKey key;
  std::string_view rest = TrimLeft(line);
  while (!rest.empty() && (rest.back() == '\r' || rest.back() == ' ' || rest.back() == '\t')) {
    rest.remove_suffix(1);
  }
  if (!IsKeyType(rest)) {
    if (const std::string why = OptionParser(&rest, &key.options).Parse(); !why.empty()) {
      return Fail(ErrorCode::kInvalid, why);
    }
  }
  key.type = TakeWord(&rest);
  const std::string_view base64 = TakeWord(&rest);
  key.comment = TrimLeft(rest);
  if (base64.empty() || !base::DecodeBase64(base64, &key.blob)) {
    return Fail(ErrorCode::kInvalid, "no type and base64 of a public key");
  }
  if (filetransfer::TypeOfKey(key.blob) != key.type) {
    return Fail(ErrorCode::kInvalid, "the key's content isn't of the type that the line says");
  }
  return key;
}

AuthorizedKeys ParseAuthorizedKeys(std::string_view text) {
  AuthorizedKeys file;
  for (uint32_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = TrimLeft(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(kQuarantine)) {
      auto kept = ParseKeyLine(line.substr(kQuarantine.size()));
      if (!kept) continue;  // a comment that opens nothing, whatever it says
      kept->line = number;
      file.quarantined.push_back(std::move(*kept));
      continue;
    }
    if (line.empty() || line.front() == '#' || line.front() == '\r') continue;
    Result<AuthorizedKey> key = ParseKeyLine(line);
    if (!key) {
      file.problems.push_back({number, key.error().message});
      continue;
    }
    key->line = number;
    file.keys.push_back(std::move(*key));
  }
  return file;
}

std::vector<Principal> ParsePrincipals(std::string_view text, std::vector<KeyProblem>* problems) {
  std::vector<Principal> principals;
  for (uint32_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line = TrimLeft(line.substr(0, line.find('#')));
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    if (line.empty()) continue;
    // The name is the last word; sshd takes what stands before it for options.
    Principal principal{.line = number};
    const size_t blank = line.find_last_of(" \t");
    std::string why;
    if (blank != std::string_view::npos) {
      std::string_view options = line.substr(0, blank + 1);
      why = OptionParser(&options, &principal.options).Parse();
      if (why.empty() && !TrimLeft(options).empty()) why = "words between options and name";
    }
    principal.name = line.substr(blank == std::string_view::npos ? 0 : blank + 1);
    if (why.empty()) {
      principals.push_back(std::move(principal));
    } else {
      problems->push_back({number, std::move(why)});
    }
  }
  return principals;
}

Result<std::string> RenderKeyLine(const AuthorizedKey& key) {
  std::vector<std::string> options;
  const KeyOptions& from = key.options;
  if (from.restrict_all) options.emplace_back("restrict");
  if (from.cert_authority) options.emplace_back("cert-authority");
  if (from.from) options.push_back("from=" + Quote(*from.from));
  // Always UTC: a time without Z moves with the server's zone.
  if (from.not_after) options.push_back("expiry-time=" + Quote(FormatExpiry(*from.not_after)));
  if (from.command) options.push_back("command=" + Quote(*from.command));
  if (from.principals) options.push_back("principals=" + Quote(*from.principals));
  for (const std::string& other : from.others) {
    const size_t equals = other.find('=');
    options.push_back(equals == std::string::npos
                          ? other
                          : other.substr(0, equals + 1) + Quote(other.substr(equals + 1)));
  }
  std::string line = fmt::format("{}", fmt::join(options, ","));
  if (!line.empty()) line += ' ';
  line += key.type + " " + base::Base64(key.blob);
  if (!key.comment.empty()) line += " " + key.comment;

  const Result<AuthorizedKey> again = ParseKeyLine(line);
  KeyOptions want = from;
  want.local_time = false;
  if (line.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos || !again ||
      again->blob != key.blob || again->comment != key.comment || !(again->options == want)) {
    return Fail(ErrorCode::kInvalid, "the key has a field that the line can't carry");
  }
  return line;
}

bool OpensAt(const KeyOptions& options, base::Instant now, std::string_view host,
             std::string_view address) {
  // A local time may be half a day off: where it isn't sure, the key is taken to be open.
  if (options.not_after && *options.not_after + (options.local_time ? kWidestZone : 0) < now) {
    return false;
  }
  if (!options.from) return true;
  const ListMatch by_address = MatchAddresses(address, *options.from);
  const ListMatch by_name = MatchList(host, *options.from);
  if (by_address == ListMatch::kDenied || by_name == ListMatch::kDenied) return false;
  return by_address == ListMatch::kMatch || by_name == ListMatch::kMatch;
}

}  // namespace postern::openssh
