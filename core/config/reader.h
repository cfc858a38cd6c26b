// core/config/reader.h: one file into Declarations, driven by the tables. Internal to core/config.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "core/config/declarations.h"

namespace postern::config {

using LostNames = std::set<std::pair<std::string, std::string>>;

// Reads file `file` of `sources`, adds what it declares and says what is wrong with it. A value
// that is wrong is left unset; its declaration is kept, so that references to it resolve.
// Declarations that can't be kept go to `lost`. Cost: 1 to 3 microseconds a table beyond toml++.
void ReadFile(uint32_t file, bool operator_file, diag::Sources* sources, Declarations* declarations,
              LostNames* lost, diag::Diagnostics* diagnostics);

}  // namespace postern::config
