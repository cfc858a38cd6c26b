#include "providers/filetransfer/transport/frame.h"

#include <fmt/format.h>

#include <algorithm>
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

Unframer::Unframer(std::string_view nonce, OutputSink* sink)
    : begin_(fmt::format("\n{} begin\n", nonce)),
      end_(fmt::format("\n{} end ", nonce)),
      find_end_(end_.begin(), end_.end()),
      sink_(sink) {}

size_t Unframer::LastEnd(size_t from) const {
  size_t last = std::string::npos;
  for (auto at = held_.begin() + static_cast<ptrdiff_t>(from);; ++at) {
    at = std::search(at, held_.end(), find_end_);
    if (at == held_.end()) return last;
    last = static_cast<size_t>(at - held_.begin());
  }
}

Result<void> Unframer::Deliver(size_t size) {
  if (size == 0) return {};
  if (sink_ == nullptr) {
    out_.append(held_, 0, size);
  } else if (auto taken = sink_->Take(std::string_view(held_).substr(0, size)); !taken) {
    return taken;
  }
  held_.erase(0, size);
  return {};
}

Result<void> Unframer::Take(std::string_view part) {
  seen_ += part.size();
  if (seen_ > kOutputLimit) {
    return Fail(ErrorCode::kIncomplete, fmt::format("the output of a batch is more than {} MiB: it "
                                                    "can only be a mistake",
                                                    kOutputLimit >> 20));
  }
  // An end that is held already stands at the front; only what is new can hold a later one.
  size_t from = held_.size() - std::min(held_.size(), end_.size());
  held_ += part;
  if (!begun_) {
    const size_t at = held_.find(begin_);
    if (at == std::string::npos) {
      if (held_.size() > begin_.size()) held_.erase(0, held_.size() - begin_.size());
      return {};
    }
    held_.erase(0, at + begin_.size());
    begun_ = true;
    from = 0;
  }
  if (const size_t last = LastEnd(from); last != std::string::npos) return Deliver(last);
  if (held_.starts_with(end_)) return {};
  return Deliver(held_.size() - std::min(held_.size(), end_.size() - 1));
}

Result<ExecResult> Unframer::Finish(std::string err) {
  if (!begun_) return tl::unexpected(NeverBegan(err));
  if (!held_.starts_with(end_)) {
    return Fail(ErrorCode::kIncomplete, "the output of a batch was cut short");
  }
  ExecResult result;
  const char* first = held_.data() + end_.size();
  const char* const last = held_.data() + held_.size();
  const auto [stop, error] = std::from_chars(first, last, result.status);
  if (error != std::errc() || stop == last || *stop != '\n') {
    return Fail(ErrorCode::kIncomplete, "the last line of a batch was cut short");
  }
  result.out = std::move(out_);
  result.err = std::move(err);
  return result;
}

Result<ExecResult> Unframe(std::string_view out, std::string err, std::string_view nonce) {
  Unframer unframer(nonce, nullptr);
  if (auto taken = unframer.Take(out); !taken) return tl::unexpected(taken.error());
  return unframer.Finish(std::move(err));
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
