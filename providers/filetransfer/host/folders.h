// providers/filetransfer/host/folders.h: folders of a host: owner, group and mode.
//
// Never deletes anything: a folder that is no longer wanted is released. Folder means a real one:
// the roots may be links, what lies below is not followed. Its id is "INODE.BIRTH" (nanoseconds),
// or "INODE" on a file system that keeps no birth (NFS before 4.2, old tmpfs), where a folder that
// was made anew at once may pass for the one before.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/object/target.h"
#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

class Folders {
 public:
  Folders(Transport& transport, std::string host, std::vector<std::string> roots)
      : transport_(transport), host_(std::move(host)), roots_(std::move(roots)) {}

  // Every folder at and below the roots. `access_files` gets the .ftpaccess files found on the way.
  // False: the sink wants no more.
  Result<object::ScopeStatus> Enumerate(object::ObjectSink* sink,
                                        std::vector<FolderEntry>* access_files);
  Result<std::vector<object::ReadAnswer>> Read(std::span<const object::ObjectKey> keys);
  // Creates (one level), changes owner, group and mode. One batch for all that may go on.
  std::vector<object::Outcome> Apply(std::span<const object::Operation> operations);

 private:
  object::Object MakeObject(const std::string& path, const FileState& state) const;
  Result<void> Run(const std::vector<std::string>& lines, std::vector<std::string>* answers);

  Transport& transport_;
  std::string host_;
  std::vector<std::string> roots_;
};

}  // namespace postern::filetransfer
