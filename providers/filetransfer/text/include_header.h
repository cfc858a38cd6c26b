// providers/filetransfer/text/include_header.h: lines of a generated include, and its first one.
// Pure.
#pragma once
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::filetransfer {

// Without their line ends; a text that ends with one has no empty last line.
std::vector<std::string_view> LinesOf(std::string_view text);

// The lines of a generated include, whose first has to be "MARKER VERSION": there is one at least.
// Errors: kInvalid when it isn't (never an empty result for a lost file); kUnsupported when a newer
// Postern wrote the file.
Result<std::vector<std::string_view>> MarkedLines(std::string_view text, std::string_view marker,
                                                  int version);

}  // namespace postern::filetransfer
