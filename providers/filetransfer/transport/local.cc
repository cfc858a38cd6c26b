// The transport to this machine: /bin/sh as a child with a clean environment.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "providers/filetransfer/transport/frame.h"
#include "providers/filetransfer/transport/transport.h"

namespace postern::filetransfer {
namespace {

using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void Set(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// Our ends of the child's three streams. Standard input is a socket, so that a child that stops
// reading is an error to us and not a SIGPIPE.
struct Streams {
  Descriptor in, out, err;
  Descriptor child_in, child_out, child_err;

  bool Open() {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
    in.Set(pair[0]);
    child_in.Set(pair[1]);
    if (::pipe2(pair.data(), O_CLOEXEC) != 0) return false;
    out.Set(pair[0]);
    child_out.Set(pair[1]);
    if (::pipe2(pair.data(), O_CLOEXEC) != 0) return false;
    err.Set(pair[0]);
    child_err.Set(pair[1]);
    ::fcntl(in.get(), F_SETFL, O_NONBLOCK);
    return true;
  }
};

Result<pid_t> Spawn(const Batch& batch, const std::string& nonce, const Streams& streams) {
  std::vector<std::string> words = {"sh", "-c", WrapScript(batch.script, nonce), "sh"};
  words.insert(words.end(), batch.args.begin(), batch.args.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string path = "PATH=" + std::string(kPath);
  std::string locale = "LC_ALL=C";
  std::array<char*, 3> env = {path.data(), locale.data(), nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, streams.child_in.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, streams.child_out.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, streams.child_err.get(), 2);
  // A daemon that a batch starts must not inherit our descriptors (descriptor 3 is the core's).
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigfillset(&defaults);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    return Fail(ErrorCode::kUnavailable, std::string("start /bin/sh: ") +
                                             ::strerror(error));  // NOLINT(concurrency-mt-unsafe)
  }
  return pid;
}

using Buffer = std::array<char, 65536>;

// What is there now; nothing at the end of the stream.
std::optional<std::string_view> ReadSome(int fd, Buffer* buffer) {
  const ssize_t got = ::read(fd, buffer->data(), buffer->size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return std::string_view();
  if (got <= 0) return std::nullopt;
  return std::string_view(buffer->data(), static_cast<size_t>(got));
}

// False at the end of the stream.
bool ReadError(int fd, std::string* err) {
  Buffer buffer;
  const auto part = ReadSome(fd, &buffer);
  if (!part) return false;
  err->append(part->substr(0, kErrorLimit - std::min(kErrorLimit, err->size())));
  return true;
}

// Feeds and drains the child until its output ends. Errors: kTimeout, the unframer's.
Result<void> Pump(Streams& streams, std::string_view input, Clock::time_point until, Unframer* out,
                  std::string* err) {
  const auto late = [] {
    return Fail(ErrorCode::kTimeout, "a batch took too long on this machine");
  };
  while (streams.out.get() >= 0) {
    if (input.empty()) streams.in.Close();
    std::array<pollfd, 3> polls = {{{streams.out.get(), POLLIN, 0},
                                    {streams.err.get(), POLLIN, 0},
                                    {streams.in.get(), POLLOUT, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return late();
    const int ready = ::poll(polls.data(), polls.size(), static_cast<int>(left));
    if (ready == 0) return late();
    if (ready < 0) continue;
    if (polls[2].revents != 0) {
      const ssize_t sent = ::send(streams.in.get(), input.data(), input.size(), MSG_NOSIGNAL);
      if (sent > 0) input.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) input = {};
    }
    if (polls[1].revents != 0 && !ReadError(streams.err.get(), err)) streams.err.Close();
    if (polls[0].revents == 0) continue;
    Buffer buffer;
    const auto part = ReadSome(streams.out.get(), &buffer);
    if (!part) {
      streams.out.Close();
    } else if (auto taken = out->Take(*part); !taken) {
      return taken;
    }
  }
  for (pollfd rest = {streams.err.get(), POLLIN, 0}; rest.fd >= 0 && ::poll(&rest, 1, 0) > 0;) {
    if (!ReadError(rest.fd, err)) break;
  }
  return {};
}

class LocalTransport final : public Transport {
 public:
  std::string Describe() const override { return "local:"; }

  Result<ExecResult> Exec(const Batch& batch) override {
    Streams streams;
    if (!streams.Open()) return Fail(ErrorCode::kUnavailable, "no descriptors left");
    const std::string nonce = MakeNonce();
    const auto pid = Spawn(batch, nonce, streams);
    if (!pid) return tl::unexpected(pid.error());
    streams.child_in.Close();
    streams.child_out.Close();
    streams.child_err.Close();
    Unframer out(nonce, batch.sink);
    std::string err;
    const auto pumped = Pump(streams, batch.input, Clock::now() + batch.limit, &out, &err);
    if (!pumped) ::kill(-*pid, SIGKILL);
    int status = 0;
    while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!pumped) return tl::unexpected(pumped.error());
    return out.Finish(std::move(err));
  }
};

}  // namespace

std::unique_ptr<Transport> MakeLocalTransport() {
  return std::make_unique<LocalTransport>();
}

}  // namespace postern::filetransfer
