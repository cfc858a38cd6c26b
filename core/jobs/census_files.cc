// The files of a distribution, as rows.
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "core/base/hash.h"
#include "core/jobs/census.h"
#include "core/jobs/format/encoding.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;

Result<std::string> HashOf(const std::string& path) {
  auto source = OpenSource(path);
  if (!source) return tl::unexpected<Error>(source.error());
  base::Hasher hasher;
  std::string buffer(size_t{64} << 10, '\0');
  for (;;) {
    auto got = (*source)(buffer.data(), buffer.size());
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) return base::Hex(hasher.Finish());
    hasher.Add({buffer.data(), *got});
  }
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Result<void> TakeFile(const fs::path& path, const std::string& shown, const TakeRow& take,
                      CensusReport* report) {
  struct stat before {
  }, after{};
  if (lstat(path.c_str(), &before) != 0) {
    report->unstable.push_back(shown + ": went while the files were read");
    return {};
  }
  auto hash = HashOf(path);
  if (!hash) {
    report->incomplete.push_back(shown + ": " + hash.error().message);
    return {};
  }
  if (lstat(path.c_str(), &after) != 0 || !SameFile(before, after)) {
    report->unstable.push_back(shown + ": was written while it was read");
    return {};
  }
  const std::string size = std::to_string(before.st_size);
  const std::string modified = base::FormatInstant(before.st_mtim.tv_sec);
  const Cell cells[] = {Cell::One(shown), Cell::One(size), Cell::One(modified), Cell::One(*hash)};
  ++report->seen;
  return take({shown, cells, 0});
}

}  // namespace

Result<void> ReadFiles(const std::string& folder, const std::string& pattern, bool below,
                       const TakeRow& take, CensusReport* report) {
  const auto wanted = [&](const fs::directory_entry& entry) {
    return pattern.empty() || fnmatch(pattern.c_str(), entry.path().filename().c_str(), 0) == 0;
  };
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
       it.increment(failed)) {
    std::error_code ignored;
    if (!below) it.disable_recursion_pending();
    if (!fs::is_regular_file(it->symlink_status(ignored)) || !wanted(*it)) continue;
    const std::string shown = it->path().lexically_relative(folder).string();
    if (auto taken = TakeFile(it->path(), shown, take, report); !taken) return taken;
  }
  if (failed) report->incomplete.push_back(folder + ": " + failed.message());
  return {};
}

}  // namespace postern::jobs
