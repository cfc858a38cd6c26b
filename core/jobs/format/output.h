// core/jobs/format/output.h: the end of every writer: encodes, counts, hashes, hands on in pieces.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/base/hash.h"
#include "core/jobs/format/encoding.h"

namespace postern::jobs {

// One thread. Holds at most one piece (64 KiB) and one text.
class Output {
 public:
  // `replacement`: what stands for a character that the encoding doesn't have.
  Output(Sink sink, Encoding encoding, std::string replacement);

  Result<void> Write(std::string_view utf8);
  // Bytes as they are, encoded already.
  Result<void> WriteRaw(std::string_view bytes);
  Result<void> Flush();
  uint64_t bytes() const { return bytes_; }
  base::Digest Finish() { return hasher_.Finish(); }  // once, after Flush

  // Whether the encoding has every character of a text. Cost: one conversion.
  bool Holds(std::string_view utf8);

 private:
  void Encode(std::string_view utf8);

  Sink sink_;
  std::unique_ptr<Converter> converter_;  // none: UTF-8
  std::string replacement_, pending_, scratch_;
  base::Hasher hasher_;
  uint64_t bytes_ = 0;
};

}  // namespace postern::jobs
