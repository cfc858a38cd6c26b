// providers/filetransfer/text/include_header.h: lines of a generated include, and its first one.
// Pure.
#pragma once
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::filetransfer {

// Without their line ends; a text that ends with one has no empty last line.
std::vector<std::string_view> LinesOf(std::string_view text);

// The first line has to be "MARKER VERSION". Errors: kInvalid when it isn't (never an empty result
// for a lost file); kUnsupported when a newer Postern wrote the file.
Result<void> CheckMarker(const std::vector<std::string_view>& lines, std::string_view marker,
                         int version);

}  // namespace postern::filetransfer
