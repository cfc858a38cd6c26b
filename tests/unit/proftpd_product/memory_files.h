// tests/unit/proftpd_product/memory_files.h: configuration files that exist in a test only.
#pragma once
#include <fnmatch.h>

#include <map>
#include <string>
#include <vector>

#include "providers/filetransfer/proftpd/config.h"

namespace postern::proftpd::testing {

class Files final : public FileSource {
 public:
  std::map<std::string, std::string> texts;
  std::string unreadable;

  Result<std::string> Read(const std::string& path) const override {
    if (path == unreadable) return Fail(ErrorCode::kDenied, "permission denied");
    const auto found = texts.find(path);
    if (found == texts.end()) return Fail(ErrorCode::kNotFound, "no such file");
    return found->second;
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    std::vector<std::string> names;
    for (const auto& [path, text] : texts) {
      if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) names.push_back(path);
    }
    return names;
  }
};

}  // namespace postern::proftpd::testing
