// providers/filetransfer/openssh_io/config_files.h: the files of one sshd's configuration, from the
// host.
//
// The main file and everything that it includes, read level by level: two round trips for each
// depth of inclusion (patterns, then files; patterns alone where the reader knows the host). Also
// writes the chain again with another text for one file, for the daemon's own checker.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "providers/filetransfer/openssh/config.h"
#include "providers/filetransfer/server/checker.h"
#include "providers/filetransfer/transport/file_reader.h"

namespace postern::filetransfer {

class ConfigFiles final : public openssh::FileSource {
 public:
  // `generated`: a file that may not be there yet; a pattern that it fits includes it all the same.
  // Errors are the transport's; a file that can't be read is one of ReadConfig's.
  static Result<ConfigFiles> Load(FileReader& reader, const std::string& main,
                                  const std::string& generated);

  Result<std::string> Read(const std::string& path) const override;
  std::vector<std::string> Glob(const std::string& pattern) const override;
  const std::map<std::string, FileState>& files() const { return files_; }

  // The configuration as it would be with `text` in the generated file.
  Result<openssh::SshdConfig> With(const std::string& text) const;
  // Why lines of the generated file don't stand where they win; empty: they do. Source:
  // sshd_config(5): an Include within a Match block holds for that block alone, and of several
  // Match blocks the first that says a keyword counts.
  std::string WhyNotReached() const;
  // Files that together are the chain with `text`, to be written below `folder`; the first is the
  // main one. Errors: as ReadConfig's.
  Result<std::vector<CandidateFile>> CopyWith(const std::string& text,
                                              const std::string& folder) const;

 private:
  std::string main_, generated_;
  const std::string* candidate_ = nullptr;  // instead of what stands in the generated file
  std::map<std::string, FileState> files_;
  std::map<std::string, std::vector<std::string>> globs_;
};

}  // namespace postern::filetransfer
