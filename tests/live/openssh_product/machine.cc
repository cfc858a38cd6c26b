#include "tests/live/openssh_product/machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "core/base/hash.h"

namespace postern::live {
namespace {

constexpr const char* kFiles[] = {"passwd", "group", "shadow", "gshadow", "ssh/sshd_config"};

std::string ReadAt(int folder, const char* name) {
  const int file = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  std::string text;
  char buffer[65536];
  for (ssize_t got = 0; file >= 0 && (got = ::read(file, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<size_t>(got));
  }
  if (file >= 0) ::close(file);
  return text;
}

std::string LastError() {
  return std::generic_category().message(errno);
}

bool Mount(const char* what, const char* where, const char* type, unsigned long flags,
           const std::string& options) {
  if (::mount(what, where, type, flags, options.empty() ? nullptr : options.c_str()) == 0) {
    return true;
  }
  ADD_FAILURE() << "mount " << type << " on " << where << ": " << LastError();
  return false;
}

}  // namespace

bool FullCampaign() {
  return std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr;  // NOLINT(concurrency-mt-unsafe)
}

uint32_t FirstSeed() {
  const char* seed = std::getenv("POSTERN_SEED");  // NOLINT(concurrency-mt-unsafe)
  return seed == nullptr ? 1 : static_cast<uint32_t>(std::strtoul(seed, nullptr, 10));
}

Machine& Machine::Get() {
  static Machine machine;
  return machine;
}

Machine::Machine() {
  outside_ = ::open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  before_ = OutsideState();
  for (const char* name : {"passwd", "group", "shadow"}) own_[name] = ReadAt(outside_, name);
  if (::unshare(CLONE_NEWNS) != 0) {
    ADD_FAILURE() << "these tests make system accounts in a private mount namespace and need root: "
                  << LastError();
    return;
  }
  entered_ = Mount("none", "/", nullptr, MS_REC | MS_PRIVATE, "") &&
             Mount("tmpfs", "/srv", "tmpfs", 0, "mode=0755");
  if (!entered_) return;
  for (const char* folder : {"/srv/.etc", "/srv/.etc/upper", "/srv/.etc/work"}) {
    ::mkdir(folder, 0755);
  }
  entered_ = Mount("overlay", "/etc", "overlay", 0,
                   "lowerdir=/etc,upperdir=/srv/.etc/upper,workdir=/srv/.etc/work");
}

void Machine::WriteAccounts(const std::string& passwd, const std::string& group,
                            const std::string& shadow) const {
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(std::string("/etc/") + name, std::ios::trunc) << own_.at(name) << text;
  };
  ASSERT_TRUE(entered_);
  write("passwd", passwd);
  write("group", group);
  write("shadow", shadow);
}

std::string Machine::OutsideState() const {
  std::string state;
  for (const char* name : kFiles) {
    struct stat at = {};
    ::fstatat(outside_, name, &at, 0);
    state += fmt::format("{} {} {} {:o} {}\n", name, at.st_ino, at.st_mtime, at.st_mode,
                         base::Hex(base::Sha256(ReadAt(outside_, name))));
  }
  return state;
}

void Machine::ExpectOutsideUnchanged() const {
  EXPECT_EQ(OutsideState(), before_);
}

}  // namespace postern::live
