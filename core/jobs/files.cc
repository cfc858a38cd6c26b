#include "core/jobs/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/jobs/format/encoding.h"

namespace postern::jobs {
namespace {

tl::unexpected<Error> Broken(const std::string& doing) {
  return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
              doing + ": " + std::generic_category().message(errno));
}

// A rename is on the disk when its folder is.
void FlushFolder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

}  // namespace

Result<void> WriteAll(int file, std::string_view bytes, const std::string& shown) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(file, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Broken("write " + shown);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

Result<void> ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string beside = path + ".new";
  const int file =
      open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return Broken("write " + path);
  auto written = WriteAll(file, bytes, path);
  const bool kept = fsync(file) == 0;
  close(file);
  if (!written) return written;
  if (!kept || rename(beside.c_str(), path.c_str()) != 0) return Broken("write " + path);
  FlushFolder(path);
  return {};
}

Result<std::string> ReadSmallFile(const std::string& path, size_t limit) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return Broken("read " + path);
  auto source = OpenSource(path);
  if (!source) return tl::unexpected<Error>(source.error());
  std::string out;
  std::string buffer(size_t{64} << 10, '\0');
  for (;;) {
    auto got = (*source)(buffer.data(), buffer.size());
    if (!got) return tl::unexpected<Error>(got.error());
    if (*got == 0) return out;
    out.append(buffer.data(), *got);
    if (out.size() > limit) return Fail(ErrorCode::kInvalid, path + " is too large");
  }
}

Result<void> MakeFolder(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  std::error_code ignored;
  if (!parent.empty() && !std::filesystem::exists(parent, ignored)) {
    if (auto made = MakeFolder(parent); !made) return made;
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Broken("make " + path);
  return {};
}

}  // namespace postern::jobs
