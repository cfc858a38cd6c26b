#include "cmd/postern/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

namespace postern::cmd {
namespace {

Error FileError(const std::string& doing, const std::string& path) {
  const ErrorCode code = errno == ENOENT                     ? ErrorCode::kNotFound
                         : errno == EACCES || errno == EPERM ? ErrorCode::kDenied
                                                             : ErrorCode::kUnavailable;
  return {code, doing + " " + path + ": " + std::strerror(errno)};
}

bool WriteAll(int descriptor, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = write(descriptor, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    done += static_cast<size_t>(written);
  }
  return fsync(descriptor) == 0;
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return tl::unexpected(FileError("read", path));
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (file.bad()) return tl::unexpected(FileError("read", path));
  return std::move(bytes).str();
}

Result<void> WriteFile(const std::string& path, const std::string& bytes) {
  std::string beside = path + ".XXXXXX";
  const int descriptor = mkstemp(beside.data());  // 0600
  if (descriptor < 0) return tl::unexpected(FileError("write", path));
  bool fine = WriteAll(descriptor, bytes);
  fine = close(descriptor) == 0 && fine;
  if (fine && std::rename(beside.c_str(), path.c_str()) == 0) return {};
  const Error error = FileError("write", path);
  unlink(beside.c_str());
  return tl::unexpected(error);
}

}  // namespace postern::cmd
