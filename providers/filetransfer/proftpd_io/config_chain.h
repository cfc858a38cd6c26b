// providers/filetransfer/proftpd_io/config_chain.h: the daemon's configuration, all its files.
//
// The main file and everything that it includes, read level by level: one round trip for each depth
// of inclusion, or one in all where the reader knows the host (file_reader.h). Conditions
// (IfModule, IfDefine) are taken as true: a setting that may hold is seen. Also writes the chain
// again with another text for one file, for the daemon's own checker.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/proftpd/statement.h"
#include "providers/filetransfer/server/checker.h"
#include "providers/filetransfer/transport/file_reader.h"

namespace postern::filetransfer {

// Where a file is included from.
struct Inclusion {
  std::string from;
  uint32_t line = 0;
  std::string argument;
  std::vector<std::string> files;  // that it resolves to, in the daemon's order
  bool whole_folder = false;       // takes every file of a folder, also hidden ones
  bool settled = false;
};

class ConfigChain {
 public:
  // Errors are the transport's; what can't be read is told by `problem`.
  // `generated`: a file that may not be there yet; a pattern that it fits includes it all the same.
  static Result<ConfigChain> Load(FileReader& reader, const std::string& main,
                                  const std::string& generated = "");

  const std::string& main() const { return main_; }
  // Empty: all of it was read. The file `except` may be missing.
  std::string Problem(std::string_view except = {}) const;
  const std::map<std::string, FileState>& files() const { return files_; }
  const std::vector<Inclusion>& inclusions() const { return inclusions_; }
  const std::vector<proftpd::Statement>& statements(const std::string& file) const;
  // How `file` is included; null: it isn't.
  const Inclusion* IncludedBy(std::string_view file) const;
  // The values of a directive with one argument, anywhere, each once, in reading order.
  std::vector<std::string> Values(std::string_view directive) const;
  // All arguments of it.
  std::vector<std::vector<std::string>> Arguments(std::string_view directive) const;

  // Files that together are the chain with `text` instead of `file`, to be written below `folder`;
  // the first is the main one. A `file` that isn't included is added at the end, in <Global>.
  // kUnsupported when it is included through a continued line.
  Result<std::vector<CandidateFile>> With(const std::string& file, const std::string& text,
                                          const std::string& folder) const;

 private:
  void Parse(const std::string& file);
  // Finds what an inclusion means, or says what must be read first.
  void Settle(size_t index, std::set<std::string>& files, std::set<std::string>& folders);
  std::vector<std::string> RegularFiles(
      const std::function<bool(const std::string&)>& wanted) const;
  Result<void> Rewrite(const std::string& file, const std::string& as,
                       const std::map<std::string, std::string>& names,
                       std::vector<CandidateFile>* copies) const;

  std::string main_, generated_;
  std::map<std::string, FileState> files_;
  std::map<std::string, std::vector<proftpd::Statement>> statements_;
  std::vector<Inclusion> inclusions_;
  std::vector<std::string> order_;
  std::set<std::string> listed_;  // folders whose files are all in files_
  std::vector<std::string> problems_;
};

}  // namespace postern::filetransfer
