// The files of a distribution, as rows.
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/hash.h"
#include "core/jobs/census.h"
#include "core/jobs/files.h"
#include "core/jobs/format/encoding.h"

namespace postern::jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{256} << 10;

// Closes it unless that was done.
class OutFile {
 public:
  ~OutFile() {
    if (file_ >= 0) close(file_);
  }
  OutFile() = default;
  OutFile(const OutFile&) = delete;
  OutFile& operator=(const OutFile&) = delete;

  Result<void> Open(const std::string& path) {
    path_ = path;
    if (auto made = MakeFolder(fs::path(path).parent_path()); !made) return made;
    file_ = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    return file_ >= 0 ? Result<void>() : Broken();
  }
  Result<void> Add(std::string_view bytes) {
    return file_ < 0 ? Result<void>() : WriteAll(file_, bytes, path_);
  }
  Result<void> Finish() {
    if (file_ < 0) return {};
    const bool kept = fsync(file_) == 0;
    close(std::exchange(file_, -1));
    return kept ? Result<void>() : Broken();
  }

 private:
  tl::unexpected<Error> Broken() const {
    return Fail(ErrorCode::kUnavailable,
                "write " + path_ + ": " + std::generic_category().message(errno));
  }
  std::string path_;
  int file_ = -1;
};

// SHA-256 in hex of what was read; `copy` gets the same bytes. A source that can't be read is told
// in `unread`, a copy that can't be written is the error.
Result<std::string> HashOf(const std::string& path, OutFile* copy, std::string* unread) {
  auto source = OpenSource(path);
  base::Hasher hasher;
  std::string buffer(kPiece, '\0');
  for (bool last = !source; !last;) {
    auto got = (*source)(buffer.data(), buffer.size());
    if (!got) source = tl::unexpected<Error>(got.error());
    last = !got || *got == 0;
    if (last) break;
    const std::string_view bytes(buffer.data(), *got);
    hasher.Add(bytes);
    if (auto written = copy->Add(bytes); !written) return tl::unexpected<Error>(written.error());
  }
  if (!source) *unread = source.error().message;
  if (auto written = copy->Finish(); !written) return tl::unexpected<Error>(written.error());
  return base::Hex(hasher.Finish());
}

bool SameFile(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Result<void> TakeFile(const fs::path& path, const std::string& shown, const TakeRow& take,
                      CensusReport* report, const std::string& copies) {
  struct stat before {
  }, after{};
  if (lstat(path.c_str(), &before) != 0) {
    report->unstable.push_back(shown + ": went while the files were read");
    return {};
  }
  OutFile copy;
  if (!copies.empty()) {
    if (auto opened = copy.Open(copies + "/" + shown); !opened) return opened;
  }
  std::string unread;
  auto hash = HashOf(path, &copy, &unread);
  if (!hash) return tl::unexpected<Error>(hash.error());
  if (!unread.empty()) {
    report->incomplete.push_back(shown + ": " + unread);
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
                       const TakeRow& take, CensusReport* report, const std::string& copies) {
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
    if (auto taken = TakeFile(it->path(), shown, take, report, copies); !taken) return taken;
  }
  if (failed) report->incomplete.push_back(folder + ": " + failed.message());
  return {};
}

}  // namespace postern::jobs
