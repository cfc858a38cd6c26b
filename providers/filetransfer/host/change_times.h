// providers/filetransfer/host/change_times.h: when owner, mode, ACL or content of folders and files
// last changed (st_ctime, inode(7)): nobody sets it by hand, so it says when an ACL was cut.
#pragma once
#include <map>
#include <span>
#include <string>

#include "core/base/result.h"
#include "core/base/time.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

// What isn't there, or can't be asked, isn't in the answer. One batch; no links are followed.
// Errors: the transport's.
Result<std::map<std::string, base::Instant>> ChangeTimes(Transport& transport,
                                                         std::span<const std::string> paths);

}  // namespace postern::filetransfer
