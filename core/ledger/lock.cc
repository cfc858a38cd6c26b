#include "core/ledger/lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/base/kill_point.h"

namespace postern::ledger {
namespace {

class FileLock final : public Lock {
 public:
  explicit FileLock(int fd) : fd_(fd) {}
  FileLock(const FileLock&) = delete;
  ~FileLock() override {
    // First the text: the next holder must not be taken for this one.
    if (::ftruncate(fd_, 0) != 0) ::lseek(fd_, 0, SEEK_SET);  // the text is for people only
    ::close(fd_);
  }

 private:
  int fd_;
};

std::string MachineName() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "unknown";
  return name;
}

// Four lines: who, machine, process, start.
std::string HolderText(const std::string& who) {
  std::string one_line = who;
  for (char& c : one_line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return fmt::format("{}\n{}\n{}\n{}\n", one_line, MachineName(), ::getpid(),
                     base::FormatInstant(base::Now()));
}

std::string ReadHolder(int fd) {
  char text[1024];
  const ssize_t length = ::pread(fd, text, sizeof text, 0);
  std::vector<std::string> lines;
  std::string_view rest(text, length > 0 ? static_cast<size_t>(length) : 0);
  while (lines.size() < 4 && !rest.empty()) {
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    lines.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  if (lines.size() < 4) return "another process, which has just started";
  return fmt::format("{}, process {} on {}, since {}", lines[0], lines[2], lines[1], lines[3]);
}

tl::unexpected<Error> SystemError(const std::string& path) {
  const int code = errno;
  return Fail(code == EACCES || code == EPERM || code == EROFS ? ErrorCode::kDenied
                                                               : ErrorCode::kUnavailable,
              fmt::format("lock {}: {}", path, std::generic_category().message(code)));
}

}  // namespace

Result<std::unique_ptr<Lock>> LockFile(const std::string& path, const std::string& who) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return SystemError(path);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const bool held = errno == EWOULDBLOCK;
    tl::unexpected<Error> error =
        held ? Fail(ErrorCode::kConflict,
                    fmt::format("an apply is running on this ledger: {}; wait for it to end",
                                ReadHolder(fd)))
             : SystemError(path);
    ::close(fd);
    return error;
  }
  auto lock = std::make_unique<FileLock>(fd);
  const std::string text = HolderText(who);
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return SystemError(path);
  }
  base::KillPoint("ledger.after-lock");
  return lock;
}

}  // namespace postern::ledger
