// tests/unit/compile/written.h: a workspace as people write it, and a product to compile it for.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/compile/desired.h"
#include "core/diag/render.h"

namespace postern::compile {

// A product that can't give rename without delete, nor chmod at all.
class Plain final : public access::Product {
 public:
  std::string_view name() const override { return "proftpd"; }
  std::vector<access::Capability> Capabilities() const override { return {}; }
  bool TakesGroups() const override { return groups; }
  bool groups = true;
  access::Fit FitRows(std::span<const access::GrantRow> rows,
                      std::span<const std::string>) const override {
    access::Fit fit;
    std::map<std::tuple<std::string, access::Depth, access::Subject>, access::Rights> merged;
    for (const access::GrantRow& row : rows) {
      if (row.rights.Has(access::Right::kChmod)) {
        fit.refusals.push_back({row, "no chmod here", {}});
        continue;
      }
      merged[{row.path, row.depth, row.subject}] |= row.rights;
    }
    for (auto& [key, rights] : merged) {
      const auto& [path, depth, subject] = key;
      if (rights.Has(access::Right::kRename) && !rights.Has(access::Right::kDelete)) {
        fit.widenings.push_back({path, subject, access::Right::kDelete, "rename is delete"});
        rights |= access::Right::kDelete;
      }
      fit.rows.push_back({path, depth, subject, rights});
    }
    return fit;
  }
};

// In a scratch folder of the test's own.
class WrittenTest : public testing::Test {
 protected:
  WrittenTest() {
    std::string name = (std::filesystem::temp_directory_path() / "postern-compile-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~WrittenTest() override { std::filesystem::remove_all(folder_); }

  // Without a mistake that the loader finds.
  config::Loaded Load(const std::string& operator_file, const std::string& tree) const {
    std::filesystem::create_directories(folder_ / "operator");
    std::filesystem::create_directories(folder_ / "access");
    std::ofstream(folder_ / "operator/postern.toml") << operator_file;
    std::ofstream(folder_ / "access/a.toml") << tree;
    config::Loaded loaded = config::Load({.operator_file = folder_ / "operator/postern.toml"});
    EXPECT_FALSE(loaded.diagnostics.has_errors())
        << diag::Render(loaded.diagnostics, loaded.sources);
    return loaded;
  }

  Plain product_;
  std::filesystem::path folder_;
};

}  // namespace postern::compile
