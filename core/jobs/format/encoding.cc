#include "core/jobs/format/encoding.h"

#include <fcntl.h>
#include <iconv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/base/check.h"

namespace postern::jobs {
namespace {

// iconv's own names: "UTF-16" without an order would write and expect a mark of its own.
const char* IconvName(Encoding encoding) {
  switch (encoding) {
    case Encoding::kLatin1:
      return "ISO-8859-1";
    case Encoding::kWindows1252:
      return "CP1252";
    case Encoding::kUtf16Le:
      return "UTF-16LE";
    case Encoding::kUtf16Be:
      return "UTF-16BE";
    case Encoding::kUtf8:
    case Encoding::kUtf8Bom:
      break;
  }
  return "UTF-8";
}

Error SystemError(const std::string& doing) {
  const int code = errno;
  return {code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kDenied,
          doing + ": " + std::generic_category().message(code)};
}

}  // namespace

Result<Source> OpenSource(const std::string& path, uint64_t offset) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return tl::unexpected<Error>(SystemError("open " + path));
  const std::shared_ptr<const int> owner(new int(fd), [](const int* p) {
    close(*p);
    delete p;
  });
  struct stat facts = {};
  if (fstat(fd, &facts) != 0) return tl::unexpected<Error>(SystemError("stat " + path));
  if (!S_ISREG(facts.st_mode)) return Fail(ErrorCode::kInvalid, path + " isn't a regular file");
  if (lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) {
    return tl::unexpected<Error>(SystemError("seek in " + path));
  }
  return Source([owner, path](char* buffer, size_t size) -> Result<size_t> {
    for (;;) {
      const ssize_t got = read(*owner, buffer, size);
      if (got >= 0) return static_cast<size_t>(got);
      if (errno != EINTR) return tl::unexpected<Error>(SystemError("read " + path));
    }
  });
}

Source TextSource(std::string_view text) {
  return [text](char* buffer, size_t size) mutable -> Result<size_t> {
    const size_t count = std::min(size, text.size());
    text.copy(buffer, count);
    text.remove_prefix(count);
    return count;
  };
}

std::string_view ToString(Encoding encoding) {
  switch (encoding) {
    case Encoding::kLatin1:
      return "ISO-8859-1";
    case Encoding::kWindows1252:
      return "windows-1252";
    case Encoding::kUtf16Le:
      return "UTF-16LE";
    case Encoding::kUtf16Be:
      return "UTF-16BE";
    case Encoding::kUtf8:
    case Encoding::kUtf8Bom:
      break;
  }
  return "UTF-8";
}

std::string_view Mark(Encoding encoding) {
  switch (encoding) {
    case Encoding::kUtf8Bom:
      return "\xEF\xBB\xBF";
    case Encoding::kUtf16Le:
      return "\xFF\xFE";
    case Encoding::kUtf16Be:
      return "\xFE\xFF";
    default:
      return "";
  }
}

std::optional<size_t> FirstNotUtf8(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  while (at < end) {
    // Eight bytes of ASCII at a time: nearly all of most files.
    uint64_t word = 0;
    while (end - at >= 8) {
      std::memcpy(&word, at, 8);
      if ((word & 0x8080808080808080) != 0) break;
      at += 8;
    }
    while (at < end && static_cast<signed char>(*at) >= 0) ++at;
    if (at == end) break;
    utf8proc_int32_t code_point = -1;
    const auto length =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(at), end - at, &code_point);
    if (length <= 0) return static_cast<size_t>(at - begin);
    at += length;
  }
  return {};
}

Converter::Converter(Encoding encoding, bool reading)
    : descriptor_(reading ? iconv_open("UTF-8", IconvName(encoding))
                          : iconv_open(IconvName(encoding), "UTF-8")) {
  // The C library of every system that we build on has these; a system without them is broken.
  // NOLINTNEXTLINE(performance-no-int-to-ptr): iconv's own way to say that it failed
  POSTERN_CHECK(descriptor_ != reinterpret_cast<void*>(-1), "the C library's iconv has this");
}

Converter::~Converter() {
  iconv_close(descriptor_);
}

size_t Converter::Convert(std::string_view in, std::string* out, bool* cut) {
  *cut = false;
  // iconv takes a non-const pointer by its history; it never writes there.
  char* from = const_cast<char*>(in.data());
  size_t left = in.size();
  std::array<char, 16384> buffer;
  while (left > 0) {
    char* to = buffer.data();
    size_t room = buffer.size();
    const size_t result = iconv(descriptor_, &from, &left, &to, &room);
    const int code = errno;
    out->append(buffer.data(), buffer.size() - room);
    if (result != static_cast<size_t>(-1) || code == E2BIG) continue;
    *cut = code == EINVAL;
    break;
  }
  return in.size() - left;
}

}  // namespace postern::jobs
