#include "providers/filetransfer/transport/ssh.h"

#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/hash.h"
#include "providers/filetransfer/transport/frame.h"
#include "providers/filetransfer/transport/ssh_session.h"

namespace postern::filetransfer {
namespace {

using Clock = std::chrono::steady_clock;

// libssh2 builds an exec request in one packet of at most 35,000 bytes.
constexpr size_t kCommandLimit = 30000;

// Of one stream, before the other and the time are looked at: a host may print without an end.
constexpr int kPartsAtOnce = 64;

struct ChannelDeleter {
  void operator()(LIBSSH2_CHANNEL* channel) const {
    // A free on a session that doesn't block may ask to be called again; the timeout bounds it.
    libssh2_session_set_blocking(session, 1);
    libssh2_channel_free(channel);
  }
  LIBSSH2_SESSION* session = nullptr;
};
using Channel = std::unique_ptr<LIBSSH2_CHANNEL, ChannelDeleter>;

// One exec under way: feeds input, drains both outputs.
class Conversation {
 public:
  Conversation(SshSession& session, LIBSSH2_CHANNEL* channel, std::string_view input, Unframer* out)
      : session_(session), channel_(channel), input_(input), out_(out) {}

  // Errors: kTimeout, kUnavailable, the unframer's.
  Result<void> Run(Clock::time_point until);
  std::string err;

 private:
  // True when something moved. `failed_` is set when the connection broke.
  Result<bool> Step();
  bool Feed();
  // What is there of one stream; empty: nothing now.
  std::string_view Drain(int stream);

  SshSession& session_;
  LIBSSH2_CHANNEL* channel_;
  std::string_view input_;
  Unframer* out_;
  std::array<char, 65536> buffer_{};
  bool input_ended_ = false, failed_ = false;
};

bool Conversation::Feed() {
  if (input_ended_) return false;
  if (input_.empty()) {
    const int code = libssh2_channel_send_eof(channel_);
    input_ended_ = code != LIBSSH2_ERROR_EAGAIN;
    return input_ended_;
  }
  const ssize_t sent =
      libssh2_channel_write(channel_, input_.data(), std::min<size_t>(input_.size(), 32768));
  if (sent == LIBSSH2_ERROR_EAGAIN) return false;
  if (sent < 0) {
    // The script may end without reading everything: that isn't an error of the connection.
    input_ended_ = true;
    failed_ = sent == LIBSSH2_ERROR_SOCKET_SEND || sent == LIBSSH2_ERROR_SOCKET_DISCONNECT;
    return true;
  }
  input_.remove_prefix(static_cast<size_t>(sent));
  return sent > 0;
}

std::string_view Conversation::Drain(int stream) {
  const ssize_t got = libssh2_channel_read_ex(channel_, stream, buffer_.data(), buffer_.size());
  if (got < 0 && got != LIBSSH2_ERROR_EAGAIN) failed_ = true;
  return {buffer_.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

Result<bool> Conversation::Step() {
  bool moved = Feed();
  for (int i = 0; i < kPartsAtOnce && !failed_; ++i) {
    const std::string_view part = Drain(0);
    if (part.empty()) break;
    if (auto taken = out_->Take(part); !taken) return tl::unexpected(taken.error());
    moved = true;
  }
  for (int i = 0; i < kPartsAtOnce && !failed_; ++i) {
    const std::string_view part = Drain(SSH_EXTENDED_DATA_STDERR);
    if (part.empty()) break;
    err.append(part.substr(0, kErrorLimit - std::min(kErrorLimit, err.size())));
    moved = true;
  }
  return moved;
}

Result<void> Conversation::Run(Clock::time_point until) {
  libssh2_session_set_blocking(session_.get(), 0);
  while (!failed_) {
    const auto moved = Step();
    if (!moved) return tl::unexpected(moved.error());
    if (failed_ || libssh2_channel_eof(channel_) != 0) break;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return Fail(ErrorCode::kTimeout, "a batch took too long");
    if (*moved) continue;
    const int directions = libssh2_session_block_directions(session_.get());
    pollfd waiting = {session_.socket(), POLLIN, 0};
    if ((directions & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0) waiting.events |= POLLOUT;
    ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 50)));
  }
  if (failed_)
    return Fail(ErrorCode::kUnavailable, "the connection broke: " + session_.LastError());
  return {};
}

class SshTransport final : public Transport {
 public:
  explicit SshTransport(SshSettings settings) : settings_(std::move(settings)) {}

  std::string Describe() const override {
    return fmt::format("ssh://{}@{}:{}", settings_.address.user, settings_.address.host,
                       settings_.address.port);
  }

  Result<ExecResult> Exec(const Batch& batch) override {
    const std::string nonce = MakeNonce();
    const std::string command = RemoteCommand(batch, nonce, settings_.sudo);
    if (command.size() > kCommandLimit) {
      return Fail(ErrorCode::kInternal, "a batch has too many arguments for one command");
    }
    auto channel = OpenChannel();
    if (!channel) return tl::unexpected(channel.error());
    if (libssh2_channel_exec(channel->get(), command.c_str()) != 0) {
      (void)channel->release();  // freed with its session
      return Broken(Error{ErrorCode::kUnavailable, "exec: " + session_->LastError()});
    }
    Unframer out(nonce, batch.sink);
    Conversation conversation(*session_, channel->get(), batch.input, &out);
    if (auto done = conversation.Run(Clock::now() + batch.limit); !done) {
      (void)channel->release();  // busy: freed with its session
      return Broken(done.error());
    }
    auto result = out.Finish(std::move(conversation.err));
    if (!result) return base::Wrap(Describe(), result.error());
    return result;
  }

 private:
  tl::unexpected<Error> Broken(Error error) {
    session_.reset();
    return base::Wrap(Describe(), std::move(error));
  }

  // Nothing has been sent yet, so a dead session is simply opened anew, once.
  Result<Channel> OpenChannel() {
    for (const bool fresh : {false, true}) {
      if (session_ == nullptr || fresh) {
        session_.reset();
        auto opened = SshSession::Open(settings_);
        if (!opened) return tl::unexpected(opened.error());
        session_ = std::move(*opened);
      }
      libssh2_session_set_blocking(session_->get(), 1);
      if (LIBSSH2_CHANNEL* channel = libssh2_channel_open_session(session_->get())) {
        return Channel(channel, ChannelDeleter{session_->get()});
      }
    }
    return Broken(Error{ErrorCode::kUnavailable, "open a channel: " + session_->LastError()});
  }

  SshSettings settings_;
  std::unique_ptr<SshSession> session_;
};

std::string OurLogin() {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return "";
  }
  return found->pw_name;
}

}  // namespace

Result<SshAddress> ParseSshAddress(std::string_view address) {
  const auto bad = [&](std::string_view why) {
    return Fail(
        ErrorCode::kInvalid,
        fmt::format("\"{}\" is no SSH address ({}); write ssh://user@host:port", address, why));
  };
  if (!address.starts_with("ssh://")) return bad("it doesn't begin with ssh://");
  std::string_view rest = address.substr(6);
  if (rest.find_first_of("/ \t") != std::string_view::npos)
    return bad("nothing may follow the port");
  SshAddress out;
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    out.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) return bad("a bracket is open");
    out.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest[0] != ':') return bad("a port follows the bracket by a colon");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const size_t colon = rest.find(':');
    out.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }
  if (out.host.empty()) return bad("the host is missing");
  if (!port.empty()) {
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || stop != port.data() + port.size() || out.port == 0)
      return bad("the port");
  }
  if (out.user.empty()) out.user = OurLogin();
  return out;
}

Result<std::unique_ptr<Transport>> MakeSshTransport(SshSettings settings) {
  const size_t blank = settings.known_host.find(' ');
  std::string blob;
  const std::string text = blank == std::string::npos ? "" : settings.known_host.substr(blank + 1);
  if (text.empty() || !base::DecodeBase64(text.substr(0, text.find(' ')), &blob)) {
    return Fail(
        ErrorCode::kInvalid,
        fmt::format("host {} needs known_host = \"TYPE BASE64\", the line of ssh-keyscan without "
                    "its name; without it nobody knows who answers",
                    settings.address.host));
  }
  return std::make_unique<SshTransport>(std::move(settings));
}

}  // namespace postern::filetransfer
