// providers/filetransfer/server/include_installer.h: one generated include, swapped in and loaded.
//
// Swap by compare, one reload, proof of life. A daemon that refuses gets its old include back, and
// is started again when it died. The include before stays beside the new one until the daemon has
// loaded that: so a run that was killed between the two is seen, and the next one finishes it. A
// daemon that wasn't running before isn't started; it will load the include when somebody does.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "providers/filetransfer/server/daemon.h"
#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

// The include and its note of an interrupted run, as they were read, and who loads them.
struct IncludeFile {
  FileState file, pending;
  DaemonState daemon;
  DaemonSettings control;
};

// ".postern-pending-NAME" in the same folder.
std::string PendingPathOf(const std::string& include);
// First line of that note: the generation of the daemon that had the text after it loaded.
std::string PendingHeader(const DaemonState& daemon);
// The text after that line.
std::string PendingText(const FileState& pending);
// True when the daemon is still the generation that ran when the include was swapped. Where a
// reload can't be seen the old rows are told once more, and written once more.
bool IsStillLoaded(const FileState& pending, const DaemonState& daemon);

// How a text is loaded: `restart`, where a reload takes longer than stop and start.
struct LoadRule {
  bool restart = false;
  std::chrono::seconds limit{30};
};
using LoadRuleOf = LoadRule (*)(std::string_view text, std::chrono::seconds patience);

class IncludeInstaller {
 public:
  IncludeInstaller(Transport& transport, IncludeFile include, LoadRuleOf rule)
      : transport_(transport), include_(std::move(include)), rule_(rule) {}

  // Errors: kConflict when somebody else wrote meanwhile, nothing was done; kDenied when all is as
  // before; kUnavailable when it isn't.
  Result<void> Install(const std::string& text);

 private:
  Result<void> SwapIn(const std::string& text);
  // Always an error: `why`, and how far things are as before. kDenied: entirely.
  Result<void> PutBack(const std::string& written, const Error& why);
  Result<void> Load(std::string_view text);
  void DropPending();
  std::string LoadedText() const;
  bool OwesAStart() const;

  Transport& transport_;
  IncludeFile include_;
  LoadRuleOf rule_;
};

}  // namespace postern::filetransfer
