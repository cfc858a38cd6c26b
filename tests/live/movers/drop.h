// tests/live/movers/drop.h: a runner and a foreign place, for exports of a world of live servers.
//
// What an apply sealed is run by the program as the runner would wake it. Main thread only.
#pragma once
#include <string>

#include "tests/live/delivery/places.h"
#include "tests/support/command.h"

namespace postern::live {

class Drop {
 public:
  Drop();

  // Lines of the operator's file: the place, the runner and its host.
  std::string Operator() const;
  // Lines of the tree: whose jobs they are, and one export. `what`: from `what =` to its columns.
  static std::string Owners();
  std::string Export(const std::string& name, const std::string& what) const;
  // Runs what the world's ledger has of the export, now.
  support::RunResult Run(const std::string& name) const;
  // The one file of the export that arrived; fails the test where there is none, or several.
  std::string File(const std::string& name) const;

 private:
  jobs::LivePlace place_{"sftp"};
};

}  // namespace postern::live
