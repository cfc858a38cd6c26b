// providers/filetransfer/proftpd/include_format.h: the fixed lines of the generated include, for
// its writer and its reader. Not for others.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/proftpd/blocks.h"

namespace postern::proftpd {

inline constexpr std::string_view kMarker = "# postern-proftpd-include";
inline constexpr int kVersion = 1;
inline constexpr std::string_view kNotice =
    "# Written by Postern. Edits by hand are found by the digest and undone by the next apply.";
inline constexpr std::string_view kCountPrefix = "# ";
inline constexpr std::string_view kRootPrefix = "# root ";
inline constexpr std::string_view kEndLine = "# end of postern-proftpd-include";

// Why the row can't be said, whatever stands beside it; empty: it can.
std::string WhyRowUnfit(const GrantRow& row, std::span<const std::string> roots);
std::vector<Block> BlocksOf(std::span<const GrantRow> rows, std::span<const std::string> roots);
// Everything after the header, which carries its digest.
std::string RenderBody(std::span<const Block> blocks, std::span<const std::string> roots,
                       std::span<const std::string> locked_logins);
std::string RenderHeader(size_t rows, size_t blocks, std::string_view body);

}  // namespace postern::proftpd
