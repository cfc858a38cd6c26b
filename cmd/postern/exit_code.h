// cmd/postern/exit_code.h: what the shell hears. Part of the interface: CI pipelines branch on it.
#pragma once
#include <initializer_list>

namespace postern::cmd {

enum Exit : int {
  kOk = 0,  // done, or nothing to do
  kError = 1,
  kPending = 2,     // plan --detailed-exitcode: changes; drift: drift found
  kRefused = 3,     // by a limit
  kStale = 4,       // the world moved since the plan was made
  kPartly = 5,      // applied in part
  kIncomplete = 6,  // a target was not observed; drift: not all could be judged
};

// For --help.
inline const char* MeaningOf(Exit code) {
  switch (code) {
    case kOk:
      return "done, or nothing to do";
    case kError:
      return "error";
    case kPending:
      return "changes pending (plan --detailed-exitcode), or drift found";
    case kRefused:
      return "refused by a limit";
    case kStale:
      return "the world moved since the plan was made";
    case kPartly:
      return "applied in part";
    case kIncomplete:
      return "a target was not observed, or drift could not be judged";
  }
  return "";
}

// Several at once: the first of 1, 3, 4, 6, 5, 2.
inline int FirstOf(std::initializer_list<int> codes) {
  for (const int code : {kError, kRefused, kStale, kIncomplete, kPartly, kPending}) {
    for (const int given : codes) {
      if (given == code) return code;
    }
  }
  return kOk;
}

}  // namespace postern::cmd
