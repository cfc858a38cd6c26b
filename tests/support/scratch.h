// tests/support/scratch.h: private folders and files for tests.
//
// Main thread only. What can't be written or read fails the test with the reason.
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

namespace postern::support {

// A private folder (mode 0700) that goes, with all in it, with the object. Its path has no symlink
// in it. POSTERN_KEEP_SCRATCH=1 keeps it and prints where it is.
class Scratch {
 public:
  // `under`: the parent; empty: TMPDIR or /tmp. Pass a folder outside sticky ones where a daemon
  // checks its ancestors (sshd's StrictModes and ChrootDirectory).
  explicit Scratch(const std::string& under = "");
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name` inside; creates nothing.
  std::string File(std::string_view name) const;
  // Creates the folder (and its parents) and answers its path.
  std::string Folder(std::string_view name, mode_t mode = 0755) const;
  // Writes a file (parents are created) and answers its path.
  std::string Write(std::string_view name, std::string_view text, mode_t mode = 0644) const;

 private:
  std::string path_;
};

// The whole file; fails the test when it can't be read.
std::string ReadFile(const std::string& path);

}  // namespace postern::support
