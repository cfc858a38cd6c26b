// providers/filetransfer/transport/transport.h: how a host is reached: here, or over SSH.
//
// A transport runs batches: one fixed POSIX shell program with arguments and bytes on its standard
// input. One round trip does the work of many calls, which is what counts over a real link (a
// sequential SFTP call costs a round trip each). Not thread-safe; one caller at a time.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace postern::filetransfer {

// Takes a script's output while it arrives, so that host, connection and reader work at once.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // Any part of the output, in order; a part may end within anything. After an error nothing more
  // comes and the batch is broken off with it.
  virtual Result<void> Take(std::string_view part) = 0;
};

// A program for `sh` with a clean environment (PATH and LC_ALL=C only). `script` is ours, never
// text from a target or a person; what varies goes into `args` ($1...) or `input`.
struct Batch {
  std::string_view script;
  std::vector<std::string> args;
  std::string_view input;
  std::chrono::seconds limit{60};
  // Gets the output in place of ExecResult::out. What it took counts only when Exec succeeds:
  // output that was cut has reached it as well.
  OutputSink* sink = nullptr;
};

// What the script printed, without anything that a login banner or a .bashrc printed around it.
struct ExecResult {
  int status = 0;   // exit status of the script
  std::string out;  // empty with a sink
  std::string err;  // at most 64 KiB
};

struct FileNames {
  std::set<std::string> files, folders;
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Errors: kUnavailable when the host can't be reached or the connection breaks (the batch may
  // have run), kTimeout after `limit`, kUntrusted when the host isn't who it should be,
  // kAuthentication when it refuses us, kDenied when the change of identity (sudo) is refused,
  // kIncomplete when output was cut short or is more than 512 MiB; those of the sink.
  virtual Result<ExecResult> Exec(const Batch& batch) = 0;
  // "local:" or "ssh://user@host:port", for messages.
  virtual std::string Describe() const = 0;

  // What each reader asked for last time (file_reader.h): a hint, never an answer.
  std::map<std::string, FileNames> asked_before;
};

// As Exec, but an exit status other than 0 is an error that quotes the first line of stderr.
Result<std::string> RunBatch(Transport& transport, const Batch& batch);

std::unique_ptr<Transport> MakeLocalTransport();

}  // namespace postern::filetransfer
