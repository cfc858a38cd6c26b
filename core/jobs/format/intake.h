// core/jobs/format/intake.h: what the readers share: decoded text in pieces, lines, and the gate
// that every row goes through. One file, one thread.
#pragma once
#include <absl/container/flat_hash_map.h>
#include <re2/re2.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/jobs/format/reader.h"
#include "core/jobs/zone.h"

namespace postern::jobs::internal {

// What has been found out about the file so far.
class Verdict {
 public:
  Verdict(std::string name, Report* report) : name_(std::move(name)), report_(report) {}
  // The first refusal counts. line 0: no place.
  void Refuse(const char* code, uint64_t line, const std::string& what, std::string way_out = {});
  bool refused() const { return report_->refused; }
  bool over() const { return report_->refused || report_->older; }
  Report& report() { return *report_; }
  const std::string& name() const { return name_; }

 private:
  const std::string name_;
  Report* const report_;
};

// Text in pieces: valid UTF-8 that ends between characters, no mark, no NUL, bounded.
class Decoder {
 public:
  Decoder(Source source, Encoding encoding, uint64_t limit, Verdict* verdict);
  // False at the end, and when the file is refused. The piece lives until the next call.
  bool Next(std::string_view* piece);

 private:
  bool Fill();
  bool DecodeUtf8();
  bool DecodeOther();
  bool SkipMark();
  void RefuseAt(size_t offset, const std::string& what);

  const Source source_;
  const Encoding encoding_;
  const uint64_t limit_;
  Verdict* const verdict_;
  std::unique_ptr<Converter> converter_;  // none: UTF-8
  std::string raw_;                       // bytes read; `used_` of them are done with
  size_t used_ = 0;
  std::string text_;  // decoded, unless it stands in raw_
  std::string_view piece_;
  uint64_t read_ = 0, line_ = 1;
  bool begun_ = false, ended_ = false;
};

// Lines of at most `limit` bytes, without their ends (LF or CRLF).
class LineReader {
 public:
  LineReader(Decoder* decoder, size_t limit, Verdict* verdict)
      : decoder_(decoder), limit_(limit), verdict_(verdict) {}
  bool Next(std::string_view* line);
  uint64_t number() const { return number_; }
  bool terminated() const { return terminated_; }  // the last line had an end

 private:
  bool Take(std::string_view* line, size_t end);

  Decoder* const decoder_;
  const size_t limit_;
  Verdict* const verdict_;
  std::string_view piece_;
  std::string held_;  // the beginning of a line that spans pieces
  uint64_t number_ = 0;
  bool terminated_ = true;
};

// Checks rows and hands them on.
class Gate {
 public:
  Gate(const Shape& shape, const ReadOptions& options, Verdict* verdict, Taker* taker);

  // False: read no further (refused, or taken before).
  bool Begin(const Head& head);
  // Cells as the format gives them, in UTF-8; they are made canonical in place.
  void Accept(Operation operation, std::span<Cell> cells, uint64_t line);
  void Reject(uint64_t line, const char* code, const std::string& column, std::string reason);
  // After the last row.
  void Finish();

  std::optional<size_t> Find(std::string_view column) const;
  const Shape& shape() const { return shape_; }
  const ReadOptions& options() const { return options_; }
  Verdict& verdict() { return *verdict_; }

 private:
  struct Rule {
    std::unique_ptr<RE2> pattern;
    Zone zone;
    std::string canonical;  // a time of this row, rewritten
  };
  struct Fault {
    const char* code = nullptr;
    std::string reason;
  };

  bool CheckCell(size_t column, Operation operation, Cell* cell, Fault* fault);
  bool CheckText(size_t column, std::string_view text, Fault* fault);
  bool CheckPresence(const Column& column, Operation operation, const Cell& cell, Fault* fault);
  bool MakeTime(size_t column, Cell* cell, Fault* fault);
  void Remember(const Row& row, uint64_t line);
  void RejectTwins();
  bool Count(uint64_t line);

  const Shape& shape_;
  const ReadOptions& options_;
  Verdict* const verdict_;
  Taker* const taker_;
  std::vector<Rule> rules_;
  absl::flat_hash_map<std::string, size_t> by_name_;
  // SipHash of a key and its line, by the hash's first bits.
  static constexpr int kBucketBits = 10;
  std::array<std::vector<std::pair<uint64_t, uint32_t>>, size_t{1} << kBucketBits> keys_;
  std::array<unsigned char, 16> hash_key_;
  std::string key_;
  size_t first_key_;  // the first key column; often the only one
  bool many_keys_ = false;
};

// Puts a row together from pieces in any order: for JSON, XML and LDIF.
class RowBuilder {
 public:
  explicit RowBuilder(Gate* gate);
  void Begin(uint64_t line, Operation operation);
  void SetOperation(std::string_view text);
  void set_operation(Operation operation) { operation_ = operation; }
  // A value; of a list, one element. A column that isn't a list has one.
  void Add(size_t column, std::string_view text);
  // There is a (so far empty) value.
  void Open(size_t column);
  void SetEmpty(size_t column);
  void Unknown(std::string_view name);
  // The first counts.
  void Fault(const char* code, std::string_view column, std::string reason);
  void End();
  size_t bytes() const { return text_.size(); }
  bool Has(size_t column) const { return slots_[column].state != Cell::State::kAbsent; }

 private:
  struct Slot {
    Cell::State state = Cell::State::kAbsent;
    std::vector<std::pair<size_t, size_t>> pieces;  // offset and length in text_
  };
  std::string_view Piece(const std::pair<size_t, size_t>& at) const {
    return std::string_view(text_).substr(at.first, at.second);
  }

  Gate* const gate_;
  std::vector<Slot> slots_;
  std::vector<Cell> cells_;
  std::vector<std::vector<std::string_view>> items_;
  std::string text_;
  uint64_t line_ = 0;
  Operation operation_ = Operation::kNone;
  const char* fault_ = nullptr;
  std::string fault_column_, fault_reason_;
};

void ReadCsv(Decoder* decoder, Gate* gate);
void ReadJson(Decoder* decoder, Gate* gate);
void ReadJsonLines(Decoder* decoder, Gate* gate);
void ReadXml(Decoder* decoder, Gate* gate);
void ReadLdif(Decoder* decoder, Gate* gate);

// For messages: short, and fit for a terminal.
std::string Shown(std::string_view text);

}  // namespace postern::jobs::internal
