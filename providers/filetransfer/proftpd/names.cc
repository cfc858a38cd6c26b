#include "providers/filetransfer/proftpd/names.h"

#include <algorithm>

#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

std::string WhyPathUnfit(std::string_view path) {
  if (path.empty() || path.front() != '/') return "the path isn't absolute";
  if (path == "/") return "the whole file system can't be a managed folder";
  if (std::any_of(path.begin(), path.end(), IsControl)) {
    return "the path holds a control character, which ends a line of the configuration";
  }
  for (const char c : {'"', '\\', '%', '<', '>'}) {
    if (path.find(c) == std::string_view::npos) continue;
    return std::string("the path holds ") + c + ", which ProFTPD reads as more than a character";
  }
  for (std::string_view rest = path.substr(1); true;) {
    const size_t end = rest.find('/');
    const std::string_view part = rest.substr(0, end);
    if (part.empty() || part == "." || part == "..") return "the path isn't normalised";
    if (part.front() == '~') return "a folder name starts with ~, which ProFTPD reads as a home";
    if (end == std::string_view::npos) return "";
    rest.remove_prefix(end + 1);
  }
}

std::string WhyNameUnfit(std::string_view name) {
  if (name.empty()) return "the name is empty";
  if (SameWord(name, "and") || SameWord(name, "or") || SameWord(name, "regex")) {
    return "the name is a word of ProFTPD's lists";
  }
  if (name.front() == '!' || name.front() == '#') return "a name can't start with ! or #";
  const auto unfit = [](char c) {
    return IsControl(c) || std::string_view(" ,\"\\%*:<>").find(c) != std::string_view::npos;
  };
  if (std::any_of(name.begin(), name.end(), unfit)) {
    return "the name holds a character that a list of ProFTPD can't carry";
  }
  return "";
}

std::string EscapePath(std::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[') {
      pattern += {'[', c, ']'};
    } else {
      pattern += c;
    }
  }
  return pattern;
}

std::optional<std::string> UnescapePath(std::string_view pattern) {
  std::string path;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '*' || c == '?' || c == '\\') return std::nullopt;
    if (c != '[') {
      path += c;
      continue;
    }
    if (i + 2 >= pattern.size() || pattern[i + 2] != ']') return std::nullopt;
    const char inner = pattern[i + 1];
    if (inner != '*' && inner != '?' && inner != '[') return std::nullopt;
    path += inner;
    i += 2;
  }
  return path;
}

}  // namespace postern::proftpd
