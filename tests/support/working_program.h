// tests/support/working_program.h: a program that works all the time, while a test changes what it
// works with.
//
// A shell loop that prints a line for each time: "done", or "FAILED" and why. Ends with the file
// that its script looks for, or with this object. Main thread.
#pragma once
#include <memory>
#include <string>

#include "tests/support/process.h"
#include "tests/support/scratch.h"

namespace postern::support {

class WorkingProgram {
 public:
  // `loop`: for bash.
  WorkingProgram(const Scratch& scratch, const std::string& loop);

  // How often it has said so.
  size_t Times(const std::string& word) const;
  // Until it has been through `more` times again, well or not; a minute at most, or the test fails.
  void WaitForTimes(size_t more) const;
  // Until it has ended; 20 s at most.
  void WaitForEnd();
  std::string LogTail() const { return process_.LogTail(); }

 private:
  ServerProcess process_;
};

}  // namespace postern::support
