// providers/filetransfer/host/tree_io.h: whole trees with owners, modes and ACLs, read and written.
//
// Reads: one batch (tree_listing.h); links below the roots are told and not followed.
// Writes: `setfacl --restore` in pieces, of 200 nodes where the host has perl or bash, else of 7.
// The nodes of a piece are held; each must have the path it had (no link on the way), owner, mode
// and ACL, else nothing of the piece is written. It is written through what is held, so a node that
// is put in its place meanwhile is never reached. perl (a part of Debian's base) holds them without
// opening them. Without it a shell opens files and folders: then pipes, sockets and devices aren't
// written, and a host where we aren't root must let us read what we write.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "providers/filetransfer/posix/fit.h"
#include "providers/filetransfer/posix/tree.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct TreeRead {
  posix::Tree tree;  // the roots with all below, and every folder above them
  // Nothing of the trees is missing. What vanished during the read isn't missing.
  bool complete = false;
  std::string why_not;
  // The roots as they are without links, in the roots' order; empty for one that isn't there.
  std::vector<std::string> real_roots;
};

// Errors: the transport's; kUnsupported naming the package when the host has no getfacl;
// kIncomplete or kInvalid for a text that isn't getfacl's. A root that is no folder makes the read
// incomplete.
Result<TreeRead> ReadTree(Transport& transport, std::span<const std::string> roots);

struct TreeWritten {
  size_t written = 0;  // nodes that are as `after` says now
  // Nodes left as they were because they weren't as `before` says, or that weren't as `after` says
  // when read back; with why.
  struct Refused {
    std::string path, why;
  };
  std::vector<Refused> refused;
};

// Deny first, as posix::RestoreText. Nodes that are as `after` says already count as written, so a
// run that was cut can be run again. Errors: the transport's, kUnsupported without setfacl or
// without ACLs on that file system, kDenied.
Result<TreeWritten> WriteTree(Transport& transport, std::span<const posix::Change> changes,
                              std::span<const std::string> roots);

}  // namespace postern::filetransfer
