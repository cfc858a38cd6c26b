#include "providers/delivery/sftp.h"

#include <fmt/format.h>
#include <libssh2.h>
#include <libssh2_sftp.h>

#include <algorithm>
#include <cstring>

#include "providers/filetransfer/transport/ssh_session.h"

namespace postern::delivery {
namespace {

using filetransfer::SshSession;
using filetransfer::SshSettings;

constexpr size_t kWindow = size_t{2} << 20;  // bytes under way; sshd's channel window is as large
constexpr size_t kReadAhead = size_t{256} << 10;  // libssh2 asks for four times as much ahead
constexpr long kPatienceMs = 120'000;             // for one answer
constexpr long kMode = 0640;                      // as far as the server's umask lets it

struct SftpDeleter {
  void operator()(LIBSSH2_SFTP* sftp) const { libssh2_sftp_shutdown(sftp); }
};

ErrorCode CodeOf(unsigned long status) {
  switch (status) {
    case LIBSSH2_FX_NO_SUCH_FILE:
    case LIBSSH2_FX_NO_SUCH_PATH:
      return ErrorCode::kNotFound;
    case LIBSSH2_FX_FILE_ALREADY_EXISTS:
      return ErrorCode::kConflict;
    case LIBSSH2_FX_NO_CONNECTION:
    case LIBSSH2_FX_CONNECTION_LOST:
      return ErrorCode::kUnavailable;
    case LIBSSH2_FX_OP_UNSUPPORTED:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kDenied;  // FAILURE: no room, a limit, a folder
  }
}

const char* WordsFor(unsigned long status) {
  switch (status) {
    case LIBSSH2_FX_NO_SUCH_FILE:
    case LIBSSH2_FX_NO_SUCH_PATH:
      return "no such file or folder";
    case LIBSSH2_FX_PERMISSION_DENIED:
      return "permission denied";
    case LIBSSH2_FX_FAILURE:
      return "the server says only that it failed (no room, a limit, or a name that is taken)";
    case LIBSSH2_FX_FILE_ALREADY_EXISTS:
      return "the name is taken";
    case LIBSSH2_FX_OP_UNSUPPORTED:
      return "the server can't do it";
    default:
      return "refused";
  }
}

class Sftp final : public object::Place {
 public:
  static Result<std::unique_ptr<object::Place>> Open(const SshSettings& settings) {
    auto session = SshSession::Open(settings);
    if (!session) return tl::unexpected(session.error());
    std::unique_ptr<Sftp> place(new Sftp(std::move(*session)));
    place->sftp_.reset(libssh2_sftp_init(place->session_->get()));
    if (place->sftp_ == nullptr) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("the server opens no SFTP: {}", place->session_->LastError()));
    }
    libssh2_session_set_timeout(place->session_->get(), kPatienceMs);
    return place;
  }

  Result<void> Put(const std::string& path, const object::ByteSource& bytes,
                   const object::PutOptions& options) override {
    const unsigned long flags =
        LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | (options.offset == 0 ? LIBSSH2_FXF_TRUNC : 0);
    auto file = OpenFile(path, flags);
    if (!file) return tl::unexpected(file.error());
    if (options.offset > 0) libssh2_sftp_seek64(file->get(), options.offset);
    if (auto written = Write(file->get(), path, bytes, options); !written) return written;
    if (libssh2_sftp_close_handle(file->release()) != 0) return Broken("close " + path);
    return {};
  }

  Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                   uint64_t limit) override {
    auto file = OpenFile(path, LIBSSH2_FXF_READ);
    if (!file) return tl::unexpected(file.error());
    std::string buffer(kReadAhead, '\0');
    while (limit > 0) {
      const ssize_t got =
          libssh2_sftp_read(file->get(), buffer.data(), std::min<uint64_t>(buffer.size(), limit));
      if (got < 0) return Broken("read " + path);
      if (got == 0) return {};
      limit -= static_cast<uint64_t>(got);
      if (auto taken = bytes({buffer.data(), static_cast<size_t>(got)}); !taken) return taken;
    }
    return {};
  }

  Result<std::optional<object::PlaceFile>> Stat(const std::string& path) override {
    if (auto fit = CheckPath(path); !fit) return tl::unexpected(fit.error());
    LIBSSH2_SFTP_ATTRIBUTES attributes{};
    const int code =
        libssh2_sftp_stat_ex(sftp_.get(), path.c_str(), Size(path), LIBSSH2_SFTP_STAT, &attributes);
    if (code == 0) return FileOf(path.substr(path.rfind('/') + 1), attributes);
    Error error = Broken("look at " + path).value();
    if (error.code == ErrorCode::kNotFound) return std::nullopt;
    return tl::unexpected(std::move(error));
  }

  Result<std::vector<object::PlaceFile>> List(const std::string& folder) override {
    if (auto fit = CheckPath(folder); !fit) return tl::unexpected(fit.error());
    Handle handle(libssh2_sftp_open_ex(sftp_.get(), folder.c_str(), Size(folder), 0, 0,
                                       LIBSSH2_SFTP_OPENDIR));
    if (handle == nullptr) return Broken("list " + folder);
    std::vector<object::PlaceFile> files;
    char name[1024];
    for (;;) {
      LIBSSH2_SFTP_ATTRIBUTES attributes{};
      const int got =
          libssh2_sftp_readdir_ex(handle.get(), name, sizeof name, nullptr, 0, &attributes);
      if (got < 0) return Broken("list " + folder);
      if (got == 0) break;
      const std::string_view text(name, static_cast<size_t>(got));
      if (text != "." && text != "..") files.push_back(FileOf(std::string(text), attributes));
    }
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return files;
  }

  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override {
    if (auto fit = CheckPath(from); !fit) return fit;
    auto there = Stat(to);
    if (!there) return tl::unexpected(there.error());
    if (*there && !replace) return Fail(ErrorCode::kConflict, to + " is there already");
    if (*there) {
      if (auto removed = Remove(to); !removed && removed.error().code != ErrorCode::kNotFound) {
        return removed;
      }
    }
    const int code = libssh2_sftp_rename_ex(sftp_.get(), from.c_str(), Size(from), to.c_str(),
                                            Size(to), LIBSSH2_SFTP_RENAME_NATIVE);
    if (code == 0) return {};
    Error error = Broken(fmt::format("rename {} to {}", from, to)).value();
    if (error.code != ErrorCode::kDenied) return tl::unexpected(std::move(error));
    // Version 3 has one status for all; somebody else may have taken the name in between.
    auto now = Stat(to);
    if (now && *now) error.code = ErrorCode::kConflict;
    return tl::unexpected(std::move(error));
  }

  Result<void> Remove(const std::string& path) override {
    if (auto fit = CheckPath(path); !fit) return fit;
    if (libssh2_sftp_unlink_ex(sftp_.get(), path.c_str(), Size(path)) == 0) return {};
    return Broken("remove " + path);
  }

  object::PlaceFeatures features() const override { return {"sftp", false, true}; }

 private:
  struct HandleDeleter {
    void operator()(LIBSSH2_SFTP_HANDLE* handle) const { libssh2_sftp_close_handle(handle); }
  };
  using Handle = std::unique_ptr<LIBSSH2_SFTP_HANDLE, HandleDeleter>;

  explicit Sftp(std::unique_ptr<SshSession> session) : session_(std::move(session)) {}

  static unsigned Size(const std::string& text) { return static_cast<unsigned>(text.size()); }

  static object::PlaceFile FileOf(std::string name, const LIBSSH2_SFTP_ATTRIBUTES& attributes) {
    object::PlaceFile file;
    file.name = std::move(name);
    if ((attributes.flags & LIBSSH2_SFTP_ATTR_SIZE) != 0) file.bytes = attributes.filesize;
    if ((attributes.flags & LIBSSH2_SFTP_ATTR_ACMODTIME) != 0) {
      file.modified = static_cast<base::Instant>(attributes.mtime);
    }
    file.folder = (attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) != 0 &&
                  LIBSSH2_SFTP_S_ISDIR(attributes.permissions);
    return file;
  }

  // What the last failed call means.
  tl::unexpected<Error> Broken(const std::string& doing) const {
    const int code = libssh2_session_last_errno(session_->get());
    if (code == LIBSSH2_ERROR_SFTP_PROTOCOL) {
      const unsigned long status = libssh2_sftp_last_error(sftp_.get());
      return Fail(CodeOf(status), fmt::format("{}: {}", doing, WordsFor(status)));
    }
    return Fail(code == LIBSSH2_ERROR_TIMEOUT ? ErrorCode::kTimeout : ErrorCode::kUnavailable,
                fmt::format("{}: {}", doing, session_->LastError()));
  }

  Result<Handle> OpenFile(const std::string& path, unsigned long flags) {
    if (auto fit = CheckPath(path); !fit) return tl::unexpected(fit.error());
    Handle handle(libssh2_sftp_open_ex(sftp_.get(), path.c_str(), Size(path), flags, kMode,
                                       LIBSSH2_SFTP_OPENFILE));
    if (handle == nullptr) return Broken("open " + path);
    return handle;
  }

  // libssh2 sends all that it is given and answers how much was confirmed; given the rest again
  // with more behind it, it goes on there. So the buffer's beginning is always unconfirmed bytes.
  Result<void> Write(LIBSSH2_SFTP_HANDLE* file, const std::string& path,
                     const object::ByteSource& bytes, const object::PutOptions& options) {
    std::string buffer(2 * kWindow, '\0');
    size_t begin = 0, end = 0;
    uint64_t confirmed = 0;
    for (bool last = false;;) {
      while (!last && end - begin < kWindow) {
        if (end == buffer.size()) {
          std::memmove(buffer.data(), buffer.data() + begin, end - begin);
          end -= begin;
          begin = 0;
        }
        auto got = bytes(buffer.data() + end, std::min(buffer.size() - end, kWindow));
        if (!got) return tl::unexpected(got.error());
        last = *got == 0;
        end += *got;
      }
      if (begin == end) return {};
      const ssize_t written = libssh2_sftp_write(file, buffer.data() + begin, end - begin);
      if (written < 0) return Broken("write " + path);
      begin += static_cast<size_t>(written);
      confirmed += static_cast<uint64_t>(written);
      if (options.progress) options.progress(confirmed);
    }
  }

  std::unique_ptr<SshSession> session_;
  std::unique_ptr<LIBSSH2_SFTP, SftpDeleter> sftp_;  // goes before its session
};

}  // namespace

Result<std::unique_ptr<object::Place>> OpenSftp(const Address& address,
                                                const std::string& known_host,
                                                const object::PlaceCredential& credential) {
  SshSettings settings;
  settings.address.user = credential.login;
  settings.address.host = address.host;
  settings.address.port = address.port;
  settings.known_host = known_host;
  settings.private_key = credential.private_key;
  if (credential.private_key.empty()) settings.password = credential.password;
  return Sftp::Open(settings);
}

}  // namespace postern::delivery
