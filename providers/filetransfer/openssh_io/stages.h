// providers/filetransfer/openssh_io/stages.h: a change of the tree in two steps, so that no moment
// is wider than before and after together. Pure.
//
// First every node becomes what both its states let happen, then what it shall be. The include that
// says what sessions may ask for is swapped between the two.
#pragma once
#include <span>
#include <vector>

#include "providers/filetransfer/posix/fit.h"

namespace postern::filetransfer {

struct Stages {
  std::vector<posix::Change> less, more;  // either may be empty; of the same nodes
};
Stages StagesOf(std::span<const posix::Change> changes);

// What both states of a node let happen, entry by entry: who has an entry of its own in one state
// only has nothing.
posix::Node Meet(const posix::Node& before, const posix::Node& after);

}  // namespace postern::filetransfer
