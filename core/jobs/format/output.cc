#include "core/jobs/format/output.h"

#include "core/diag/text.h"

namespace postern::jobs {
namespace {
constexpr size_t kPiece = size_t{64} << 10;
}  // namespace

Output::Output(Sink sink, Encoding encoding, std::string replacement)
    : sink_(std::move(sink)), replacement_(std::move(replacement)) {
  if (encoding != Encoding::kUtf8 && encoding != Encoding::kUtf8Bom) {
    converter_ = std::make_unique<Converter>(encoding, false);
  }
  pending_ = Mark(encoding);
}

Result<void> Output::Write(std::string_view utf8) {
  if (converter_ == nullptr) return WriteRaw(utf8);
  Encode(utf8);
  return WriteRaw("");
}

void Output::Encode(std::string_view utf8) {
  bool cut = false;
  for (;;) {
    utf8.remove_prefix(converter_->Convert(utf8, &pending_, &cut));
    if (utf8.empty()) return;
    diag::TakeCodePoint(&utf8);
    converter_->Convert(replacement_, &pending_, &cut);
  }
}

Result<void> Output::WriteRaw(std::string_view bytes) {
  pending_ += bytes;
  if (pending_.size() < kPiece) return {};
  return Flush();
}

Result<void> Output::Flush() {
  if (pending_.empty()) return {};
  hasher_.Add(pending_);
  bytes_ += pending_.size();
  auto written = sink_(pending_);
  pending_.clear();
  return written;
}

bool Output::Holds(std::string_view utf8) {
  if (converter_ == nullptr) return true;
  bool cut = false;
  scratch_.clear();
  return converter_->Convert(utf8, &scratch_, &cut) == utf8.size();
}

}  // namespace postern::jobs
