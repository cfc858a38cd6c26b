// providers/filetransfer/host/tree_listing.h: the nodes of a host's trees as one batch tells them.
//
// `find` names the nodes and `getfacl` reads them meanwhile, in as many parts as the host has
// processors (at most 4); awk sends the text of an ACL once (posix/dump_reader.h); the answer is
// parsed while it arrives. In one run of find no node is told by one of the two alone unless it
// comes or goes in between; then the types come with their names. Links below the roots are told
// and not followed. One thread, that of the transport.
//
// Bounds, beyond which the answer is an error and nothing more is read: kNodeLimit nodes, 1 MiB for
// a name or a message.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/posix/tree.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

// About 2 GB here.
inline constexpr size_t kNodeLimit = 2'000'000;

inline constexpr std::string_view kNoAcl =
    "the host has no getfacl and setfacl: install its package acl (apt-get install acl)";

struct Listing {
  posix::Tree tree;
  // Without links: the roots and the names asked for, in their order; empty for what isn't there.
  std::vector<std::string> real_roots, real_names;
  // Told by find alone: what came or went meanwhile, or what getfacl keeps silent about.
  std::vector<std::string> without_acl;
  // The first line that either of them said about something that isn't simply gone.
  std::string problem;
};

// The trees of the roots and every folder above them. Errors: the transport's; kUnsupported without
// getfacl, and for more nodes than `most`; kIncomplete for an answer that was cut; kInvalid for one
// that isn't the script's.
Result<Listing> ListTrees(Transport& transport, std::span<const std::string> roots,
                          size_t most = kNodeLimit);
// The nodes of these paths alone; a path whose node is a link is told as one.
Result<Listing> ListNames(Transport& transport, std::span<const std::string> roots,
                          std::span<const std::string> names);

}  // namespace postern::filetransfer
