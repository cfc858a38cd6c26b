#include "core/provider/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

namespace postern::provider {

std::string ProviderName(const std::string& program) {
  std::string name = program.substr(program.rfind('/') + 1);
  constexpr std::string_view kPrefix = "postern-provider-";
  if (name.starts_with(kPrefix)) name.erase(0, kPrefix.size());
  return name;
}

std::string ProviderProgram(std::string_view name) {
  std::string folder;
  if (const char* set = std::getenv("POSTERN_PROVIDERS")) {  // NOLINT(concurrency-mt-unsafe)
    folder = set;
  } else {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
    folder.assign(path, length > 0 ? static_cast<size_t>(length) : 0);
    folder.erase(std::min(folder.size(), folder.rfind('/')));
  }
  return fmt::format("{}/postern-provider-{}", folder, name);
}

}  // namespace postern::provider
