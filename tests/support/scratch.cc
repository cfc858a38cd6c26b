#include "tests/support/scratch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "tests/support/spawn.h"

namespace postern::support {

namespace fs = std::filesystem;

Scratch::Scratch(const std::string& under) {
  std::error_code error;
  const fs::path parent =
      fs::canonical(under.empty() ? fs::temp_directory_path() : fs::path(under), error);
  std::string pattern = (parent / "postern-test.XXXXXX").string();
  if (error || mkdtemp(pattern.data()) == nullptr) {
    ADD_FAILURE() << "no scratch folder below " << under << ": " << Reason();
    std::abort();
  }
  path_ = pattern;
}

Scratch::~Scratch() {
  if (std::getenv("POSTERN_KEEP_SCRATCH") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    std::cerr << "kept: " << path_ << "\n";
    return;
  }
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) ADD_FAILURE() << "scratch folder " << path_ << " stays: " << error.message();
}

std::string Scratch::File(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

std::string Scratch::Folder(std::string_view name, mode_t mode) const {
  std::string path = File(name);
  fs::create_directories(path);
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  return path;
}

std::string Scratch::Write(std::string_view name, std::string_view text, mode_t mode) const {
  std::string path = File(name);
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  EXPECT_TRUE(out.good()) << "write " << path;
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "read " << path;
  return {(std::istreambuf_iterator<char>(in)), {}};
}

}  // namespace postern::support
