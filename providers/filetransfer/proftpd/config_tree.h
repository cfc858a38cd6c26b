// providers/filetransfer/proftpd/config_tree.h: the files of one configuration -> one tree of
// sections, as the daemon has it after start.
//
// Pure: files come through FileSource. Include, Define, IfModule and IfDefine are decided here and
// don't appear; everything else does, with its file and line. Source: 1.3.8, observed: conditions
// are decided while reading; a pattern is expanded in name order, a folder gives every file in it;
// an Include of nothing is only a warning.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "providers/filetransfer/proftpd/config.h"
#include "providers/filetransfer/proftpd/raise_rules.h"

namespace postern::proftpd {

struct ConfigNode {
  enum class Kind : uint8_t { kDirective, kSection, kBroken } kind = Kind::kDirective;
  std::string word;  // the name in lower case
  std::vector<std::string> args;
  std::string text;   // as written
  uint32_t file = 0;  // index into ConfigTree::files
  uint32_t line = 0;
  std::vector<ConfigNode> children;
};

struct ConfigTree {
  ConfigNode root;
  std::vector<std::string> files;    // read, the main file first
  std::vector<std::string> modules;  // loaded by name, in order
};

struct TreeQuestion {
  std::string main_file;
  std::vector<std::string> defines;  // -D of the start command
};

// Errors: those of reading the main file; kIncomplete for an included file that is there and can't
// be read.
Result<ConfigTree> ReadTree(const FileSource& files, const TreeQuestion& question,
                            const RaiseRules& rules = {});
// One text alone, such as a .ftpaccess file: no Include is followed.
ConfigNode ReadSection(std::string_view text, uint32_t file);

}  // namespace postern::proftpd
