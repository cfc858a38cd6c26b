// providers/filetransfer/transport/frame.h: a batch as one shell command, and its output back
// again.
//
// The script's output stands between two lines that hold a nonce drawn for this call, so whatever a
// login shell prints before or after can't be taken for it; a missing last line means that the
// output was cut. Pure; any thread.
#pragma once
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
// Takes the script's output out of everything that arrived. kIncomplete when the end is missing.
Result<ExecResult> Unframe(std::string_view out, std::string err, std::string_view nonce);

}  // namespace postern::filetransfer
