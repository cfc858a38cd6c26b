#include "providers/filetransfer/host/change_times.h"

#include <charconv>

namespace postern::filetransfer {
namespace {

// Standard input: names, each ended by NUL.
constexpr std::string_view kScript = "xargs -0 -r stat --printf='%Z %n\\0' -- 2>/dev/null; true";

}  // namespace

Result<std::map<std::string, base::Instant>> ChangeTimes(Transport& transport,
                                                         std::span<const std::string> paths) {
  std::map<std::string, base::Instant> out;
  if (paths.empty()) return out;
  std::string names;
  for (const std::string& path : paths) {
    names += path;
    names += '\0';
  }
  const auto answer = RunBatch(transport, {.script = kScript, .args = {}, .input = names});
  if (!answer) return tl::unexpected(answer.error());
  std::string_view rest = *answer;
  for (size_t end = rest.find('\0'); end != std::string_view::npos; end = rest.find('\0')) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    base::Instant when = 0;
    const auto number = std::from_chars(line.data(), line.data() + line.size(), when);
    const size_t name = static_cast<size_t>(number.ptr - line.data()) + 1;
    if (number.ec == std::errc() && name <= line.size()) out[std::string(line.substr(name))] = when;
  }
  return out;
}

}  // namespace postern::filetransfer
