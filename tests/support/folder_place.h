// tests/support/folder_place.h: a place of files that is a folder of this machine, for tests of
// what comes to a place rather than of how. One thread.
#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/object/place.h"

namespace postern::support {

class FolderPlace : public object::Place {
 public:
  static constexpr base::Instant kModified = 1'767'222'000;  // of every file

  explicit FolderPlace(std::string root) : root_(std::move(root)) {}
  base::Result<void> Put(const std::string& path, const object::ByteSource& bytes,
                         const object::PutOptions&) override {
    std::ofstream out(root_ + path, std::ios::binary);
    std::string buffer(size_t{256} << 10, '\0');
    for (;;) {
      const auto got = bytes(buffer.data(), buffer.size());
      if (!got) return tl::unexpected(got.error());
      if (*got == 0) return {};
      out.write(buffer.data(), static_cast<std::streamsize>(*got));
    }
  }
  base::Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                         uint64_t limit) override {
    if (!std::filesystem::exists(root_ + path)) return base::Fail(base::ErrorCode::kNotFound, path);
    std::ifstream in(root_ + path, std::ios::binary);
    std::string text(std::filesystem::file_size(root_ + path), '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    return bytes(std::string_view(text).substr(0, limit));
  }
  base::Result<std::optional<object::PlaceFile>> Stat(const std::string& path) override {
    if (!std::filesystem::exists(root_ + path)) return std::optional<object::PlaceFile>();
    return std::optional(
        object::PlaceFile{path, std::filesystem::file_size(root_ + path), kModified, false});
  }
  base::Result<std::vector<object::PlaceFile>> List(const std::string& folder) override {
    std::vector<object::PlaceFile> files;
    for (const auto& one : std::filesystem::directory_iterator(root_ + folder)) {
      const bool is_folder = one.is_directory();
      files.push_back(
          {one.path().filename().string(), is_folder ? 0 : one.file_size(), kModified, is_folder});
    }
    std::sort(
        files.begin(), files.end(),
        [](const object::PlaceFile& a, const object::PlaceFile& b) { return a.name < b.name; });
    return files;
  }
  base::Result<void> Rename(const std::string& from, const std::string& to, bool) override {
    if (!std::filesystem::exists(root_ + from)) return base::Fail(base::ErrorCode::kNotFound, from);
    std::filesystem::rename(root_ + from, root_ + to);
    return {};
  }
  base::Result<void> Remove(const std::string& path) override {
    std::filesystem::remove(root_ + path);
    return {};
  }
  object::PlaceFeatures features() const override { return {"folder", true, false}; }

 protected:
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace postern::support
