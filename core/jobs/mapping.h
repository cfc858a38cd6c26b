// core/jobs/mapping.h: what a selected row becomes in the file.
//
// Columns in their declared order, each from an attribute or a constant, through its transforms.
// The result is a key and a record: cells as bytes, which a RowStore sorts and a Writer writes. The
// same row, columns and keys give the same bytes. Hashing is HMAC-SHA-256 with a declared key, so
// that nobody finds a value by trying (facts: ISO/IEC 20889, keyed pseudonyms). Case is Unicode's
// simple mapping. One thread; a row costs no allocation once its buffers have grown.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/diag/diagnostic.h"
#include "core/jobs/census.h"
#include "core/jobs/format/writer.h"
#include "core/object/target.h"
#include "schemas/job_declarations.pb.h"

namespace postern::jobs {

// Cells <-> bytes. What Unpack gives points into the record and into `cells`.
void PackRow(std::span<const Cell> cells, std::string* out);
class UnpackedRow {
 public:
  explicit UnpackedRow(size_t columns) : cells_(columns), items_(columns) {}
  // Valid until the next call and as long as the record.
  std::span<const Cell> Unpack(std::string_view record);
  // A row that is gone: its key's parts, nothing else.
  std::span<const Cell> OnlyKey(const Shape& shape, std::string_view key);

 private:
  std::vector<Cell> cells_;
  std::vector<std::vector<std::string_view>> items_;
};

class Mapping {
 public:
  using Emit = std::function<Result<void>(std::string_view key, std::string_view record)>;

  // Nothing, with diagnostics about `subject` ("export.erp"), when the declaration can't be carried
  // out. `source` is what the attributes are of, for messages ("users of directory:corp");
  // `secrets` has the hash keys by their names without "secret:".
  static std::optional<Mapping> Make(const decl::Export& declared,
                                     std::span<const Attribute> attributes,
                                     const std::string& source, const object::Secrets& secrets,
                                     const std::string& subject, diag::Diagnostics* diagnostics);

  const Shape& shape() const { return shape_; }
  const WriterOptions& options() const { return options_; }
  // What Map looks at.
  AttributeSet needs() const;
  // Hands on the rows that one row becomes: one, or one for each value of a column with
  // rows = "each". A value that is too long, or that a lookup lacks, is a diagnostic and counted;
  // an attribute that could not be read goes into the report.
  Result<void> Map(const SourceRow& row, const Emit& emit, CensusReport* report,
                   diag::Diagnostics* diagnostics);
  // Values that were too long or not in a lookup: more than none and nothing may be published.
  uint64_t refused() const { return refused_; }

 private:
  struct Step {
    enum class Type : uint8_t { kUpper, kLower, kTrim, kDigits, kHash, kMask } type;
    std::string key;  // of kHash
  };
  struct From {
    std::optional<size_t> attribute;  // unset: the constant
    std::string constant;
    std::vector<Step> steps;
    std::map<std::string, std::string, std::less<>> lookup;  // after the steps; empty: none
    std::optional<std::string> otherwise;
    uint32_t max = 0;  // 0: any
    bool each = false;
    std::string text;                // of this row
    std::vector<std::string> items;  // of this row
    std::vector<std::string_view> views;
  };
  struct Making;
  Mapping() = default;
  Cell CellOf(size_t column, const Cell& source, std::string_view key,
              diag::Diagnostics* diagnostics);
  void Apply(size_t column, std::string_view value, std::string_view key, std::string* out,
             diag::Diagnostics* diagnostics);
  void LookUp(size_t column, std::string_view key, std::string* text,
              diag::Diagnostics* diagnostics);
  void Refuse(const char* code, size_t column, std::string_view key, std::string what,
              const char* way_out, diag::Diagnostics* diagnostics);
  void CheckLength(size_t column, std::string_view value, std::string_view key,
                   diag::Diagnostics* diagnostics);
  Result<void> EmitRow(const Emit& emit);

  std::string subject_;
  Shape shape_;
  WriterOptions options_;
  std::vector<From> from_;
  std::optional<size_t> each_;
  std::vector<Cell> cells_;
  std::string key_, record_;
  uint64_t refused_ = 0;
};

}  // namespace postern::jobs
