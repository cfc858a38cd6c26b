// core/jobs/format/writer.h: rows -> the bytes of a file.
//
// The same rows and options give the same bytes: rows come in ascending order of their keys
// (bytes), columns stand in the order of the shape, no time is written that isn't given. Memory is
// one row and one piece of 64 KiB. Whoever writes also decides that a file is worth publishing:
// nothing may be published before Finish() has answered without an error. A row that can't be
// written is a diagnostic, the others are looked at as well, and Finish() refuses. One writer, one
// thread. Sources: RFC 4180, RFC 8259, RFC 2849, XML 1.0 (5th ed.) section 2.2; formula guard:
// OWASP "CSV injection", ASVS 1.2.10.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/hash.h"
#include "core/base/result.h"
#include "core/diag/diagnostic.h"
#include "core/jobs/format/encoding.h"
#include "core/jobs/format/output.h"
#include "core/jobs/format/table.h"
#include "core/jobs/zone.h"

namespace postern::jobs {

// What happens to a cell that a spreadsheet would take for a formula. Quoting changes the value:
// for people's files only.
enum class FormulaGuard : uint8_t { kOff, kQuote, kReject };

struct WriterOptions {
  Head head;                        // its mode is the shape's
  bool replace_unmappable = false;  // else a character that the encoding hasn't is refused
  std::string replacement = "?";
  FormulaGuard formula_guard = FormulaGuard::kReject;  // CSV
  bool quote_all = false;                              // CSV
  bool crlf = true;                                    // CSV; RFC 4180's own end of line
  unsigned fold = 76;                                  // LDIF: columns of a line
  bool version = true;  // LDIF: the version line, which RFC 2849 wants and slapadd doesn't take
};

struct Totals {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  base::Digest sha256 = {};
};

class Writer {
 public:
  // Fails (kInvalid) when shape and options can't go together. `diagnostics` outlives the writer;
  // `name` is what they call the file.
  static Result<std::unique_ptr<Writer>> Make(const Shape& shape, const WriterOptions& options,
                                              Sink sink, std::string name,
                                              diag::Diagnostics* diagnostics);
  virtual ~Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Fails when the sink does, and (kInternal) for a row out of order.
  Result<void> Add(const Row& row);
  // kInvalid: a row couldn't be written; the diagnostics say which.
  Result<Totals> Finish();

 protected:
  Writer(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
         diag::Diagnostics* diagnostics);
  virtual Result<void> Begin() = 0;
  // Cells are spelled: times as the column says, the rest canonical.
  virtual Result<void> Put(const Row& row) = 0;
  virtual Result<void> End() = 0;
  // False, with a diagnostic, when the format can't hold this text.
  virtual bool Allows(const Column& column, std::string_view text) = 0;
  void Complain(const char* code, const std::string& column, const std::string& what,
                const std::string& way_out);

  const Shape shape_;
  const WriterOptions options_;
  Output out_;

 private:
  bool Check(const Row& row);
  bool CheckCell(const Column& column, const Cell& cell);
  bool CheckText(const Column& column, std::string_view text);
  void Spell(const Row& row);
  Result<void> Start();

  const std::string name_;
  diag::Diagnostics* const diagnostics_;
  std::vector<Zone> zones_;  // by column
  std::string key_, last_key_;
  std::vector<Cell> cells_;
  std::vector<std::string> spelled_;
  uint64_t rows_ = 0, complaints_ = 0;
  bool started_ = false;
};

namespace internal {
// One for each family; the rules of shape and options are checked by Make.
std::unique_ptr<Writer> MakeCsvWriter(const Shape&, const WriterOptions&, Sink, std::string,
                                      diag::Diagnostics*);
std::unique_ptr<Writer> MakeXmlWriter(const Shape&, const WriterOptions&, Sink, std::string,
                                      diag::Diagnostics*);
std::unique_ptr<Writer> MakeJsonWriter(const Shape&, const WriterOptions&, Sink, std::string,
                                       diag::Diagnostics*);
std::unique_ptr<Writer> MakeLdifWriter(const Shape&, const WriterOptions&, Sink, std::string,
                                       diag::Diagnostics*);
// Empty: shape is right; else what isn't.
std::string ShapeFault(const Shape& shape);
// What a spreadsheet takes for the beginning of a formula, or what hides one.
bool LooksLikeFormula(std::string_view text);
}  // namespace internal

}  // namespace postern::jobs
