// providers/filetransfer/proftpd/path_filter.h: do PathAllowFilter, PathDenyFilter and HideFiles
// let an object through? Pure.
//
// Source: 1.3.8, each tried on the daemon: the nearest block that states one counts; but some
// commands ask the block of the command before, so only what every filter of the session stops is
// stopped for sure. The first two
// are searched for in the whole path as the session sees it, HideFiles in the name alone; it
// changes what is listed and nothing else.
#pragma once
#include <vector>

#include "core/access/rights.h"
#include "providers/filetransfer/proftpd/block_pattern.h"
#include "providers/filetransfer/proftpd/rule_section.h"

namespace postern::proftpd {

struct Passing {
  // Unnamed entries: a filter stops some of them, so it isn't known.
  enum class How : unsigned char { kPassed, kStopped, kUnknown } how = How::kPassed;
  ReasonId reason = 0;  // of kUnknown
};

// What one block, with all that stands above it, states of paths.
struct PathFilters {
  const NameFilter* allow = nullptr;
  const NameFilter* deny = nullptr;
  auto operator<=>(const PathFilters&) const = default;
};
PathFilters PathFiltersOf(const std::vector<const RuleSection*>& chain, const RaiseRules& rules);

// `chain`: the sections that hold for the object, nearest first. For `list` the object is an entry
// of the folder. `confined`: sessions may see the path from another root.
// `elsewhere`: what holds at the session's other places.
Passing PassFilters(const std::vector<const RuleSection*>& chain, const ObjectPath& object,
                    access::Right right, bool confined, const std::vector<PathFilters>& elsewhere,
                    const RaiseRules& rules);

}  // namespace postern::proftpd
