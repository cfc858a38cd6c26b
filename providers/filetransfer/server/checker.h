// providers/filetransfer/server/checker.h: a daemon's own checker over a scratch copy of its whole
// configuration.
#pragma once
#include <string>
#include <vector>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

// One file of a configuration that is to be checked.
struct CandidateFile {
  std::string path;  // below the scratch folder
  std::string content;
  std::string of;  // the file that it stands for, line by line
};

// The configuration's files as they are to be checked; the first is the main one.
struct Candidate {
  std::string folder;  // a name that is free: ScratchFolder()
  std::vector<CandidateFile> files;
  std::vector<std::string> command;  // the checker
};
std::string ScratchFolder();

// Ends well when the checker does and calls nothing fatal. Errors: kDenied with the line of its
// standard error that says why (CheckerReason), where each file has the name of the one that it
// stands for; the transport's.
Result<void> RunChecker(Transport& transport, const Candidate& candidate, std::string_view name);

}  // namespace postern::filetransfer
