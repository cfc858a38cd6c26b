// bench_toml_peer FOLDER...: parses every *.toml below the folders with toml++ alone, in shared
// mode as core/config does, one file at a time. The peer of plan-noop: what reading costs before
// anything is understood. Prints the number of files and top-level tables.
#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::string Contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(fs::file_size(path), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<fs::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  size_t tables = 0;
  for (const fs::path& path : files) {
    const std::string text = Contents(path);
    try {
      tables += toml::parse(std::string_view(text), path.string()).size();
    } catch (const toml::parse_error& error) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), error.what());
      return 1;
    }
  }
  std::printf("%zu files, %zu tables\n", files.size(), tables);
  return 0;
}
