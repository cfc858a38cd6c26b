// providers/filetransfer/proftpd_io/sessions.h: who is logged in now, and ending it.
//
// The list is ftpwho's over the daemon's scoreboard; the id of a session is its process and when
// that started, so a process id that came back is another session. Ending is SIGTERM to that
// process after its parent, its name and its start were checked: the same signal that `ftpdctl
// kick` sends, but to one session instead of all of a login's, and it works without a control
// socket.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct OpenSession {
  std::string login, id, address, protocol;
  base::Instant since = 0;
  int pid = 0;
  uint64_t start = 0;  // clock ticks since boot
};

// Sessions that have logged in. Errors: kUnsupported when the host has no ftpwho or the server
// keeps no scoreboard, else what went wrong; never an empty list for an unread one.
Result<std::vector<OpenSession>> ListSessions(Transport& transport, const std::string& scoreboard,
                                              bool daemon_runs);

// Asks the processes to end and waits up to 5 s, then kills those that stayed. What really ended is
// for the caller to list again. `daemon_pid`: their parent.
Result<void> EndSessions(Transport& transport, const std::vector<OpenSession>& sessions,
                         int daemon_pid);

}  // namespace postern::filetransfer
