// tests/unit/cmd/world.h: the real program in a scratch folder with two fake targets.
//
// The folder begins as tests/golden/plans/shared. Main thread only.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/command.h"
#include "tests/support/scratch.h"
#include "tests/support/terminal.h"

namespace postern::cmd {

class TestWorld {
 public:
  TestWorld() {
    namespace fs = std::filesystem;
    fs::copy(fs::path(POSTERN_SOURCE_DIR) / "tests/golden/plans/shared", scratch_.path(),
             fs::copy_options::recursive);
  }

  support::RunResult Postern(std::vector<std::string> words, const std::string& input = "") const {
    words.insert(words.begin(), POSTERN);
    support::RunOptions options;
    options.clean_env = true;
    options.env = {{"HOME", scratch_.path()}};
    options.cwd = scratch_.path();
    options.input = input;
    support::RunResult result = support::RunCommand(words, options);
    EXPECT_FALSE(result.timed_out) << words.back();
    return result;
  }

  std::unique_ptr<support::Terminal> OnTerminal(std::vector<std::string> words,
                                                support::TerminalOptions options = {}) const {
    words.insert(words.begin(), POSTERN);
    options.cwd = scratch_.path();
    options.env.try_emplace("HOME", scratch_.path());
    return std::make_unique<support::Terminal>(words, options);
  }

  // Faults of a fake target (providers/memory/faults.h); empty: none.
  void Fault(const std::string& target, const std::string& fault) const {
    std::ofstream(scratch_.File(target + ".world.faults")) << fault << "\n";
  }

  std::string File(const std::string& name) const { return scratch_.File(name); }

 private:
  support::Scratch scratch_;
};

}  // namespace postern::cmd
