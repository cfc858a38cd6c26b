// core/config/starter.h: the first tree that `postern init` writes. Pure; any thread.
#pragma once
#include <string>
#include <vector>

namespace postern::config {

struct StarterFile {
  std::string path;  // relative to the folder of the first tree
  std::string text;
};

// Commented files that load without a diagnostic as they stand: one local host with one ProFTPD,
// one partner with one account, one folder and one grant.
std::vector<StarterFile> StarterFiles();

}  // namespace postern::config
