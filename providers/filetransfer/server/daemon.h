// providers/filetransfer/server/daemon.h: is the daemon there, and making it read its files
// again.
//
// Source of the caution: ProFTPD 1.3.8 exits one or two seconds after a SIGHUP with a bad file, and
// crashes on the first one with some module orders; sshd with a bad file ends at once; a dead
// daemon may stay as a zombie. While it reads its files the kernel takes connections for it, but
// nobody greets. So a reload is believed only when two seconds have passed, the process is alive,
// and every port that listened before says its greeting.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

struct DaemonSettings {
  std::string program = "proftpd";  // name of its process: proftpd or sshd
  std::string unit;                 // systemd unit; else
  std::string pidfile;              // of the configuration, or what the operator says
  std::vector<std::string> start;   // command line; empty: the unit, or nobody can
  // Of the configuration: how its sockets are found when its descriptors may not be looked at.
  std::vector<uint16_t> ports;
  std::string control;  // path of the control socket; empty: none
  // Why it may have ended: its own checker over its configuration as it stands, and the file in
  // which it says its troubles. Empty: not known.
  std::vector<std::string> checker;
  std::string log;
  // How long a daemon with few blocks may take to be back.
  std::chrono::seconds patience{30};
};

struct Listener {
  std::string address;  // to connect to, from the host itself
  uint16_t port = 0;
  uint64_t inode = 0;
  auto operator<=>(const Listener&) const = default;
};

struct DaemonState {
  int pid = 0;                      // 0: no such process, or a zombie
  uint64_t start = 0;               // clock ticks since boot
  uint32_t uid = 0, gid = 0;        // its real ones: not 0, then all of its sessions have them
  std::vector<Listener> listeners;  // sorted; empty also when we may not look
  // All it listens on, sorted. A reload makes the control socket anew and keeps the others.
  std::vector<uint64_t> sockets;
  bool alive() const { return pid != 0; }
};

// Several reloads may wait for one another; the calls block until the answer is known.
class Daemon {
 public:
  Daemon(Transport& transport, DaemonSettings settings)
      : transport_(transport), settings_(std::move(settings)) {}

  // Errors: the transport's; kInternal or kDenied when systemctl can't say it.
  Result<DaemonState> State();
  // SIGHUP (or the unit's reload). `restart`: stop and start instead, which is faster than a reload
  // above 1,000 blocks. Starts a daemon that isn't there when it knows how. Errors: kDenied when
  // the daemon could not be told, so that it goes on with what it had; kUnavailable when it is gone
  // or answers on fewer ports than before, with the reason as far as the host knows one: it was not
  // started again then.
  Result<void> Reload(bool restart, std::chrono::seconds limit);
  // Starts it and waits until it listens and greets. kUnsupported when nobody said how;
  // kUnavailable when it ended at once or isn't there in time.
  Result<void> Start(std::chrono::seconds limit) { return StartAs({}, limit); }
  bool can_start() const { return !settings_.start.empty() || !settings_.unit.empty(); }

 private:
  std::string Unit() const { return settings_.unit.empty() ? "-" : settings_.unit; }
  Result<void> Signal(const DaemonState& state, bool restart);
  Result<void> Stop(const DaemonState& state);
  // It must listen wherever `before` did.
  Result<void> StartAs(const DaemonState& before, std::chrono::seconds limit);
  // Waits for the generation after `before`. `starter`: the process that was started to become it,
  // or 0 when a running daemon was told to read its files.
  Result<void> AwaitNew(const DaemonState& before, int starter, std::chrono::seconds limit);
  bool IsGone(int pid);
  // Notes where its log stands, so that what it says from now on can be told apart.
  void MarkLog();
  // kUnavailable: `what`, and why, as its checker and its log since the mark have it.
  tl::unexpected<Error> Failed(const std::string& what);
  // Empty: all greet. Else what doesn't, and what it says instead.
  Result<std::string> Greets(const std::vector<Listener>& listeners);

  Transport& transport_;
  DaemonSettings settings_;
  std::string log_since_, log_size_;  // of the mark; empty: none was made
};

}  // namespace postern::filetransfer
