// providers/filetransfer/transport/file_reader.h: the files of one look at a host, each read once.
//
// A configuration is read level by level: what a file includes is known once it is there, so a look
// costs a round trip a level. But the next look at the same host wants the same files: its first
// read fetches all that the look before asked for, and what follows is answered from that. What was
// fetched for nothing reaches nobody; what is new is fetched as before. All files of a look are
// also read at one moment, then, and not one after the other. Not thread-safe, as its transport.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>

#include "providers/filetransfer/transport/files.h"

namespace postern::filetransfer {

class FileReader {
 public:
  // `about` tells the looks over one transport apart: the path of the main file, say.
  FileReader(Transport& transport, const std::string& about);
  // The next look over the transport begins with what this one asked for.
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  Transport& transport() { return transport_; }
  // As ReadFiles; what was read before is as it was then. Costs nothing where all of it was.
  Result<std::map<std::string, FileState>> Read(std::span<const std::string> files,
                                                std::span<const std::string> folders = {});

 private:
  Result<void> Fetch(const FileNames& missing);

  Transport& transport_;
  FileNames& last_;  // of the look before; the transport's
  FileNames asked_, fetched_;
  bool begun_ = false;
  std::map<std::string, FileState> states_;
};

}  // namespace postern::filetransfer
