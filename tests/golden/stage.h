// tests/golden/stage.h: a golden case laid out in a scratch folder, as a user would have it.
//
// A case is a folder below tests/golden/cases:
//   operator/postern.toml   optional; else the one of tests/golden/shared
//   access/...              the reviewed tree
//   sparse.txt              optional; lines "PATH BYTES": files of that size, too large to keep
//   links.txt               optional; lines "PATH TARGET": symbolic links
//   expected.txt            all diagnostics as `postern validate` prints them
// A case that also has a world to plan against keeps it in files of its own (expected.plan.txt,
// ...).
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace postern::golden {

// tests/golden in the source tree.
std::filesystem::path Root();
// The folders of all cases, in name order.
std::vector<std::filesystem::path> Cases();

std::string ReadText(const std::filesystem::path& path);
void WriteText(const std::filesystem::path& path, const std::string& text);

// Makes the scratch folder and the current directory of the process one; undoes both at the end.
class Stage {
 public:
  explicit Stage(const std::filesystem::path& source);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_, before_;
};

}  // namespace postern::golden
