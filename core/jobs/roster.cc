#include "core/jobs/roster.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/compile/role_values.h"
#include "core/config/iam_names.h"
#include "core/config/roster.h"
#include "core/config/values.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/shape_of.h"
#include "core/object/kind.h"
#include "core/object/nfc.h"

namespace postern::jobs {
namespace {

namespace code = diag::code;
using google::protobuf::FieldDescriptor;

// Fits a machine of 1 GiB (schemas/job_declarations.proto, ImportLimits).
constexpr uint64_t kRows = 50'000;

// Attributes that templates of roles take, or that name somebody: they end up in logins and paths.
bool NamesSomebody(std::string_view attribute) {
  return attribute == "uid" || attribute == "user_name" || attribute == "external_id" ||
         attribute == "employee_number";
}

bool IsMatched(const decl::Import& import, const std::string& attribute) {
  const auto& match = import.match().values();
  return std::find(match.begin(), match.end(), attribute) != match.end();
}

std::string Folded(std::string_view text) {
  return object::Normalise(object::Comparator::kCaseIgnore, text);
}

enum class Script : uint8_t { kNone, kLatin, kGreek, kCyrillic };

Script ScriptOf(int32_t c) {
  const bool ascii = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (ascii || (c >= 0xC0 && c <= 0x24F) || (c >= 0x1E00 && c <= 0x1EFF)) return Script::kLatin;
  if ((c >= 0x370 && c <= 0x3FF) || (c >= 0x1F00 && c <= 0x1FFF)) return Script::kGreek;
  if (c >= 0x400 && c <= 0x52F) return Script::kCyrillic;
  return Script::kNone;
}

// Letters of two of these alphabets in one word look like one and are not.
bool MixesScripts(std::string_view text) {
  Script word = Script::kNone;
  while (!text.empty()) {
    const int32_t c = diag::TakeCodePoint(&text);
    if (c == ' ' || c == '-') word = Script::kNone;
    const Script script = ScriptOf(c);
    if (script == Script::kNone) continue;
    if (word != Script::kNone && word != script) return true;
    word = script;
  }
  return false;
}

bool HasPathPart(std::string_view text) {
  return text == "." || text == ".." || text.starts_with("../") ||
         text.find("/../") != std::string_view::npos || text.ends_with("/..") ||
         text.find('\\') != std::string_view::npos;
}

struct Fault {
  const char* code = nullptr;
  std::string text;
};

Fault WhyNoLogin(const decl::Import& import, const std::string& attribute,
                 const std::string& value) {
  std::string bare = value;
  if (attribute == "user_name") {
    if (const std::string why = config::WhyNoIamName(value); !why.empty()) {
      return {code::kRosterLogin, fmt::format("the user name is {}", why)};
    }
    // A partition is the import's to say, not the file's.
    if (import.has_partition() && value.find('@') != std::string::npos) {
      return {code::kRosterLogin,
              fmt::format("\"{}\" names a partition", compile::ShownValue(value))};
    }
    bare = value.substr(0, value.find('@'));
  }
  if (std::string why = compile::WhyNoLogin(bare); !why.empty()) {
    return {code::kRosterLogin, std::move(why)};
  }
  if (Folded(bare).starts_with("svc-")) {
    return {code::kRosterLogin, fmt::format("the login {} is one of services", bare)};
  }
  return {};
}

Fault WhyNoMail(const decl::Import& import, const decl::ImportColumn& column,
                const std::string& value) {
  if (config::CheckFormat(schema::EMAIL, value)) {
    return {code::kRosterValue,
            fmt::format("\"{}\" is no mail address", compile::ShownValue(value))};
  }
  // RFC 4524: mail is an IA5 string, so that the directory would reject the whole entry.
  const auto ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!config::IsIam(import) && !std::all_of(value.begin(), value.end(), ascii)) {
    return {code::kRosterValue, fmt::format("\"{}\" isn't ASCII, and mail in a directory is",
                                            compile::ShownValue(value))};
  }
  if (!column.has_domains()) return {};
  const std::string domain = Folded(value.substr(value.rfind('@') + 1));
  for (const std::string& allowed : column.domains().values()) {
    if (Folded(allowed) == domain) return {};
  }
  return {code::kRosterValue, fmt::format("{} isn't in {}", compile::ShownValue(value),
                                          fmt::join(column.domains().values(), ", "))};
}

// Why one element of a column can't be taken; no code: it can.
Fault WhyNot(const decl::Import& import, const decl::ImportColumn& column,
             const std::string& value) {
  const std::string& to = column.to();
  if (HasPathPart(value) || (NamesSomebody(to) && value.find('/') != std::string::npos)) {
    return {code::kRosterValue,
            fmt::format("\"{}\" has parts of a path", compile::ShownValue(value))};
  }
  if ((NamesSomebody(to) || IsMatched(import, to)) && !object::IsNfc(value)) {
    return {code::kRosterValue,
            "its letters aren't composed (Unicode NFC): an accent stands apart, say"};
  }
  if (const auto secret = config::LooksSecret(value); !secret.empty()) {
    return {code::kRosterValue, fmt::format("looks like {}", secret)};
  }
  if (to == "uid" || to == "user_name") return WhyNoLogin(import, to, value);
  if (to == "mail") return WhyNoMail(import, column, value);
  return {};
}

// A format that says no time of day means the whole day.
bool IsDateOnly(const std::string& format) {
  for (size_t at = format.find('%'); at != std::string::npos; at = format.find('%', at + 2)) {
    if (at + 1 < format.size() && std::string_view("HIMSTRscXrp").find(format[at + 1]) < 11) {
      return false;
    }
  }
  return !format.empty();
}

// Gathers rows, judging each.
class Judge : public Taker {
 public:
  Judge(const decl::Import& import, const Shape& shape, RosterFile* out)
      : import_(import), shape_(shape), out_(*out) {
    for (const auto& column : import.columns().values()) {
      fields_.push_back(config::RosterField(config::IsIam(import), column.to()));
    }
  }

  void Take(const Row& row, uint64_t line) override {
    RosterRow taken{line, row.operation, {}};
    taken.values.resize(fields_.size());
    key_.clear();
    AppendKey(shape_, row, &key_);
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (TakeCell(row.cells[i], static_cast<int>(i), line, &taken.values[i])) continue;
      NameFurther(row, i);
      return;
    }
    out_.rows.push_back(std::move(taken));
  }

  void Reject(const Rejection& rejection) override {
    out_.refused.push_back({rejection.line, rejection.code, rejection.column,
                            ShownKey(rejection.key), rejection.reason,
                            IsKey(rejection.column) ? std::string() : rejection.key});
    if (rejection.was_taken) back_.insert(rejection.line);
  }

  // When all is read.
  void Settle() {
    NameTwins();
    std::erase_if(out_.rows, [&](const RosterRow& row) { return back_.contains(row.line); });
    std::stable_sort(out_.refused.begin(), out_.refused.end(),
                     [](const RefusedRow& a, const RefusedRow& b) { return a.line < b.line; });
    // A row that was refused here and again as one of two with a key is told once.
    out_.refused.erase(
        std::unique(out_.refused.begin(), out_.refused.end(),
                    [](const RefusedRow& a, const RefusedRow& b) { return a.line == b.line; }),
        out_.refused.end());
  }

 private:
  // A key that is itself what is wrong says nothing of whose the row is.
  bool IsKey(const std::string& column) const {
    return std::any_of(shape_.columns.begin(), shape_.columns.end(),
                       [&](const Column& one) { return one.key && one.name == column; });
  }

  bool IsFurther(const std::string& attribute) const {
    const auto& match = import_.match().values();
    return std::find(match.begin() + 1, match.end(), attribute) != match.end();
  }

  // Of the row that was refused just now for its column `wrong`.
  void NameFurther(const Row& row, size_t wrong) {
    RefusedRow& refused = out_.refused.back();
    refused.all_read = true;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const std::string& to = import_.columns().values(static_cast<int>(i)).to();
      if (!IsFurther(to)) continue;
      if (i == wrong) refused.all_read = false;
      if (i == wrong) continue;
      const Cell& cell = row.cells[i];
      if (cell.state == Cell::State::kOne) refused.further.emplace_back(to, cell.text);
      if (cell.state != Cell::State::kList) continue;
      for (const auto& item : cell.items) refused.further.emplace_back(to, item);
    }
  }

  // Rows that are taken back have shown their key when they were taken.
  void NameTwins() {
    if (back_.empty()) return;
    std::unordered_map<uint64_t, const RosterRow*> rows;
    for (const RosterRow& row : out_.rows) {
      if (back_.contains(row.line)) rows.emplace(row.line, &row);
    }
    for (RefusedRow& refused : out_.refused) {
      const auto found = rows.find(refused.line);
      if (found == rows.end()) continue;
      refused.all_read = true;
      for (size_t i = 0; i < shape_.columns.size(); ++i) {
        const std::string& to = import_.columns().values(static_cast<int>(i)).to();
        for (const std::string& element : found->second->values[i].elements) {
          if (IsFurther(to)) refused.further.emplace_back(to, element);
          if (shape_.columns[i].key && refused.whole_key.empty()) refused.whole_key = element;
        }
      }
      refused.key = ShownKey(refused.whole_key);
    }
  }

  bool TakeCell(const Cell& cell, int at, uint64_t line, RosterValue* out) {
    const decl::ImportColumn& column = import_.columns().values(at);
    out->given = cell.state != Cell::State::kAbsent;
    if (cell.state == Cell::State::kOne) out->elements.emplace_back(cell.text);
    if (cell.state == Cell::State::kList)
      out->elements.assign(cell.items.begin(), cell.items.end());
    for (std::string& value : out->elements) {
      const Fault fault = WhyNot(import_, column, value);
      if (fault.code != nullptr) return Refuse(line, column, fault);
      if (MixesScripts(value)) Warn(line, column, value);
      if (fields_[static_cast<size_t>(at)]->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
        auto instant = base::ParseInstant(value, true);
        if (!instant) return Refuse(line, column, {code::kRosterValue, "isn't a time"});
        if (IsDateOnly(column.format())) *instant += 86399;
        value = std::to_string(*instant);
      }
    }
    return true;
  }

  bool Refuse(uint64_t line, const decl::ImportColumn& column, const Fault& fault) {
    out_.refused.push_back({line, fault.code, column.name(), ShownKey(key_), fault.text,
                            IsKey(column.name()) ? std::string() : key_});
    return false;
  }

  void Warn(uint64_t line, const decl::ImportColumn& column, const std::string& value) {
    if (++warnings_ > 20) return;  // a whole file in another alphabet is told often enough
    out_.report.diagnostics.Add(
        {.severity = diag::Severity::kWarning,
         .code = code::kRosterLookalike,
         .summary = fmt::format("{}:{}: {} \"{}\" mixes letters of several scripts", out_.name,
                                line, column.name(), compile::ShownValue(value)),
         .subject = out_.name});
  }

  const decl::Import& import_;
  const Shape& shape_;
  RosterFile& out_;
  std::vector<const FieldDescriptor*> fields_;
  std::string key_;
  std::set<uint64_t> back_;
  int warnings_ = 0;
};

void AddField(std::string_view text, std::string* out) {
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  // A sender may open it in a spreadsheet.
  const bool formula = !text.empty() && std::string_view("=+-@\t").find(text[0]) < 5;
  if (!quoted && !formula) {
    *out += text;
    return;
  }
  *out += formula ? "\"'" : "\"";
  for (const char c : text) {
    if (c == '"') *out += '"';
    *out += c;
  }
  *out += '"';
}

Type TypeOf(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) return Type::kList;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) return Type::kBoolean;
  return field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ? Type::kTime : Type::kText;
}

Limits LimitsOf(const decl::ImportLimits& limits) {
  Limits out;
  if (limits.has_megabytes()) out.bytes = uint64_t{limits.megabytes()} << 20;
  out.rows = limits.has_rows() ? std::min<uint64_t>(limits.rows(), kMostRows) : kRows;
  if (limits.has_columns()) out.columns = limits.columns();
  if (limits.has_row_kilobytes()) out.row_bytes = size_t{limits.row_kilobytes()} << 10;
  if (limits.has_depth()) out.depth = limits.depth();
  return out;
}

}  // namespace

Shape ShapeOf(const decl::Import& import) {
  Shape shape;
  WriterOptions unused;
  TakeFormat(import.format(), &shape, &unused);  // the loader has said what can't be
  shape.mode = import.mode() == "delta" ? Mode::kDelta : Mode::kFull;
  for (const auto& column : import.columns().values()) {
    const auto* field = config::RosterField(config::IsIam(import), column.to());
    Column& out = shape.columns.emplace_back();
    out.name = column.name();
    out.type = field != nullptr ? TypeOf(*field) : Type::kText;
    out.key = !import.match().values().empty() && column.to() == import.match().values(0);
    out.required = column.required();
    out.max_length = column.has_max() ? column.max() : 256;
    out.pattern = column.pattern();
    if (column.has_separator()) out.separator = column.separator();
    if (out.type == Type::kTime) out.time_format = column.format();
    if (column.has_zone()) out.zone = column.zone();
  }
  return shape;
}

Result<RosterFile> ReadRoster(const decl::Import& import, const Source& source,
                              const std::string& name, uint64_t last_sequence) {
  for (const auto& column : import.columns().values()) {
    if (config::RosterField(config::IsIam(import), column.to()) != nullptr) continue;
    return Fail(ErrorCode::kInvalid, fmt::format("no file gives people {}", column.to()));
  }
  ReadOptions options;
  options.limits = LimitsOf(import.limits());
  options.last_sequence = last_sequence;
  options.may_be_empty = import.mode() == "delta";
  RosterFile file;
  file.name = name;
  const Shape shape = ShapeOf(import);
  Judge judge(import, shape, &file);
  auto report = Read(shape, options, source, name, &judge);
  if (!report) return tl::unexpected(report.error());
  report->diagnostics.Append(std::move(file.report.diagnostics));
  file.report = *std::move(report);
  judge.Settle();
  if (file.report.refused || file.report.older) file.rows.clear();
  return file;
}

std::string RejectsFile(const std::vector<RefusedRow>& refused) {
  std::string out = "line,column,code,key,text\r\n";
  for (const RefusedRow& row : refused) {
    out += std::to_string(row.line);
    for (const std::string* field : {&row.column, &row.code, &row.key, &row.text}) {
      out += ',';
      AddField(*field, &out);
    }
    out += "\r\n";
  }
  return out;
}

}  // namespace postern::jobs
