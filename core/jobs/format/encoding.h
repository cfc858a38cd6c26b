// core/jobs/format/encoding.h: bytes of a file <-> UTF-8, strictly, by the C library's iconv.
//
// Nothing is guessed: the encoding is declared, what it can't hold is refused, or replaced where
// the declaration says so. One object, one thread. Sources: RFC 3629 (UTF-8), RFC 2781 (UTF-16).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/jobs/format/table.h"

namespace postern::jobs {

// Takes bytes in order; an error ends the writing.
using Sink = std::function<Result<void>(std::string_view)>;
// Fills `buffer` with up to `size` bytes, answers how many; 0 at the end.
using Source = std::function<Result<size_t>(char* buffer, size_t size)>;

// A regular file, opened without following a link at its last part. The file closes with the last
// copy of the source. With an `offset` it begins behind so many bytes.
Result<Source> OpenSource(const std::string& path, uint64_t offset = 0);
// `text` must outlive the source.
Source TextSource(std::string_view text);

std::string_view ToString(Encoding encoding);  // the name of IANA's list: "UTF-8", "ISO-8859-1"
// What stands before the first character: a byte-order mark, or nothing.
std::string_view Mark(Encoding encoding);

// Where UTF-8 breaks: the offset of the first byte that doesn't belong, or nothing. A character
// that is merely cut off at the end counts as broken.
std::optional<size_t> FirstNotUtf8(std::string_view text);

class Converter {
 public:
  // From UTF-8 to `encoding` or, with `reading`, the other way.
  Converter(Encoding encoding, bool reading);
  ~Converter();
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  // Appends what `in` becomes and answers how many bytes of it were taken. Less than all: at that
  // place stands what the encoding can't hold or, with `*cut`, a character that isn't whole yet.
  size_t Convert(std::string_view in, std::string* out, bool* cut);

 private:
  void* descriptor_;
};

}  // namespace postern::jobs
