#include "providers/filetransfer/server/daemon_reason.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace postern::filetransfer {
namespace {

// Of ProFTPD 1.3.8 and OpenSSH 9.2, and of systemd about their units.
constexpr std::array<std::string_view, 10> kTrouble = {"error: ",
                                                       "Failed binding",
                                                       "in use",
                                                       "terminating (signal",
                                                       "Unable to",
                                                       "unable to",
                                                       "Cannot ",
                                                       "Bad configuration",
                                                       "Main process exited",
                                                       "Failed with result"};
// Of one session, however grave it is for that one.
constexpr std::array<std::string_view, 3> kOfSession = {"[preauth]", "kex_",
                                                        "before authentication"};

template <size_t n>
bool HasAny(std::string_view line, const std::array<std::string_view, n>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return line.find(word) != std::string_view::npos;
  });
}

// "2026-11-22 13:50:50,320 host proftpd[8049] 127.0.0.1: fatal: ..." -> "fatal: ...". The words
// between process and text name the server, and in brackets the client of a session.
std::string_view WithoutStamp(std::string_view line, bool* of_session) {
  const size_t pid = line.find('[');
  const size_t end = line.find(']', std::min(pid, line.size()));
  const size_t text = line.find(": ", std::min(end, line.size()));
  if (end == std::string_view::npos || text == std::string_view::npos) return line;
  const std::string_view number = line.substr(pid + 1, end - pid - 1);
  const bool stamped = !number.empty() && std::all_of(number.begin(), number.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
  if (!stamped) return line;
  *of_session = line.substr(end, text - end).find('(') != std::string_view::npos;
  return line.substr(text + 2);
}

// What is said, line by line, without sessions and what is said each time.
std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    bool of_session = false;
    line = WithoutStamp(line, &of_session);
    if (line.empty() || of_session || HasAny(line, kOfSession)) continue;
    if (line.starts_with("Checking syntax of") || line.starts_with("Syntax check complete")) {
      continue;
    }
    out.push_back(line);
  }
  return out;
}

std::string_view FirstFatal(const std::vector<std::string_view>& lines) {
  const auto at = std::find_if(lines.begin(), lines.end(),
                               [](std::string_view line) { return line.starts_with("fatal: "); });
  return at == lines.end() ? std::string_view() : *at;
}

}  // namespace

std::string CheckerReason(std::string_view text) {
  const auto lines = LinesOf(text);
  const std::string_view fatal = FirstFatal(lines);
  if (!fatal.empty()) return std::string(fatal);
  return lines.empty() ? std::string() : std::string(lines.front());
}

std::string FatalReason(std::string_view text) {
  return std::string(FirstFatal(LinesOf(text)));
}

std::string LogReason(std::string_view text) {
  const auto lines = LinesOf(text);
  const std::string_view fatal = FirstFatal(lines);
  if (!fatal.empty()) return std::string(fatal);
  const auto at = std::find_if(lines.begin(), lines.end(),
                               [](std::string_view line) { return HasAny(line, kTrouble); });
  return at == lines.end() ? std::string() : std::string(*at);
}

}  // namespace postern::filetransfer
