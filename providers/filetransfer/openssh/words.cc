#include "providers/filetransfer/openssh/words.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace postern::openssh {
namespace {

struct Address {
  std::array<uint8_t, 16> bytes = {};
  size_t size = 0;  // 4 or 16; 0: none
};

Address ParseAddress(std::string_view text) {
  Address address;
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) {
    address.size = 16;
  }
  return address;
}

bool InBlock(const Address& address, std::string_view pattern) {
  const size_t slash = pattern.find('/');
  const Address network = ParseAddress(pattern.substr(0, slash));
  if (network.size == 0 || network.size != address.size) return false;
  size_t bits = network.size * 8;
  if (slash != std::string_view::npos) {
    const std::string_view text = pattern.substr(slash + 1);
    size_t given = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given);
    if (error != std::errc() || end != text.data() + text.size() || given > bits) return false;
    bits = given;
  }
  for (size_t bit = 0; bit < bits; ++bit) {
    const uint8_t mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    if ((address.bytes[bit / 8] & mask) != (network.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

template <class Matches>
ListMatch OverList(std::string_view list, Matches matches) {
  ListMatch found = ListMatch::kNone;
  for (const std::string& pattern : SplitList(list, ',')) {
    const bool negated = pattern.starts_with('!');
    if (!matches(std::string_view(pattern).substr(negated ? 1 : 0))) continue;
    if (negated) return ListMatch::kDenied;
    found = ListMatch::kMatch;
  }
  return found;
}

}  // namespace

std::vector<std::string> SplitWords(std::string_view text) {
  std::vector<std::string> words;
  while (true) {
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return words;
    text.remove_prefix(start);
    const size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::vector<std::string> SplitList(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(separator, start), text.size());
    if (end > start) parts.emplace_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

std::string Lowercase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

bool MatchesPattern(std::string_view text, std::string_view pattern) {
  size_t at = 0, star = std::string_view::npos, from = 0, i = 0;
  while (i < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      from = i;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[i])) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++from;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

ListMatch MatchList(std::string_view text, std::string_view list) {
  return OverList(list, [&](std::string_view pattern) { return MatchesPattern(text, pattern); });
}

bool MatchGroups(std::span<const std::string> groups, std::string_view list) {
  bool found = false;
  for (const std::string& group : groups) {
    const ListMatch match = MatchList(group, list);
    if (match == ListMatch::kDenied) return false;
    found = found || match == ListMatch::kMatch;
  }
  return found;
}

ListMatch MatchAddresses(std::string_view address, std::string_view list) {
  const Address parsed = ParseAddress(address);
  return OverList(list, [&](std::string_view pattern) {
    return InBlock(parsed, pattern) || MatchesPattern(address, pattern);
  });
}

bool MatchUserAt(std::string_view user, std::string_view host, std::string_view address,
                 std::string_view pattern) {
  const size_t at = pattern.find('@');
  if (at == std::string_view::npos) return MatchesPattern(user, pattern);
  if (!MatchesPattern(user, pattern.substr(0, at))) return false;
  const std::string_view from = pattern.substr(at + 1);
  return MatchAddresses(address, from) == ListMatch::kMatch ||
         MatchList(host, from) == ListMatch::kMatch;
}

std::optional<std::string> ExpandTokens(std::string_view text, std::string_view user,
                                        std::string_view home, uint32_t uid) {
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case '%':
        path += '%';
        break;
      case 'u':
        path += user;
        break;
      case 'h':
        path += home;
        break;
      case 'U':
        path += std::to_string(uid);
        break;
      default:
        return std::nullopt;
    }
  }
  return path;
}

std::string WhyNameUnfit(std::string_view name) {
  if (name.empty()) return "the name is empty";
  if (name.front() == '-') return "a name can't start with a dash";
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '.' || c == '+';
    if (!plain) return fmt::format("'{}' has a meaning of its own in sshd's lists", c);
  }
  return "";
}

}  // namespace postern::openssh
