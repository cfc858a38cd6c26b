// tests/live/proftpd_product/campaign/generate.h: random configurations of ProFTPD that start,
// every construct that the raiser reads, nested and combined. Pure; the same seed gives the same
// world.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "providers/filetransfer/proftpd/raise.h"

namespace postern::proftpd::campaign {

// A line, or a section with lines in it; a tree, so that it can be made smaller line by line.
struct Part {
  std::string text;  // "AllowUser u1"; of a section "Limit STOR"
  bool section = false;
  std::vector<Part> children;
};
std::string Render(const std::vector<Part>& parts, int indent = 0);

struct World {
  uint32_t seed = 0;
  std::vector<std::string> themes;
  std::vector<RaiseAccount> accounts;
  std::vector<std::string> logins;   // tried: accounts and aliases
  std::vector<std::string> folders;  // tried, below the root
  std::vector<std::string> roots;    // what a session may be confined to
  // The clients' own; what one of them may do, may be done. Empty: 127.0.0.1.
  std::vector<std::string> addresses;
  std::vector<Part> main, global, sftp;
  std::map<std::string, std::vector<Part>> included;   // file name -> lines
  std::map<std::string, std::vector<Part>> ftpaccess;  // folder below the root -> lines
  std::vector<std::string> defines;                    // -D of the start command
};

// `root`: where the folders lie; `files`: where included files are written.
World Generate(uint32_t seed, const std::string& root, const std::string& files);

}  // namespace postern::proftpd::campaign
