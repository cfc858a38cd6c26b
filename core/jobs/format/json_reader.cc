// JSON and JSON lines, by nlohmann's event parser: strict grammar, no tree, no recursion.
//
// simdjson is faster but wants a whole document in memory; a file of any size must not be.
#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/diag/codes.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;
using Json = nlohmann::json;

// Characters of a document, counting lines; ends early when what lies between two events is longer
// than a row may be, since the parser holds that.
class Feed {
 public:
  Feed(Decoder* decoder, size_t limit, Verdict* verdict)
      : decoder_(decoder), limit_(limit), verdict_(verdict) {
    Refill();
  }
  // One text, a line of JSON lines.
  Feed(std::string_view text, uint64_t line)
      : at_(text.data()), end_(text.data() + text.size()), line_(line) {}

  char Get() const { return *at_; }
  void Advance() {
    line_ += *at_ == '\n';
    if (++at_ == end_) Refill();
  }
  bool ended() const { return at_ == end_; }
  uint64_t line() const { return line_; }
  void MarkEvent() { since_event_ = 0; }

 private:
  void Refill() {
    if (decoder_ == nullptr) return;
    std::string_view piece;
    if (since_event_ > limit_) {
      verdict_->Refuse(code::kFileLimit, line_,
                       fmt::format("more than {} bytes in one value", limit_));
    }
    if (verdict_->refused() || !decoder_->Next(&piece)) {
      at_ = end_;
      return;
    }
    since_event_ += piece.size();
    at_ = piece.data();
    end_ = at_ + piece.size();
  }

  Decoder* const decoder_ = nullptr;
  const size_t limit_ = 0;
  Verdict* const verdict_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  uint64_t line_ = 1;
  size_t since_event_ = 0;
};

// What the parser reads from; all that compares equal is at the end.
struct FeedIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  Feed* feed = nullptr;
  char operator*() const { return feed->Get(); }
  FeedIterator& operator++() {
    feed->Advance();
    return *this;
  }
  bool AtEnd() const { return feed == nullptr || feed->ended(); }
  friend bool operator==(const FeedIterator& a, const FeedIterator& b) {
    return a.AtEnd() == b.AtEnd();
  }
  friend bool operator!=(const FeedIterator& a, const FeedIterator& b) { return !(a == b); }
};

// Events -> rows. A document is an array of rows, or an object with mode, sequence and `rows`; a
// line is a row, or (the first) such an object without rows.
class Events : public Json::json_sax_t {
 public:
  Events(Gate* gate, Feed* feed, bool lines)
      : gate_(gate), verdict_(&gate->verdict()), feed_(feed), lines_(lines), builder_(gate) {}

  void set_feed(Feed* feed) { feed_ = feed; }
  // Before and after each line; what follows a row on its line is an error.
  void StartLine() {
    levels_.clear();
    skip_ = 0;
    in_row_ = false;
  }
  void EndLine() {
    if (in_row_ && EnsureBegun()) builder_.End();
  }
  const std::string& error() const { return error_; }
  bool begun() const { return begun_; }
  bool EnsureBegun() {
    if (begun_) return true;
    begun_ = true;
    return gate_->Begin(Head{.mode = lines_ ? gate_->shape().mode : Mode::kFull});
  }

  bool null() override { return Scalar(Kind::kNull, ""); }
  bool boolean(bool value) override { return Scalar(Kind::kBoolean, value ? "true" : "false"); }
  bool number_integer(int64_t value) override {
    return Scalar(Kind::kNumber, std::to_string(value));
  }
  bool number_unsigned(uint64_t value) override {
    return Scalar(Kind::kNumber, std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    return Scalar(Kind::kNumber, text);
  }
  bool string(std::string& text) override { return Scalar(Kind::kText, text); }
  bool binary(Json::binary_t&) override { return false; }
  bool parse_error(size_t, const std::string&, const Json::exception& error) override {
    error_ = error.what();
    return false;
  }

  bool start_object(size_t) override {
    if (!Enter()) return false;
    if (skip_ > 0 || Nested()) return Skip();
    if (!lines_ && levels_.empty()) {
      levels_.push_back(Level::kHead);
      return true;
    }
    if (!lines_ && levels_.back() == Level::kHead) return WrongHead();
    if (!lines_ && !EnsureBegun()) return false;
    levels_.push_back(Level::kRow);
    in_row_ = true;
    members_ = 0;
    builder_.Begin(feed_->line(), Operation::kNone);
    return true;
  }

  bool key(std::string& name) override {
    feed_->MarkEvent();
    if (skip_ > 0) return true;
    if (levels_.back() == Level::kHead) {
      head_member_ = name;
      return true;
    }
    if (lines_ && !begun_ && members_ == 0 && name == "mode" && !gate_->Find(name)) {
      levels_.back() = Level::kHead;
      in_row_ = false;
      head_member_ = name;
      return true;
    }
    if (++members_ > gate_->options().limits.columns) {
      verdict_->Refuse(code::kFileLimit, feed_->line(),
                       fmt::format("more than {} members", gate_->options().limits.columns));
      return false;
    }
    is_operation_ = gate_->shape().mode == Mode::kDelta && name == gate_->shape().operation;
    column_ = is_operation_ ? std::nullopt : gate_->Find(name);
    if (!is_operation_ && !column_) builder_.Unknown(name);
    if (column_ && builder_.Has(*column_)) {
      builder_.Fault(code::kRowUnknown, name, "stands twice");
    }
    return true;
  }

  bool end_object() override {
    feed_->MarkEvent();
    if (skip_ > 0) return Unskip();
    const Level level = levels_.back();
    levels_.pop_back();
    if (level == Level::kRow) {
      if (!lines_) builder_.End();  // a line's row counts when the line is over
    } else if (!begun_) {
      begun_ = true;
      if (!gate_->Begin(head_)) return false;
    }
    return !verdict_->over();
  }

  bool start_array(size_t) override {
    if (!Enter()) return false;
    if (skip_ > 0) return Skip();
    if (levels_.empty() && !lines_) {
      levels_.push_back(Level::kRows);
      return EnsureBegun();
    }
    if (!levels_.empty() && levels_.back() == Level::kHead) {
      if (lines_ || head_member_ != "rows" || begun_) return WrongHead();
      begun_ = true;
      if (!gate_->Begin(head_)) return false;
      levels_.push_back(Level::kRows);
      return true;
    }
    const bool list = !levels_.empty() && levels_.back() == Level::kRow && column_ &&
                      gate_->shape().columns[*column_].type == Type::kList;
    if (!list) {
      if (!Nested()) NotARow();
      return Skip();
    }
    builder_.Open(*column_);
    levels_.push_back(Level::kList);
    return true;
  }

  bool end_array() override {
    feed_->MarkEvent();
    if (skip_ > 0) return Unskip();
    levels_.pop_back();
    return !verdict_->over();
  }

 private:
  enum class Level : uint8_t { kHead, kRows, kRow, kList };
  enum class Kind : uint8_t { kNull, kBoolean, kNumber, kText };

  bool Enter() {
    feed_->MarkEvent();
    if (levels_.size() + skip_ < gate_->options().limits.depth) return true;
    verdict_->Refuse(code::kFileLimit, feed_->line(),
                     fmt::format("more than {} levels", gate_->options().limits.depth));
    return false;
  }
  bool Skip() {
    ++skip_;
    return true;
  }
  bool Unskip() {
    --skip_;
    return true;
  }
  // Inside a row where only a value may stand; says so.
  bool Nested() {
    if (levels_.empty() || (levels_.back() != Level::kRow && levels_.back() != Level::kList)) {
      return false;
    }
    if (column_) {
      builder_.Fault(code::kRowValue, gate_->shape().columns[*column_].name,
                     "has an object or a list where a value is expected");
    }
    return true;
  }
  bool WrongHead() {
    verdict_->Refuse(code::kFileHeader, feed_->line(),
                     fmt::format("member {} isn't what a head has", Shown(head_member_)));
    return false;
  }
  void NotARow() {
    if (!lines_ && !EnsureBegun()) return;
    gate_->Reject(feed_->line(), code::kRowSyntax, "", "isn't an object");
  }

  bool Scalar(Kind kind, std::string_view text) {
    feed_->MarkEvent();
    if (skip_ > 0) return true;
    if (levels_.empty()) {
      if (lines_) return NotARow(), true;
      verdict_->Refuse(code::kFileSyntax, feed_->line(), "neither an array nor an object");
      return false;
    }
    switch (levels_.back()) {
      case Level::kHead:
        return HeadMember(kind, text);
      case Level::kRows:
        NotARow();
        return !verdict_->over();
      case Level::kRow:
        RowMember(kind, text);
        break;
      case Level::kList:
        if (kind == Kind::kText) {
          builder_.Add(*column_, text);
        } else {
          builder_.Fault(code::kRowValue, gate_->shape().columns[*column_].name,
                         "has an element that isn't text");
        }
    }
    if (builder_.bytes() <= gate_->options().limits.row_bytes) return true;
    verdict_->Refuse(code::kFileLimit, feed_->line(),
                     fmt::format("a row of more than {} bytes", gate_->options().limits.row_bytes));
    return false;
  }

  void RowMember(Kind kind, std::string_view text) {
    if (is_operation_) return builder_.SetOperation(kind == Kind::kText ? text : "");
    if (!column_) return;
    const Column& column = gate_->shape().columns[*column_];
    if (kind == Kind::kNull) return builder_.SetEmpty(*column_);
    const bool fits = column.type == Type::kBoolean ? kind == Kind::kBoolean
                      : column.type == Type::kText
                          ? kind == Kind::kText || kind == Kind::kNumber
                          : column.type == Type::kTime && kind == Kind::kText;
    if (fits) return builder_.Add(*column_, text);
    builder_.Fault(code::kRowValue, column.name, Shown(text) + " isn't of the column's type");
  }

  bool HeadMember(Kind kind, std::string_view text) {
    uint64_t* const number = head_member_ == "sequence"        ? &head_.sequence
                             : head_member_ == "base_sequence" ? &head_.base_sequence
                                                               : nullptr;
    if (number != nullptr && kind == Kind::kNumber) {
      const auto end = text.data() + text.size();
      return std::from_chars(text.data(), end, *number).ptr == end || WrongHead();
    }
    if (kind != Kind::kText) return WrongHead();
    if (head_member_ == "mode" && (text == "full" || text == "delta")) {
      head_.mode = text == "delta" ? Mode::kDelta : Mode::kFull;
      return true;
    }
    const auto at = base::ParseInstant(text);
    if (head_member_ != "generated" || !at) return WrongHead();
    head_.generated = *at;
    return true;
  }

  Gate* const gate_;
  Verdict* const verdict_;
  Feed* feed_;
  const bool lines_;
  RowBuilder builder_;
  std::vector<Level> levels_;
  size_t skip_ = 0, members_ = 0;
  Head head_;
  std::string head_member_, error_;
  std::optional<size_t> column_;
  bool is_operation_ = false, begun_ = false, in_row_ = false;
};

// nlohmann's texts begin with an id and a place in its own terms.
std::string Reason(const std::string& error) {
  const size_t at = error.find("] ");
  std::string text = at == std::string::npos ? error : error.substr(at + 2);
  const size_t colon = text.find(": ");
  if (text.rfind("parse error", 0) == 0 && colon != std::string::npos) text.erase(0, colon + 2);
  return Shown(text);
}

}  // namespace

void ReadJson(Decoder* decoder, Gate* gate) {
  Verdict& verdict = gate->verdict();
  Feed feed(decoder, gate->options().limits.row_bytes, &verdict);
  if (verdict.refused()) return;
  if (feed.ended()) return verdict.Refuse(code::kFileEmpty, 0, "the file is empty");
  Events events(gate, &feed, false);
  const bool whole = Json::sax_parse(FeedIterator{&feed}, FeedIterator{}, &events);
  if (verdict.over()) return;
  if (whole) {
    if (!events.begun()) verdict.Refuse(code::kFileHeader, 0, "there is no member rows");
    return;
  }
  verdict.Refuse(feed.ended() ? code::kFileTruncated : code::kFileSyntax, feed.line(),
                 feed.ended() ? "the file ends before the JSON does" : Reason(events.error()));
}

void ReadJsonLines(Decoder* decoder, Gate* gate) {
  Verdict& verdict = gate->verdict();
  LineReader lines(decoder, gate->options().limits.row_bytes, &verdict);
  Events events(gate, nullptr, true);
  std::string_view line;
  while (!verdict.over() && lines.Next(&line)) {
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    Feed feed(line, lines.number());
    events.set_feed(&feed);
    events.StartLine();
    if (Json::sax_parse(FeedIterator{&feed}, FeedIterator{}, &events)) {
      events.EndLine();
      continue;
    }
    if (verdict.over()) return;
    if (!lines.terminated()) {
      return verdict.Refuse(code::kFileTruncated, lines.number(), "the file ends inside a row");
    }
    if (!events.EnsureBegun()) return;
    gate->Reject(lines.number(), code::kRowSyntax, "", Reason(events.error()));
  }
  if (!verdict.over()) events.EnsureBegun();
}

}  // namespace postern::jobs::internal
