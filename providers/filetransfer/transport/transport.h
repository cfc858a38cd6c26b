// providers/filetransfer/transport/transport.h: how a host is reached: here, or over SSH.
//
// A transport runs batches: one fixed POSIX shell program with arguments and bytes on its standard
// input. One round trip does the work of many calls, which is what counts over a real link (a
// sequential SFTP call costs a round trip each). Not thread-safe; one caller at a time.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::filetransfer {

// A program for `sh` with a clean environment (PATH and LC_ALL=C only). `script` is ours, never
// text from a target or a person; what varies goes into `args` ($1...) or `input`.
struct Batch {
  std::string_view script;
  std::vector<std::string> args;
  std::string_view input;
  std::chrono::seconds limit{60};
};

// What the script printed, without anything that a login banner or a .bashrc printed around it.
struct ExecResult {
  int status = 0;  // exit status of the script
  std::string out;
  std::string err;  // at most 64 KiB
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Errors: kUnavailable when the host can't be reached or the connection breaks (the batch may
  // have run), kTimeout after `limit`, kAuthentication when the host isn't who it should be or
  // refuses us, kDenied when the change of identity (sudo) is refused, kIncomplete when output was
  // cut short.
  virtual Result<ExecResult> Exec(const Batch& batch) = 0;
  // "local:" or "ssh://user@host:port", for messages.
  virtual std::string Describe() const = 0;
};

// As Exec, but an exit status other than 0 is an error that quotes the first line of stderr.
Result<std::string> RunBatch(Transport& transport, const Batch& batch);

std::unique_ptr<Transport> MakeLocalTransport();

}  // namespace postern::filetransfer
