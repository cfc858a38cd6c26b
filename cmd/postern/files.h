// cmd/postern/files.h: reading and writing whole files. Errors name the file and the cause.
#pragma once
#include <string>

#include "core/base/result.h"

namespace postern::cmd {

Result<std::string> ReadFile(const std::string& path);
// Beside it and renamed, mode 0600: a reader sees the old file or the new one.
Result<void> WriteFile(const std::string& path, const std::string& bytes);

}  // namespace postern::cmd
