#include "providers/filetransfer/text/include_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace postern::filetransfer {

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Result<std::vector<std::string_view>> MarkedLines(std::string_view text, std::string_view marker,
                                                  int version) {
  std::vector<std::string_view> lines = LinesOf(text);
  if (lines.empty() || !lines[0].starts_with(marker)) {
    return Fail(ErrorCode::kInvalid, "the file doesn't start with the header that Postern writes");
  }
  std::string_view rest = lines[0].substr(marker.size());
  if (!rest.empty()) rest.remove_prefix(1);
  int found = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), found);
  if (error != std::errc() || end != rest.data() + rest.size() || found < 1) {
    return Fail(ErrorCode::kInvalid, "the header has no version");
  }
  if (found > version) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the file is of format {}, written by a newer Postern", found));
  }
  return lines;
}

}  // namespace postern::filetransfer
