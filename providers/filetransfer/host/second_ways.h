// providers/filetransfer/host/second_ways.h: paths that are another path's folder, and paths that
// lead out: symbolic links and mounts, resolved to one path.
//
// A folder in a managed root has one path that counts, whatever else it is called: the one without
// links and, of two mounts of it, the one in the managed roots, or of two there the wider mount's.
// Source: proc_pid_mountinfo(5), realpath(1), find(1). Cost: one walk of the roots; lines of links
// and mounts to the square.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct SecondWay {
  enum class By : uint8_t { kLink, kMount } by = By::kLink;
  std::string path;        // the link; the folder by the other mount
  std::string real;        // the path that counts; of an absolute link to nothing, the link's own
  std::string target;      // of a link: its text
  bool leads_out = false;  // of a link in a managed root: what it leads to isn't in one
  auto operator<=>(const SecondWay&) const = default;
};

struct SecondWays {
  std::vector<SecondWay> ways;  // sorted by path
  size_t links_left_out = 0;    // beyond the most that are looked at
};

// One mount of the host.
struct Mount {
  uint64_t id = 0, parent = 0;
  std::string device, root, point;
};
// Lines of /proc/self/mountinfo. A line that is none is left out.
std::vector<Mount> ParseMounts(std::string_view mountinfo);

// Second ways into the managed roots by mounts. Pure.
std::vector<SecondWay> WaysByMounts(std::span<const Mount> mounts,
                                    std::span<const std::string> roots);
// The path with each way by a mount replaced by the path that counts.
std::string CountingPath(std::string path, std::span<const SecondWay> ways);

// Links of folders, and links out of the roots, of files too. Errors: the transport's, kIncomplete
// for an answer that was cut.
Result<SecondWays> ReadSecondWays(Transport& transport, std::span<const std::string> roots);
// Mounts alone: without a walk.
Result<std::vector<SecondWay>> ReadWaysByMounts(Transport& transport,
                                                std::span<const std::string> roots);

}  // namespace postern::filetransfer
