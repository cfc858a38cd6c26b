// A declared mapping, checked and made ready.
#include <fmt/format.h>

#include <algorithm>

#include "core/diag/codes.h"
#include "core/jobs/mapping.h"
#include "core/jobs/shape_of.h"

namespace postern::jobs {

// One mapping while it is made.
struct Mapping::Making {
  const decl::Export& declared;
  std::span<const Attribute> attributes;
  const std::string& source;
  const object::Secrets& secrets;
  const std::string& subject;
  diag::Diagnostics* diagnostics;
  Mapping out = {};
  bool fine = true;

  void Refuse(const char* code, std::string summary, std::string note) {
    fine = false;
    diagnostics->Add({.code = code,
                      .summary = std::move(summary),
                      .subject = subject,
                      .notes = {std::move(note)}});
  }
  void RefuseColumn(const decl::ExportColumn& column, const std::string& what,
                    std::string note = "mend the column") {
    const std::string& name = column.has_name() ? column.name() : column.from();
    Refuse(diag::code::kColumnForm, fmt::format("column {}: {}", name, what), std::move(note));
  }

  void TakeSteps(const decl::ExportColumn& column, Type type, From* from) {
    static constexpr std::pair<const char*, Step::Type> kSteps[] = {
        {"upper", Step::Type::kUpper}, {"lower", Step::Type::kLower},
        {"trim", Step::Type::kTrim},   {"digits", Step::Type::kDigits},
        {"hash", Step::Type::kHash},   {"mask", Step::Type::kMask}};
    const auto& names = column.transform().values();
    if (!names.empty() && type != Type::kText && type != Type::kList) {
      RefuseColumn(column, "a transform of what isn't text");
    }
    for (const std::string& name : names) {
      const auto* step = std::find_if(std::begin(kSteps), std::end(kSteps),
                                      [&](const auto& known) { return name == known.first; });
      if (step == std::end(kSteps)) continue;  // the reader of declarations refused it
      from->steps.push_back({step->second, {}});
      if (step->second != Step::Type::kHash) continue;
      const std::string secret = column.hash_key().substr(std::min<size_t>(
          column.hash_key().size(), column.hash_key().starts_with("secret:") ? 7 : 0));
      const auto key = secrets.find(secret);
      if (key == secrets.end() || key->second.empty()) {
        RefuseColumn(column, "hash needs a `hash_key` with a value",
                     "hash_key = \"secret:NAME\", where the runner finds it");
      } else {
        from->steps.back().key = key->second;
      }
    }
  }

  // What a flag is written as is text.
  void TakeLookup(const decl::ExportColumn& column, Column* made, From* from) {
    if (!column.has_lookup()) return;
    if (made->type == Type::kTime) RefuseColumn(column, "a lookup of a time");
    if (made->type == Type::kBoolean) made->type = Type::kText;
    for (const decl::Lookup& one : column.lookup().values()) {
      from->lookup.emplace(one.value(), one.as());
    }
    if (column.has_otherwise()) from->otherwise = column.otherwise();
  }

  // The column's own type, and where its values come from.
  void TakeColumn(const decl::ExportColumn& column) {
    From from;
    Column made;
    made.name = column.has_name() ? column.name() : column.from();
    made.required = column.required();
    made.key = column.key();
    from.max = column.max();
    from.constant = column.constant();
    if (column.has_from() == column.has_constant()) {
      RefuseColumn(column, "has one of `from` and `constant`");
      return;
    }
    if (column.has_from()) {
      std::string hint;
      from.attribute = FindAttribute(attributes, column.from(), &hint);
      if (!from.attribute) {
        Refuse(diag::code::kUnknownAttribute,
               fmt::format("no attribute {} in {}", column.from(), source), hint);
        return;
      }
      made.type = attributes[*from.attribute].type;
    }
    TakeSteps(column, made.type, &from);
    TakeLookup(column, &made, &from);
    TakeForm(column, &made, &from);
    out.shape_.columns.push_back(std::move(made));
    out.from_.push_back(std::move(from));
  }

  void TakeForm(const decl::ExportColumn& column, Column* made, From* from) {
    if ((column.has_format() || column.has_zone()) && made->type != Type::kTime) {
      RefuseColumn(column, "`format` of an attribute that isn't a time");
    }
    if (column.has_zone() && !FindZone(column.zone())) {
      RefuseColumn(column, fmt::format("no time zone \"{}\"", column.zone()),
                   "zones have the names of the system's tzdata, such as Europe/Berlin");
      return;
    }
    if ((column.has_separator() || column.has_rows()) && made->type != Type::kList) {
      RefuseColumn(column, "`separator` or `rows` of an attribute that isn't a list");
    }
    made->time_format = column.format();
    if (column.has_zone()) made->zone = column.zone();
    if (column.has_separator()) made->separator = column.separator();
    if (column.rows() != "each" || made->type != Type::kList) return;
    if (out.each_) RefuseColumn(column, "a second column with rows = \"each\"");
    out.each_ = out.shape_.columns.size();
    from->each = true;
    made->type = Type::kText;
    made->key = true;  // without it the rows of one list would have one key
  }

  // Without a column that says so, those of the key of what is exported.
  void ChooseKeys() {
    const auto declared_key = [](const decl::ExportColumn& column) { return column.key(); };
    const auto& columns = declared.columns().values();
    if (std::any_of(columns.begin(), columns.end(), declared_key)) return;
    for (size_t i = 0; i < attributes.size(); ++i) {
      if (!attributes[i].key) continue;
      const auto from = std::find_if(out.from_.begin(), out.from_.end(),
                                     [&](const From& one) { return one.attribute == i; });
      if (from == out.from_.end()) {
        return Refuse(diag::code::kColumnForm, "no column names the row",
                      fmt::format("a column from {}, or key = true where the values are unique",
                                  attributes[i].name));
      }
      out.shape_.columns[static_cast<size_t>(from - out.from_.begin())].key = true;
    }
  }
};

std::optional<Mapping> Mapping::Make(const decl::Export& declared,
                                     std::span<const Attribute> attributes,
                                     const std::string& source, const object::Secrets& secrets,
                                     const std::string& subject, diag::Diagnostics* diagnostics) {
  Making making{declared, attributes, source, secrets, subject, diagnostics};
  making.out.subject_ = subject;
  std::string fault = TakeFormat(declared.format(), &making.out.shape_, &making.out.options_);
  making.out.shape_.mode = declared.mode() == "delta" ? Mode::kDelta : Mode::kFull;
  making.out.options_.head.mode = making.out.shape_.mode;
  for (const decl::ExportColumn& column : declared.columns().values()) making.TakeColumn(column);
  if (making.fine) making.ChooseKeys();
  if (making.fine && fault.empty()) fault = internal::ShapeFault(making.out.shape_);
  if (!fault.empty()) making.Refuse(diag::code::kColumnForm, fault, "mend `format` or `columns`");
  if (!making.fine) return std::nullopt;
  return std::move(making.out);
}

}  // namespace postern::jobs
