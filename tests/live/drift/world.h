// tests/live/drift/world.h: a ProFTPD that Postern manages, two people, three folders and what is
// declared about them. A change by hand goes into conf.d, which the daemon's configuration
// includes.
#pragma once
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/proftpd.h"

namespace postern::support {

class FilesWorld {
 public:
  FilesWorld();
  ~FilesWorld() { EndAdopted("proftpd"); }
  FilesWorld(const FilesWorld&) = delete;
  FilesWorld& operator=(const FilesWorld&) = delete;

  static unsigned Gid();  // of all accounts
  // `more`: lines at server level.
  Proftpd::Options Options(const std::string& more = "") const;
  // The operator's file and the tree. `rights`: of the partner in the folder "in", quoted.
  void Declare(const std::string& rights = R"("list", "create")") const;
  RunResult Postern(std::vector<std::string> words) const;
  // What starts the daemon in the background.
  std::vector<std::string> Start() const;

  Scratch scratch_;
  Proftpd server_;
  std::vector<std::string> folders_;
  std::string connection_;  // of clients: connection.json
};

}  // namespace postern::support
