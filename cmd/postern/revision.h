// cmd/postern/revision.h: the commit that the reviewed tree stands at, read from .git itself: no
// program is run because a folder has a configuration that asks for it.
#pragma once
#include <string>

namespace postern::cmd {

// Hex of the commit that HEAD of the nearest repository above `folder` names; empty when there is
// none or it can't be read. Says nothing of uncommitted changes.
std::string RevisionOf(const std::string& folder);

}  // namespace postern::cmd
