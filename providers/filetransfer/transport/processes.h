// providers/filetransfer/transport/processes.h: ending processes of a host that were seen before.
//
// A process is its pid and its start (proc(5), field 22 of stat, in clock ticks after boot): a pid
// alone may be another process by the time that the signal arrives. Any thread that may use the
// transport. Cost: one round trip, and on the host as long as the processes take to end.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct StartedProcess {
  int pid = 0;
  uint64_t start = 0;
};

// TERM, and KILL for those that go on after `grace_seconds`. With `user` (a login name) only
// processes that run as that user: who may write a pid somewhere must not have another's process
// ended. Already gone is ended. kDenied names those that are still there; other errors are those of
// the transport.
Result<void> EndProcesses(Transport& transport, const std::vector<StartedProcess>& processes,
                          int grace_seconds, std::string_view user = {});

}  // namespace postern::filetransfer
