// providers/filetransfer/transport/frame.h: a batch as one shell command, and its output back
// again.
//
// The script's output stands between two lines that hold a nonce drawn for this call, so whatever a
// login shell prints before or after can't be taken for it; a missing last line means that the
// output was cut. Pure; any thread.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {

inline constexpr std::string_view kPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// More output than this isn't read: it can only be a mistake.
inline constexpr size_t kOutputLimit = size_t{512} << 20;
inline constexpr size_t kErrorLimit = size_t{64} << 10;

std::string MakeNonce();
// 'it'\''s': one word for a POSIX shell.
std::string ShellQuote(std::string_view word);
// The script between its two nonce lines, as text for `sh -c`.
std::string WrapScript(std::string_view script, std::string_view nonce);
// The whole remote command: identity change, clean environment, script and arguments.
std::string RemoteCommand(const Batch& batch, std::string_view nonce, bool sudo);

// Takes the script's output out of everything that arrives, part by part. The last line that can be
// the end is the end: who reads the nonce from a list of processes can't end an output early. Holds
// little more than one part back; what stands before the first line isn't kept.
class Unframer {
 public:
  // `sink`: as in Batch; without one the output is collected.
  Unframer(std::string_view nonce, OutputSink* sink);
  // Errors: the sink's; kIncomplete above kOutputLimit.
  Result<void> Take(std::string_view part);
  // When all has arrived. kIncomplete when the end is missing.
  Result<ExecResult> Finish(std::string err);

 private:
  Unframer(const Unframer&) = delete;
  Unframer& operator=(const Unframer&) = delete;

  Result<void> Deliver(size_t size);  // the first bytes of held_
  size_t LastEnd(size_t from) const;  // of held_; npos: there is none

  const std::string begin_, end_;
  const std::boyer_moore_horspool_searcher<std::string::const_iterator> find_end_;
  OutputSink* const sink_;
  bool begun_ = false;
  size_t seen_ = 0;
  std::string held_, out_;
};

// All of it at once.
Result<ExecResult> Unframe(std::string_view out, std::string err, std::string_view nonce);

}  // namespace postern::filetransfer
