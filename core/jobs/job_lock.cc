#include "core/jobs/job_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

tl::unexpected<Error> Broken(const std::string& path) {
  return Fail(ErrorCode::kUnavailable,
              "lock " + path + ": " + std::generic_category().message(errno));
}

std::string FenceOf(const std::string& path) {
  return (std::filesystem::path(path).parent_path() / "fence").string();
}

// Field 22 of /proc/self/stat: when this process began, in ticks since the start of the machine.
std::string OwnStart() {
  auto stat = ReadSmallFile("/proc/self/stat");
  if (!stat) return "0";
  // The second field is a name in parentheses that may hold blanks.
  size_t at = stat->rfind(')');
  constexpr int kBlanks = 20;  // from the one after the parenthesis to the one before field 22
  for (int i = 0; i < kBlanks && at != std::string::npos; ++i) at = stat->find(' ', at + 1);
  if (at == std::string::npos) return "0";
  return stat->substr(at + 1, stat->find(' ', at + 1) - at - 1);
}

uint64_t TokenIn(const std::string& path) {
  const auto text = ReadSmallFile(path);
  uint64_t token = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), token);
  return token;
}

}  // namespace

Result<std::unique_ptr<JobLock>> JobLock::Take(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (file < 0) return Broken(path);
  std::unique_ptr<JobLock> lock(new JobLock(path, file));
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Broken(path);
    const auto holder = ReadSmallFile(path);
    const std::string pid = holder ? holder->substr(0, holder->find(' ')) : "?";
    return Fail(ErrorCode::kConflict,
                fmt::format("process {} is running this job (lock {})", pid, path));
  }
  if (auto drawn = lock->Draw(); !drawn) return tl::unexpected<Error>(drawn.error());
  return lock;
}

JobLock::~JobLock() {
  close(file_);
}

Result<void> JobLock::Draw() {
  const std::string line = fmt::format("{} {}\n", getpid(), OwnStart());
  if (ftruncate(file_, 0) != 0 || lseek(file_, 0, SEEK_SET) != 0) return Broken(path_);
  if (auto written = WriteAll(file_, line, path_); !written) return written;
  token_ = TokenIn(FenceOf(path_)) + 1;
  return ReplaceFile(FenceOf(path_), std::to_string(token_) + "\n");
}

Result<void> JobLock::Check() const {
  struct stat ours {
  }, there{};
  const bool same = fstat(file_, &ours) == 0 && stat(path_.c_str(), &there) == 0 &&
                    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
  if (same && TokenIn(FenceOf(path_)) == token_) return {};
  return Fail(ErrorCode::kConflict, "another run of this job has begun: its lock was removed");
}

}  // namespace postern::jobs
