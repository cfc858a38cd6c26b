// providers/filetransfer/host/ssh_sessions.h: who is logged in through sshd now, and ending it.
//
// A session is sshd's monitor, a process of root that names its login ("sshd: LOGIN [priv]"), with
// a child that runs as that login's uid: before that nobody is in. The id is the monitor's process
// and when that started, so a process id that came back is another session. Titles of the account's
// own processes are never believed. Source: OpenSSH 9.2, and 9.8 on ("sshd-session:").
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/time.h"
#include "core/object/target.h"
#include "providers/filetransfer/posix/accounts.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct SshdSession {
  std::string login, id, address, protocol = "ssh";
  base::Instant since = 0;
  int pid = 0;         // of the monitor
  uint64_t start = 0;  // clock ticks since boot
};

// Sessions of every sshd of the host that have logged in, of accounts of `host`; `daemon_pid`: only
// those below that listener (0: all). Errors: what went wrong; never an empty list for an unread
// one.
Result<std::vector<SshdSession>> ListSshSessions(Transport& transport,
                                                 const posix::HostAccounts& host,
                                                 int daemon_pid = 0);

// Asks the monitors and everything below them to end and waits up to 5 s, then kills what stayed.
// What really ended is for the caller to list again.
Result<void> EndSshSessions(Transport& transport, const std::vector<SshdSession>& sessions);

object::Object SessionObject(const std::string& server, const SshdSession& session);
// One outcome for each operation, in order, read back. An operation ends one session, or with the
// id "*" all of its login.
std::vector<object::Outcome> ApplySshSessions(Transport& transport, const std::string& server,
                                              const posix::HostAccounts& host,
                                              std::span<const object::Operation> operations,
                                              int daemon_pid = 0);

}  // namespace postern::filetransfer
