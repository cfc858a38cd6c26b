#include "tests/support/working_program.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace postern::support {

WorkingProgram::WorkingProgram(const Scratch& scratch, const std::string& loop)
    : process_(scratch, {"bash", "-c", loop}, ServerProcess::Options{.name = "program"}) {}

size_t WorkingProgram::Times(const std::string& word) const {
  std::ifstream log(process_.log_path());
  size_t count = 0;
  for (std::string line; std::getline(log, line);) count += line.starts_with(word) ? 1 : 0;
  return count;
}

void WorkingProgram::WaitForTimes(size_t more) const {
  const size_t wanted = Times("done") + Times("FAILED") + more;
  for (int i = 0; i < 1200 && Times("done") + Times("FAILED") < wanted; ++i) ::usleep(50'000);
  EXPECT_GE(Times("done") + Times("FAILED"), wanted) << LogTail();
}

void WorkingProgram::WaitForEnd() {
  for (int i = 0; i < 400 && process_.Alive(); ++i) ::usleep(50'000);
}

}  // namespace postern::support
