// tests/support/command.h: runs a command to its end.
//
// Main thread only. A program that isn't there fails the test.
#pragma once
#include "tests/support/spawn.h"

namespace postern::support {

struct RunOptions {
  std::string input;            // standard input
  Env env;                      // added to (or over) our own environment
  bool clean_env = false;       // only `env`, PATH and LC_ALL=C.UTF-8
  std::string cwd;              // empty: ours
  seconds limit = seconds(60);  // then SIGKILL, and `timed_out`
};

struct RunResult {
  int exit = -1;   // exit code; 128 + signal when a signal ended it; 127 when it can't be started
  int signal = 0;  // the signal that ended it, or 0
  bool timed_out = false;
  std::string out;
  std::string err;
};

// Runs a command to its end (not called Run: testing::Test has a private Run). Never goes through a
// shell. Children that outlive it are left alone (a command may start a daemon; see EndAdopted).
RunResult RunCommand(const std::vector<std::string>& argv, const RunOptions& options = {});
RunResult RunCommand(const std::vector<std::string>& argv, std::string_view input);

}  // namespace postern::support
