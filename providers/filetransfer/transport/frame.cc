#include "providers/filetransfer/transport/frame.h"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "core/base/hash.h"

namespace postern::filetransfer {
namespace {

std::string FirstLine(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return "";
  text.remove_prefix(start);
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

// What a host says when the batch never began. sudo speaks through its own name, through sudoers
// ("Sorry, user"), or through the shell that doesn't find it; a login script may speak before it.
Error NeverBegan(std::string_view err) {
  std::istringstream lines{std::string(err)};
  for (std::string text; std::getline(lines, text);) {
    const std::string line = FirstLine(text);
    if (line.find("sudo") != std::string::npos && line.ends_with("not found")) {
      return {ErrorCode::kDenied,
              "sudo isn't installed on the host: install it, connect as root, or leave become out"};
    }
    if (line.starts_with("sudo:") || line.starts_with("Sorry, user ")) {
      return {ErrorCode::kDenied,
              fmt::format("sudo refused ({}); this line in the host's sudoers allows it: "
                          "USER ALL=(root) NOPASSWD: /usr/bin/env",
                          line.substr(0, line.find(" to execute ")))};  // our script follows
    }
  }
  const std::string why = FirstLine(err);
  return {ErrorCode::kIncomplete,
          fmt::format("the host ran nothing{}{}", why.empty() ? "" : ": ", why)};
}

}  // namespace

std::string MakeNonce() {
  return base::Hex(base::RandomBytes(16));
}

std::string ShellQuote(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string WrapScript(std::string_view script, std::string_view nonce) {
  return fmt::format("printf '\\n%s begin\\n' {0}\n(\n{1}\n)\nprintf '\\n%s end %d\\n' {0} $?\n",
                     nonce, script);
}

std::string RemoteCommand(const Batch& batch, std::string_view nonce, bool sudo) {
  std::string out = sudo ? "sudo -n -- " : "";
  out += fmt::format("env -i PATH={} LC_ALL=C sh -c {} sh", kPath,
                     ShellQuote(WrapScript(batch.script, nonce)));
  for (const std::string& arg : batch.args) out += " " + ShellQuote(arg);
  return out;
}

Result<ExecResult> Unframe(std::string_view out, std::string err, std::string_view nonce) {
  const std::string begin = fmt::format("\n{} begin\n", nonce);
  const std::string end = fmt::format("\n{} end ", nonce);
  const size_t first = out.find(begin);
  if (first == std::string_view::npos) return tl::unexpected(NeverBegan(err));
  const size_t from = first + begin.size();
  // The first line's newline may serve as the last line's when the script printed nothing.
  const size_t last = out.rfind(end);
  if (last == std::string_view::npos || last + 1 < from) {
    return Fail(ErrorCode::kIncomplete, "the output of a batch was cut short");
  }
  ExecResult result;
  result.err = std::move(err);
  result.out = last < from ? "" : out.substr(from, last - from);
  const std::string_view status = out.substr(last + end.size());
  const auto [stop, error] =
      std::from_chars(status.data(), status.data() + status.size(), result.status);
  if (error != std::errc() || stop == status.data() + status.size() || *stop != '\n') {
    return Fail(ErrorCode::kIncomplete, "the last line of a batch was cut short");
  }
  return result;
}

Result<std::string> RunBatch(Transport& transport, const Batch& batch) {
  auto result = transport.Exec(batch);
  if (!result) return tl::unexpected(result.error());
  if (result->status != 0) {
    const std::string why = FirstLine(result->err);
    return Fail(why.find("ermission denied") == std::string::npos ? ErrorCode::kInternal
                                                                  : ErrorCode::kDenied,
                why.empty() ? fmt::format("a batch ended with status {}", result->status) : why);
  }
  return std::move(result->out);
}

}  // namespace postern::filetransfer
