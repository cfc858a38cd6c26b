// core/config/toml_file.h: one TOML file to a tree, going on after syntax errors.
//
// toml++ stops at the first error. The table that holds it is blanked and the rest is parsed again,
// so that one missing quote doesn't hide nine other mistakes. Internal to core/config; with
// reader.cc the only user of toml++, which is built in shared mode (see CMakeLists.txt).
#pragma once
#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "core/diag/diagnostic.h"

namespace postern::config {

// (table, name) of declarations that were seen but couldn't be read: references to them aren't
// wrong.
using LostNames = std::set<std::pair<std::string, std::string>>;

// `[table.name]` or `[[table]]` on a line of its own; a guess from the text, for messages only.
struct HeaderLine {
  std::string_view table, name;
  bool array = false;
};
std::optional<HeaderLine> ReadHeaderLine(std::string_view line);

// The tree of what could be parsed (empty when nothing could). Never throws.
toml::table ParseFile(uint32_t file, diag::Sources* sources, LostNames* lost,
                      diag::Diagnostics* diagnostics);

}  // namespace postern::config
