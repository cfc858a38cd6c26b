// Bytes to text: encodings, marks, the bound of the file.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/diag/codes.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;
constexpr size_t kPiece = size_t{64} << 10;

// `rest` begins where UTF-8 breaks: is it the beginning of a character that goes on in the next
// piece?
bool IsCutOff(std::string_view rest) {
  const auto first = static_cast<unsigned char>(rest.front());
  const size_t whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
  return first <= 0xF4 && rest.size() < whole &&
         std::all_of(rest.begin() + 1, rest.end(),
                     [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
}

uint64_t CountLines(std::string_view text) {
  uint64_t lines = 0;
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    ++lines;
  }
  return lines;
}

}  // namespace

void Verdict::Refuse(const char* code, uint64_t line, const std::string& what,
                     std::string way_out) {
  if (report_->refused) return;
  report_->refused = true;
  diag::Diagnostic said{.code = code, .summary = what, .subject = name_};
  if (line != 0) said.subject += ":" + std::to_string(line);
  if (!way_out.empty()) said.notes.push_back(std::move(way_out));
  report_->diagnostics.Add(std::move(said));
}

Decoder::Decoder(Source source, Encoding encoding, uint64_t limit, Verdict* verdict)
    : source_(std::move(source)), encoding_(encoding), limit_(limit), verdict_(verdict) {
  if (encoding != Encoding::kUtf8 && encoding != Encoding::kUtf8Bom) {
    converter_ = std::make_unique<Converter>(encoding, true);
  }
}

bool Decoder::Next(std::string_view* piece) {
  line_ += CountLines(piece_);
  piece_ = {};
  while (piece_.empty()) {
    if (verdict_->refused() || (ended_ && used_ == raw_.size())) return false;
    if (!Fill() || !SkipMark()) return false;
    if (!(converter_ == nullptr ? DecodeUtf8() : DecodeOther())) return false;
  }
  const size_t nul = piece_.find('\0');
  if (nul != std::string_view::npos) {
    RefuseAt(nul, "a NUL stands in the text");
    return false;
  }
  *piece = piece_;
  return true;
}

bool Decoder::Fill() {
  raw_.erase(0, used_);
  used_ = 0;
  const size_t kept = raw_.size();
  raw_.resize(kept + kPiece);
  // The first piece is filled up, so that a mark isn't met in halves.
  size_t got = 0;
  while (!ended_ && got < kPiece) {
    const auto count = source_(raw_.data() + kept + got, kPiece - got);
    if (!count) {
      verdict_->Refuse(code::kFileUnread, 0, count.error().message);
      return false;
    }
    ended_ = *count == 0;
    got += *count;
    read_ += *count;
  }
  raw_.resize(kept + got);
  verdict_->report().bytes = read_;
  if (read_ <= limit_) return true;
  verdict_->Refuse(code::kFileLimit, 0, fmt::format("more than {} bytes", limit_));
  return false;
}

bool Decoder::SkipMark() {
  if (begun_) return true;
  begun_ = true;
  const auto starts = [&](std::string_view mark) {
    return !mark.empty() && raw_.compare(0, mark.size(), mark) == 0;
  };
  const Encoding own = encoding_ == Encoding::kUtf8 ? Encoding::kUtf8Bom : encoding_;
  if (starts(Mark(own))) {
    used_ = Mark(own).size();
    return true;
  }
  for (const Encoding other : {Encoding::kUtf8Bom, Encoding::kUtf16Le, Encoding::kUtf16Be}) {
    if (!starts(Mark(other))) continue;
    verdict_->Refuse(code::kFileEncoding, 1,
                     fmt::format("the mark at the beginning says {}, declared is {}",
                                 ToString(other), ToString(encoding_)));
    return false;
  }
  return true;
}

bool Decoder::DecodeUtf8() {
  const std::string_view text = std::string_view(raw_).substr(used_);
  const auto broken = FirstNotUtf8(text);
  piece_ = text.substr(0, broken.value_or(text.size()));
  if (broken) {
    const std::string_view rest = text.substr(*broken);
    const bool cut = IsCutOff(rest);
    if (cut && ended_) {
      verdict_->Refuse(code::kFileTruncated, 0, "the file ends inside a character");
      return false;
    }
    if (!cut) {
      RefuseAt(*broken, fmt::format("byte 0x{:02X} (offset {}) isn't UTF-8",
                                    static_cast<unsigned char>(rest.front()),
                                    read_ - raw_.size() + used_ + *broken));
      return false;
    }
  }
  used_ += piece_.size();
  return true;
}

bool Decoder::DecodeOther() {
  const std::string_view in = std::string_view(raw_).substr(used_);
  bool cut = false;
  text_.clear();
  const size_t taken = converter_->Convert(in, &text_, &cut);
  piece_ = text_;
  if (taken < in.size() && cut && ended_) {
    verdict_->Refuse(code::kFileTruncated, 0, "the file ends inside a character");
    return false;
  }
  if (taken < in.size() && !cut) {
    RefuseAt(text_.size(), fmt::format("byte 0x{:02X} (offset {}) isn't {}",
                                       static_cast<unsigned char>(in[taken]),
                                       read_ - raw_.size() + used_ + taken, ToString(encoding_)));
    return false;
  }
  used_ += taken;
  return true;
}

// `offset` in the piece.
void Decoder::RefuseAt(size_t offset, const std::string& what) {
  verdict_->Refuse(code::kFileEncoding, line_ + CountLines(piece_.substr(0, offset)), what,
                   "ask the sender, or set `encoding` to what the file is in");
}

bool LineReader::Next(std::string_view* line) {
  held_.clear();
  for (;;) {
    if (piece_.empty() && !decoder_->Next(&piece_)) {
      if (verdict_->refused() || held_.empty()) return false;
      terminated_ = false;
      ++number_;
      *line = held_;
      return true;
    }
    const size_t end = piece_.find('\n');
    const size_t size = end == std::string_view::npos ? piece_.size() : end;
    if (held_.size() + size > limit_) {
      verdict_->Refuse(code::kFileLimit, number_ + 1,
                       fmt::format("a line of more than {} bytes", limit_));
      return false;
    }
    if (end != std::string_view::npos) return Take(line, end);
    held_ += piece_;
    piece_ = {};
  }
}

bool LineReader::Take(std::string_view* line, size_t end) {
  ++number_;
  if (held_.empty()) {
    *line = piece_.substr(0, end);
  } else {
    held_.append(piece_.substr(0, end));
    *line = held_;
  }
  if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
  piece_.remove_prefix(end + 1);
  return true;
}

}  // namespace postern::jobs::internal
