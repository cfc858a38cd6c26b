// Values that look like secrets. A miss costs a secret in a repository, a false alarm costs a line:
// the rules aim at what people paste by mistake, and leave prose, paths and digests of commits
// alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/config/values.h"

namespace postern::config {
namespace {

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool IsCryptHash(std::string_view token) {
  // $id$salt$hash, crypt(5)
  if (token.size() >= 13 && token[0] == '$' && token != "$") {
    const size_t second = token.find('$', 1);
    if (second != std::string_view::npos && second > 1 && second <= 16) return true;
  }
  constexpr std::array<std::string_view, 8> kSchemes = {"{SSHA", "{SHA",     "{CRYPT}", "{SMD5}",
                                                        "{MD5}", "{ARGON2}", "{PBKDF2", "{BCRYPT}"};
  return std::any_of(kSchemes.begin(), kSchemes.end(),
                     [&](std::string_view s) { return StartsWith(token, s); });
}

bool IsVendorToken(std::string_view token) {
  constexpr std::array<std::string_view, 9> kPrefixes = {
      "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "AKIA", "eyJhbGci"};
  return token.size() >= 16 &&
         std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view p) { return StartsWith(token, p); });
}

double Entropy(std::string_view token) {
  std::array<int, 256> counts{};
  for (const char c : token) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    const double share = count / static_cast<double>(token.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

// A long token without words in it.
bool IsRandom(std::string_view token) {
  if (token.size() < 28 || token[0] == '/') return false;
  bool upper = false, lower = false, digit = false, hex = true, base64 = true;
  for (const char c : token) {
    upper |= c >= 'A' && c <= 'Z';
    lower |= c >= 'a' && c <= 'z';
    digit |= c >= '0' && c <= '9';
    hex &= (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    base64 &= (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '+' || c == '/' || c == '=' || c == '_' || c == '-';
  }
  if (hex) return digit && token.size() >= 32 && token.size() != 40;  // 40: a Git commit
  return base64 && upper && lower && digit && Entropy(token) > 4.2;
}

// "password = hunter2", "token=..."; not "password: ask the sponsor", not "password = secret:NAME".
bool IsAssignment(std::string_view text) {
  std::string low(text);
  for (char& c : low) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  constexpr std::array<std::string_view, 6> kWords = {"password", "passwd",  "passphrase",
                                                      "pwd",      "api_key", "token"};
  for (const std::string_view word : kWords) {
    for (size_t at = low.find(word); at != std::string::npos; at = low.find(word, at + 1)) {
      size_t next = low.find_first_not_of(' ', at + word.size());
      if (next == std::string::npos || (low[next] != '=' && low[next] != ':')) continue;
      const bool colon = low[next] == ':';
      size_t value = low.find_first_not_of(" \"'", next + 1);
      if (value == std::string::npos || (colon && value != next + 1)) continue;
      const size_t end = std::min(low.find_first_of(" \"'", value), low.size());
      const std::string_view word_value = std::string_view(low).substr(value, end - value);
      if (word_value.size() >= 4 && !StartsWith(word_value, "secret:")) return true;
    }
  }
  return false;
}

}  // namespace

std::string_view LooksSecret(std::string_view text) {
  if (text.size() < 8) return {};
  if (text.find("-----BEGIN") != std::string_view::npos &&
      text.find("PRIVATE KEY") != std::string_view::npos) {
    return "a private key";
  }
  if (text.find("b3BlbnNzaC1rZXktdjE") != std::string_view::npos) return "a private key";
  if (text.find_first_of("=:") != std::string_view::npos && IsAssignment(text)) {
    return "a password in clear text";
  }
  constexpr std::string_view kSeparators = " \t\n\"'`,;()<>[]";
  for (size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string_view token = text.substr(at, end - at);
    if (IsCryptHash(token)) return "a password hash";
    if (IsVendorToken(token)) return "an access token";
    if (IsRandom(token)) return "a random key or token";
    at = text.find_first_not_of(kSeparators, end);
  }
  return {};
}

}  // namespace postern::config
