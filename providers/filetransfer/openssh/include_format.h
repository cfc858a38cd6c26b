// providers/filetransfer/openssh/include_format.h: the fixed lines of the generated include, for
// its writer and its reader. Not for others.
#pragma once
#include <string>
#include <string_view>

#include "providers/filetransfer/openssh/include_file.h"

namespace postern::openssh {

inline constexpr std::string_view kMarker = "# postern-openssh-include";
inline constexpr int kVersion = 1;
inline constexpr std::string_view kNotice =
    "# Written by Postern. Edits by hand are found by the digest and undone by the next apply.";
inline constexpr std::string_view kRootPrefix = "# root ";
inline constexpr std::string_view kGrantPrefix = "# grant ";
inline constexpr std::string_view kEndLine = "# end of postern-openssh-include";

// The whole file, unchecked.
std::string RenderInclude(const IncludeContent& content);

}  // namespace postern::openssh
