// core/jobs/child.h: runs a program of the machine to its end, without a shell.
//
// A clean environment (PATH and LC_ALL=C only), input from a file or nothing, output into a file of
// ours, descriptor 3 and the messages collected up to 64 KiB each. Any thread; blocks.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::jobs {

struct ChildResult {
  int exit = 0;          // 128 + signal when a signal ended it
  std::string status;    // what it wrote to descriptor 3
  std::string messages;  // to stderr
  std::string text;      // to stdout, where `output` was -1
};

// kUnsupported: there is no such program in /usr/bin, /usr/local/bin or /bin.
Result<ChildResult> RunChild(std::string_view program, const std::vector<std::string>& arguments,
                             int input = -1, int output = -1);

}  // namespace postern::jobs
