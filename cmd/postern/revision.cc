#include "cmd/postern/revision.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool IsCommit(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The repository's folder: ".git", or what a work tree's ".git" file points to.
fs::path GitFolder(fs::path folder) {
  std::error_code error;
  for (;; folder = folder.parent_path()) {
    const fs::path git = folder / ".git";
    if (fs::is_directory(git, error)) return git;
    if (fs::is_regular_file(git, error)) {
      const std::string line = FirstLine(git);
      return line.starts_with("gitdir: ") ? folder / line.substr(8) : fs::path();
    }
    if (folder == folder.parent_path()) return {};
  }
}

std::string Packed(const fs::path& git, const std::string& reference) {
  std::ifstream file(git / "packed-refs");
  std::string line;
  while (std::getline(file, line)) {
    const size_t blank = line.find(' ');
    if (blank != std::string::npos && line.substr(blank + 1) == reference)
      return line.substr(0, blank);
  }
  return "";
}

}  // namespace

std::string RevisionOf(const std::string& folder) {
  std::error_code error;
  const fs::path git = GitFolder(fs::absolute(folder, error));
  if (git.empty()) return "";
  const std::string head = FirstLine(git / "HEAD");
  if (IsCommit(head)) return head;
  if (!head.starts_with("ref: ")) return "";
  const std::string reference = head.substr(5);
  // A work tree of its own keeps branches in the common folder.
  const std::string common = FirstLine(git / "commondir");
  for (const fs::path& base : {git, common.empty() ? git : git / common}) {
    const std::string loose = FirstLine(base / reference);
    if (IsCommit(loose)) return loose;
    const std::string packed = Packed(base, reference);
    if (IsCommit(packed)) return packed;
  }
  return "";
}

}  // namespace postern::cmd
