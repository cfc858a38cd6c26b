// providers/filetransfer/server/checker.h: a daemon's own checker over a scratch copy of its whole
// configuration.
#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

// The configuration's files as they are to be checked; the first is the main one.
struct Candidate {
  std::string folder;                                      // a name that is free: ScratchFolder()
  std::vector<std::pair<std::string, std::string>> files;  // path below the folder, content
  std::vector<std::string> command;                        // the checker
};
std::string ScratchFolder();

// Ends well when the checker does. Errors: kDenied with what `words` makes of its standard error,
// where the scratch folder is "(candidate)"; the transport's.
Result<void> RunChecker(Transport& transport, const Candidate& candidate, std::string_view name,
                        const std::function<std::string(const std::string&)>& words);

}  // namespace postern::filetransfer
