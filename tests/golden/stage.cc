#include "tests/golden/stage.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace postern::golden {
namespace fs = std::filesystem;

fs::path Root() {
  return fs::path(POSTERN_SOURCE_DIR) / "tests/golden";
}

std::vector<fs::path> Cases() {
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(Root() / "cases")) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void WriteText(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

Stage::Stage(const fs::path& source) : before_(fs::current_path()) {
  std::string name = (fs::temp_directory_path() / "postern-golden-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no scratch folder");
  folder_ = name;
  const auto options = fs::copy_options::recursive | fs::copy_options::overwrite_existing;
  fs::copy(Root() / "shared", folder_, options);
  fs::copy(source, folder_, options);
  std::string path, what;
  std::istringstream sparse(ReadText(source / "sparse.txt"));
  while (sparse >> path >> what) {
    WriteText(folder_ / path, "");
    fs::resize_file(folder_ / path, std::stoull(what));
  }
  std::istringstream links(ReadText(source / "links.txt"));
  while (links >> path >> what) fs::create_symlink(what, folder_ / path);
  fs::current_path(folder_);
}

Stage::~Stage() {
  std::error_code ignored;
  fs::current_path(before_, ignored);
  fs::remove_all(folder_, ignored);
}

}  // namespace postern::golden
