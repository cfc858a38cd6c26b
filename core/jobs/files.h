// core/jobs/files.h: a job's own files, whole or not at all. Any thread.
#pragma once
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace postern::jobs {

Result<void> WriteAll(int file, std::string_view bytes, const std::string& shown);
// Writes it beside (0600), flushes it to the disk and renames it.
Result<void> ReplaceFile(const std::string& path, std::string_view bytes);
// kNotFound: there is none. Links aren't followed at the last part; at most `limit` bytes.
Result<std::string> ReadSmallFile(const std::string& path, size_t limit = size_t{16} << 20);
// With its parents, 0700.
Result<void> MakeFolder(const std::string& path);

}  // namespace postern::jobs
