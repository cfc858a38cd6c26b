// CSV (RFC 4180), with the delimiter and quote that are declared.
//
// Split here and not by libcsv, the one streaming C library of the distribution: alone it takes a
// third of what Python's reader takes, and with fields copied out of its buffer and rows checked,
// as much as that (bench import-parse asks for half of it); it ends a row at a carriage return
// alone, tells neither lines nor places, and had its last release in 2013. The tests hold this
// splitter against Python's csv module over thousands of random files.
//
// Strict: a quote inside an unquoted field, text after a closing quote, a carriage return alone
// refuse the file, since from there on nobody can tell where a row begins.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;

class CsvReader {
 public:
  CsvReader(Decoder* decoder, Gate* gate) : decoder_(decoder), gate_(gate), shape_(gate->shape()) {
    for (const char c : {shape_.delimiter, shape_.quote, '\r', '\n'}) {
      special_[static_cast<unsigned char>(c)] = true;
    }
    lists_.resize(shape_.columns.size());
    cells_.resize(shape_.columns.size());
  }

  void Run() {
    Verdict& verdict = gate_->verdict();
    bool header = shape_.header;
    if (!header) DefaultOrder();
    if (!gate_->Begin(Head{.mode = shape_.mode})) return;
    while (!verdict.refused() && NextRow()) {
      if (verdict.refused()) return;
      if (fields_.size() == 1 && fields_[0].size == 0 && fields_[0].quotes == Quotes::kNone &&
          order_.size() != 1) {
        continue;  // an empty line carries nothing
      }
      if (header) {
        header = false;
        TakeHeader();
      } else {
        TakeRow();
      }
    }
    if (!verdict.refused() && header) {
      verdict.Refuse(code::kFileEmpty, 0, "the file is empty: not even a header");
    }
  }

 private:
  enum class Quotes : size_t { kNone, kOutside, kDoubled };
  struct Field {
    size_t at, size;  // in buffer_, without the quotes
    Quotes quotes;    // kDoubled: outside, and doubled ones inside
  };
  static constexpr size_t kOperation = SIZE_MAX;  // in order_: the column of the operation
  static constexpr size_t kIgnored = SIZE_MAX - 1;

  // Finds the next row in the buffer, reading on as needed. False at the end or when refused.
  bool NextRow() {
    for (;;) {
      size_t at = begin_;
      if (Split(&at)) {
        line_ = next_line_;
        next_line_ += 1 + breaks_;
        begin_ = at;
        return true;
      }
      if (gate_->verdict().refused() || !More()) return false;
    }
  }

  // Built where it stays: a copy from the stack stalled the processor at each field.
  void AddField(size_t at, size_t size, Quotes quotes) {
    Field& field = fields_.emplace_back();
    field.at = at;
    field.size = size;
    field.quotes = quotes;
  }

  // Drops what is done with and appends a piece. At the end, once, false when nothing is left.
  bool More() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    if (buffer_.size() > gate_->options().limits.row_bytes) {
      return Refuse(code::kFileLimit,
                    fmt::format("a row of more than {} bytes", gate_->options().limits.row_bytes));
    }
    std::string_view piece;
    if (decoder_->Next(&piece)) {
      buffer_ += piece;
      return true;
    }
    if (gate_->verdict().refused() || ended_) return false;
    ended_ = true;
    return !buffer_.empty();
  }

  bool Refuse(const char* code, const std::string& what) {
    gate_->verdict().Refuse(code, next_line_, what);
    return false;
  }

  // Splits one row from *at on; false: it isn't all there, or the file is refused.
  bool Split(size_t* at) {
    fields_.clear();
    breaks_ = 0;
    size_t i = *at;
    if (i >= buffer_.size()) return false;
    size_t next = *at;
    if (SplitPlain(&next)) {
      *at = next;
      return true;
    }
    fields_.clear();
    for (;;) {
      const bool quoted = i < buffer_.size() && buffer_[i] == shape_.quote;
      if (!(quoted ? Quoted(&i) : Unquoted(&i))) return false;
      if (fields_.size() > gate_->options().limits.columns) {
        return Refuse(code::kFileLimit,
                      fmt::format("more than {} fields", gate_->options().limits.columns));
      }
      if (i == buffer_.size()) break;  // at the end of the file
      if (buffer_[i] == shape_.delimiter) {
        ++i;
        continue;
      }
      if (!LineEnd(&i)) return false;
      *at = i;
      return true;
    }
    unterminated_ = true;
    *at = i;
    return true;
  }

  // A row without quotes, as nearly every one is. False: not such a row, nothing is said about it.
  bool SplitPlain(size_t* at) {
    const size_t end = buffer_.find('\n', *at);
    if (end == std::string::npos) return false;
    const size_t last = end > *at && buffer_[end - 1] == '\r' ? end - 1 : end;
    const std::string_view row = std::string_view(buffer_).substr(*at, last - *at);
    if (row.find(shape_.quote) != std::string_view::npos) return false;
    if (row.find('\r') != std::string_view::npos) return false;
    SplitAtDelimiters(*at, last);
    *at = end + 1;
    return fields_.size() <= gate_->options().limits.columns;
  }

  // Eight bytes at a time: a byte that is the delimiter becomes 0x80 in `hits`, any other 0.
  void SplitAtDelimiters(size_t begin, size_t last) {
    static_assert(std::endian::native == std::endian::little, "the lowest byte comes first");
    constexpr uint64_t kOnes = 0x0101010101010101, kLow = 0x7F7F7F7F7F7F7F7F;
    const uint64_t pattern = kOnes * static_cast<unsigned char>(shape_.delimiter);
    size_t i = begin, from = begin;
    for (; i + 8 <= last; i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, buffer_.data() + i, 8);
      word ^= pattern;
      uint64_t hits = ~(((word & kLow) + kLow) | word | kLow);
      for (; hits != 0; hits &= hits - 1) {
        const size_t to = i + static_cast<size_t>(std::countr_zero(hits)) / 8;
        AddField(from, to - from, Quotes::kNone);
        from = to + 1;
      }
    }
    for (; i < last; ++i) {
      if (buffer_[i] != shape_.delimiter) continue;
      AddField(from, i - from, Quotes::kNone);
      from = i + 1;
    }
    AddField(from, last - from, Quotes::kNone);
  }

  bool Unquoted(size_t* at) {
    const size_t begin = *at;
    const char* const data = buffer_.data();
    const size_t size = buffer_.size();
    size_t i = begin;
    while (i < size && !special_[static_cast<unsigned char>(data[i])]) ++i;
    if (i == size && !ended_) return false;
    if (i < size && data[i] == shape_.quote) {
      return Refuse(code::kFileSyntax, "a quote inside a field that isn't quoted");
    }
    AddField(begin, i - begin, Quotes::kNone);
    *at = i;
    return true;
  }

  bool Quoted(size_t* at) {
    const size_t begin = *at + 1;
    size_t i = begin;
    bool doubled = false;
    for (;;) {
      i = buffer_.find(shape_.quote, i);
      if (i == std::string::npos) {
        if (!ended_) return false;
        return Refuse(code::kFileTruncated, "the file ends inside a quoted field");
      }
      if (i + 1 == buffer_.size() && !ended_) return false;
      if (i + 1 == buffer_.size() || buffer_[i + 1] != shape_.quote) break;
      doubled = true;
      i += 2;
    }
    const char* const data = buffer_.data();
    breaks_ += static_cast<uint64_t>(std::count(data + begin, data + i, '\n'));
    AddField(begin, i - begin, doubled ? Quotes::kDoubled : Quotes::kOutside);
    *at = i + 1;
    if (*at == buffer_.size()) return true;
    const char next = buffer_[*at];
    if (next == shape_.delimiter || next == '\r' || next == '\n') return true;
    return Refuse(code::kFileSyntax, "text after a closing quote");
  }

  bool LineEnd(size_t* at) {
    if (buffer_[*at] == '\r') {
      if (*at + 1 == buffer_.size() && !ended_) return false;
      if (*at + 1 == buffer_.size() || buffer_[*at + 1] != '\n') {
        return Refuse(code::kFileSyntax, "a carriage return alone");
      }
      ++*at;
    }
    ++*at;
    return true;
  }

  // A quote stands doubled in a quoted field; made one in place, once the row is whole.
  std::string_view Text(const Field& field) {
    char* const begin = buffer_.data() + field.at;
    if (field.quotes != Quotes::kDoubled) return {begin, field.size};
    char* to = begin;
    for (size_t i = 0; i < field.size; ++i) {
      *to++ = begin[i];
      if (begin[i] == shape_.quote) ++i;
    }
    return {begin, static_cast<size_t>(to - begin)};
  }

  void DefaultOrder() {
    if (shape_.mode == Mode::kDelta) order_.push_back(kOperation);
    for (size_t i = 0; i < shape_.columns.size(); ++i) order_.push_back(i);
  }

  void TakeHeader() {
    std::vector<bool> found(shape_.columns.size());
    bool operation = false;
    for (const Field& field : fields_) {
      const std::string_view name = Text(field);
      if (shape_.mode == Mode::kDelta && name == shape_.operation) {
        if (operation) return Twice(name);
        operation = true;
        order_.push_back(kOperation);
        continue;
      }
      const auto column = gate_->Find(name);
      if (!column && !gate_->options().ignore_unknown) return UnknownColumn(name);
      if (column && found[*column]) return Twice(name);
      if (column) found[*column] = true;
      order_.push_back(column.value_or(kIgnored));
    }
    if (shape_.mode == Mode::kDelta && !operation) return Missing(shape_.operation);
    for (size_t i = 0; i < found.size(); ++i) {
      if (!found[i]) return Missing(shape_.columns[i].name);
    }
  }

  void Twice(std::string_view name) {
    gate_->verdict().Refuse(code::kFileHeader, line_,
                            fmt::format("column {} stands twice", Shown(name)));
  }
  void Missing(std::string_view name) {
    gate_->verdict().Refuse(code::kFileHeader, line_, fmt::format("column {} is missing", name));
  }
  void UnknownColumn(std::string_view name) {
    std::vector<std::string_view> names;
    for (const Column& column : shape_.columns) names.push_back(column.name);
    const auto near = diag::Nearest(name, names);
    gate_->verdict().Refuse(code::kFileHeader, line_,
                            fmt::format("column {} isn't declared", Shown(name)),
                            near ? fmt::format("did you mean {}?", *near) : "");
  }

  void TakeRow() {
    if (fields_.size() != order_.size()) return WrongCount();
    Operation operation = Operation::kNone;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const size_t column = order_[i];
      if (column == kIgnored) continue;
      const std::string_view text = Text(fields_[i]);
      if (column == kOperation) {
        if (!ParseOperation(text, &operation)) {
          return gate_->Reject(line_, code::kRowValue, shape_.operation,
                               fmt::format("{} isn't add, modify or delete", Shown(text)));
        }
      } else {
        SetCell(column, text);
      }
    }
    gate_->Accept(operation, cells_, line_);
  }

  void WrongCount() {
    if (unterminated_ && fields_.size() < order_.size()) {
      gate_->verdict().Refuse(code::kFileTruncated, line_,
                              fmt::format("the file ends inside a row: {} fields of {}",
                                          fields_.size(), order_.size()));
      return;
    }
    gate_->Reject(
        line_, code::kRowFields, "",
        fmt::format("{} fields where there are {} columns", fields_.size(), order_.size()));
  }

  void SetCell(size_t column, std::string_view text) {
    Cell& cell = cells_[column];
    cell.text = text;
    cell.items = {};
    cell.state = text.empty() ? Cell::State::kEmpty : Cell::State::kOne;
    if (text.empty() || shape_.columns[column].type != Type::kList) return;
    const std::string& separator = shape_.columns[column].separator;
    auto& items = lists_[column];
    items.clear();
    for (size_t end = 0; end != std::string_view::npos;) {
      end = text.find(separator);
      items.push_back(text.substr(0, end));
      if (end != std::string_view::npos) text.remove_prefix(end + separator.size());
    }
    cell = Cell::List(items);
  }

  Decoder* const decoder_;
  Gate* const gate_;
  const Shape& shape_;
  std::array<bool, 256> special_ = {};
  std::string buffer_;  // from the row that is being split on
  size_t begin_ = 0;    // of what isn't taken yet
  uint64_t line_ = 1, next_line_ = 1, breaks_ = 0;
  bool ended_ = false, unterminated_ = false;
  std::vector<Field> fields_;
  std::vector<size_t> order_;  // field -> column
  std::vector<Cell> cells_;
  std::vector<std::vector<std::string_view>> lists_;
};

}  // namespace

void ReadCsv(Decoder* decoder, Gate* gate) {
  CsvReader(decoder, gate).Run();
}

}  // namespace postern::jobs::internal
