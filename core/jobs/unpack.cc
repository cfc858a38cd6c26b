#include "core/jobs/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

#include "core/jobs/files.h"

namespace postern::jobs {
namespace {

constexpr size_t kPiece = 64 << 10;
constexpr uint64_t kMostTimes = 200;
constexpr uint64_t kSmall = 1 << 20;  // what is smaller may be any multiple

tl::unexpected<Error> DiskError(const std::string& path) {
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{}: {}", path, std::generic_category().message(errno)));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Takes what comes out, up to its bounds.
class Sink {
 public:
  Sink(int fd, const std::string& path, uint64_t packed, uint64_t limit)
      : fd_(fd), path_(path), limit_(limit), most_(std::max(packed * kMostTimes, kSmall)) {}

  Result<void> Add(std::string_view bytes) {
    bytes_ += bytes.size();
    if (bytes_ > limit_) {
      return Fail(ErrorCode::kIncomplete, fmt::format("more than {} bytes are in it", limit_));
    }
    if (bytes_ > most_) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("more than {} times its own size is in it", kMostTimes));
    }
    return WriteAll(fd_, bytes, path_);
  }

 private:
  const int fd_;
  const std::string& path_;
  const uint64_t limit_, most_;
  uint64_t bytes_ = 0;
};

// Gives back what zlib holds.
struct Inflater {
  z_stream stream{};
  bool made = false;
  ~Inflater() {
    if (made) inflateEnd(&stream);
  }
};

// Everything that `piece` gives; true: the member ended with it.
Result<bool> Inflate(Inflater* inflater, std::string_view piece, Sink* sink) {
  std::array<char, kPiece> out{};
  z_stream& stream = inflater->stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = static_cast<uInt>(piece.size());
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = out.size();
    const int answer = inflate(&stream, Z_NO_FLUSH);
    if (answer != Z_OK && answer != Z_STREAM_END && answer != Z_BUF_ERROR) {
      return Fail(ErrorCode::kInvalid, "not a gzip file, or a damaged one");
    }
    auto added = sink->Add({out.data(), out.size() - stream.avail_out});
    if (!added) return tl::unexpected(added.error());
    if (answer == Z_STREAM_END) {
      if (stream.avail_in == 0) return true;
      return Fail(ErrorCode::kInvalid, "something follows the end of the gzip file");
    }
    if (stream.avail_out != 0) return false;  // it wants more
  }
}

Result<void> UnpackGzip(int from, const std::string& path, Sink* sink) {
  Inflater inflater;
  constexpr int kGzipOnly = 16;  // added to the window's bits: zlib.h, inflateInit2
  if (inflateInit2(&inflater.stream, kGzipOnly + MAX_WBITS) != Z_OK) {
    return Fail(ErrorCode::kInternal, "zlib can't begin");
  }
  inflater.made = true;
  bool ended = false;
  std::array<char, kPiece> in{};
  for (;;) {
    const ssize_t got = read(from, in.data(), in.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return DiskError(path);
    if (got == 0) break;
    if (ended) return Fail(ErrorCode::kInvalid, "something follows the end of the gzip file");
    auto more = Inflate(&inflater, {in.data(), static_cast<size_t>(got)}, sink);
    if (!more) return tl::unexpected(more.error());
    ended = *more;
  }
  if (!ended) return Fail(ErrorCode::kInvalid, "the gzip file was cut off");
  return {};
}

Result<void> CopyMember(archive* zip, Sink* sink) {
  std::array<char, kPiece> out{};
  for (;;) {
    const la_ssize_t got = archive_read_data(zip, out.data(), out.size());
    if (got == 0) return {};
    if (got < 0) return Fail(ErrorCode::kInvalid, "the zip file is damaged or cut off");
    auto added = sink->Add({out.data(), static_cast<size_t>(got)});
    if (!added) return added;
  }
}

// A name with a folder is of a tree that somebody packed, or meant for somebody who unpacks it
// where it says.
std::string WhyNotTaken(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr || std::string_view(name).find_first_of("/\\") != std::string_view::npos) {
    return "what is in the zip file names a path";
  }
  if (archive_entry_is_encrypted(entry) != 0) return "what is in the zip file is encrypted";
  return archive_entry_filetype(entry) == AE_IFREG ? ""
                                                   : "what is in the zip file is no plain file";
}

Result<void> UnpackZip(int from, Sink* sink) {
  const std::unique_ptr<archive, int (*)(archive*)> zip(archive_read_new(), archive_read_free);
  archive_read_support_format_zip_seekable(zip.get());  // by its list at the end, as everybody's
  if (archive_read_open_fd(zip.get(), from, kPiece) != ARCHIVE_OK) {
    return Fail(ErrorCode::kInvalid, "no zip file with a file in it, or one that was cut off");
  }
  archive_entry* entry = nullptr;
  const int first = archive_read_next_header(zip.get(), &entry);
  if (first != ARCHIVE_OK && first != ARCHIVE_WARN) {
    return Fail(ErrorCode::kInvalid, "no zip file with a file in it, or one that was cut off");
  }
  if (auto why = WhyNotTaken(entry); !why.empty()) return Fail(ErrorCode::kInvalid, std::move(why));
  if (auto done = CopyMember(zip.get(), sink); !done) return done;
  if (archive_read_next_header(zip.get(), &entry) == ARCHIVE_EOF) return {};
  return Fail(ErrorCode::kInvalid, "more than one file is in the zip file");
}

}  // namespace

Pack PackOf(const std::string& name) {
  std::string_view rest = name;
  for (const std::string_view seal : {".gpg", ".pgp", ".age"}) {
    if (!rest.ends_with(seal)) continue;
    rest.remove_suffix(seal.size());
    break;
  }
  if (rest.ends_with(".gz")) return Pack::kGzip;
  return rest.ends_with(".zip") ? Pack::kZip : Pack::kNone;
}

Result<void> Unpack(Pack pack, const std::string& from, uint64_t limit, const std::string& to) {
  const Descriptor in(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (in.get() < 0 || fstat(in.get(), &status) != 0) return DiskError(from);
  const Descriptor out(
      open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (out.get() < 0) return DiskError(to);
  Sink sink(out.get(), to, static_cast<uint64_t>(status.st_size), limit);
  auto done = pack == Pack::kGzip ? UnpackGzip(in.get(), from, &sink) : UnpackZip(in.get(), &sink);
  if (!done) unlink(to.c_str());
  return done;
}

}  // namespace postern::jobs
