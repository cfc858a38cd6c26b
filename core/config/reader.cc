#include "core/config/reader.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <chrono>

#include "core/base/check.h"
#include "core/config/index.h"
#include "core/config/tables.h"
#include "core/config/toml_file.h"
#include "core/config/values.h"
#include "core/config/visit.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/diag/text.h"

namespace postern::config {
namespace {

namespace code = diag::code;
using google::protobuf::Message;

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ", ";
    out += word;
  }
  return out;
}

// "a host", "an account"
std::string WithArticle(std::string_view noun) {
  constexpr std::string_view kVowels = "aeiou";
  const bool an = kVowels.find(noun[0]) != std::string_view::npos && noun != "user";
  return fmt::format("{} {}", an ? "an" : "a", noun);
}

// "a person, a partner or a user"
std::string Choice(const std::vector<std::string>& nouns) {
  std::string out;
  for (size_t i = 0; i < nouns.size(); ++i) {
    if (i > 0) out += i + 1 == nouns.size() ? " or " : ", ";
    out += WithArticle(nouns[i]);
  }
  return out;
}

std::string_view Expected(ValueType type) {
  switch (type) {
    case ValueType::kText:
      return "text in double quotes";
    case ValueType::kBool:
      return "true or false";
    case ValueType::kNumber:
      return "a whole number";
    case ValueType::kInstant:
      return "a date or a time, without quotes";
    case ValueType::kTexts:
      return "a list of texts, such as [\"a\", \"b\"]";
    case ValueType::kTable:
      return "an inline table, such as { key = value }";
  }
  return "another value";
}

std::string_view NameOf(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

int64_t SecondsOf(const toml::date& date) {
  using namespace std::chrono;
  const year_month_day day{year{date.year}, month{date.month}, std::chrono::day{date.day}};
  return duration_cast<seconds>(sys_days(day).time_since_epoch()).count();
}

// Where a declaration of one table goes.
struct Slot {
  Message* message = nullptr;
  diag::Span* span = nullptr;
  FieldPlaces* fields = nullptr;
};

Slot AddTo(Declarations* declarations, const Table& table) {
  Slot slot;
  ForEachTable(*declarations, [&]<class M>(std::vector<Declared<M>>& all) {
    if (slot.message || M::descriptor() != table.descriptor) return;
    Declared<M>& added = all.emplace_back();
    slot = {&added.message, &added.span, &added.fields};
  });
  POSTERN_CHECK(slot.message != nullptr, "a table without a place in Declarations");
  return slot;
}

class Reader {
 public:
  Reader(uint32_t file, bool operator_file, diag::Sources* sources, Declarations* declarations,
         LostNames* lost, diag::Diagnostics* diagnostics)
      : file_(file),
        operator_file_(operator_file),
        sources_(*sources),
        declarations_(*declarations),
        lost_(*lost),
        diagnostics_(*diagnostics) {}

  void ReadRoot(toml::table& root) {
    if (operator_file_) ReadTop(root);
    for (auto&& [key, node] : root) {
      if (operator_file_ && OperatorTable().Find(key.str())) continue;
      const Table* table = FindTable(key.str());
      if (!table) {
        UnknownAtTop(key, node);
      } else if (table->operator_file != operator_file_) {
        WrongFile(*table, key, node);
      } else {
        ReadTable(*table, key, node);
      }
    }
  }

 private:
  diag::Span SpanOf(const toml::source_region& r) const {
    return {file_, r.begin.line, r.begin.column, r.end.line, r.end.column};
  }
  diag::Diagnostic& Error(const char* code, std::string summary, diag::Span span,
                          std::string label = "") {
    return diagnostics_.Add(
        {.code = code, .summary = std::move(summary), .span = span, .label = std::move(label)});
  }
  void Report(Problem problem, diag::Span span) {
    if (problem.hide) sources_.Hide(span);
    Error(problem.code, std::move(problem.summary), span, std::move(problem.label)).notes =
        std::move(problem.notes);
  }

  // The keys at the top of the operator's file.
  void ReadTop(toml::table& root) {
    auto& top = declarations_.operator_file;
    top.span = {file_, 1, 1, 1, 1};
    heading_ = OperatorTable().Heading();
    for (auto&& [key, node] : root) {
      const Field* field = OperatorTable().Find(key.str());
      if (field) ReadValue(OperatorTable(), *field, node, &top.message, 0);
    }
    KeepPlaces(&top.fields);
    heading_ = {};
  }

  void KeepPlaces(FieldPlaces* to) {
    std::sort(places_.begin(), places_.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    to->assign(places_.begin(), places_.end());  // exactly as large as needed
    places_.clear();
  }

  // ---- tables

  std::vector<std::string> TablesHere() const {
    std::vector<std::string> names;
    for (const Table* table : AllTables()) {
      if (!table->inline_only && !table->top_level && table->operator_file == operator_file_) {
        names.push_back(table->array ? "[[" + table->name + "]]" : "[" + table->name + ".NAME]");
      }
    }
    return names;
  }

  void UnknownAtTop(const toml::key& key, const toml::node& node) {
    const diag::Span span = SpanOf(key.source());
    std::vector<std::string_view> names;
    for (const Table* table : AllTables()) {
      if (!table->inline_only && !table->top_level) names.push_back(table->name);
    }
    if (!node.is_table() && !node.is_array_of_tables()) {
      auto& d = Error(code::kUnknownKey, fmt::format("no key \"{}\" here", key.str()), span);
      if (!operator_file_) {
        d.label = "a key outside of any table";
        d.notes.push_back("keys stand below a heading such as [account.NAME]");
        return;
      }
      names.clear();
      std::vector<std::string> keys;
      for (const Field& field : OperatorTable().fields) {
        names.push_back(field.name);
        keys.push_back(field.name);
      }
      Suggest(&d, key.str(), names);
      d.notes.push_back("keys at the top of the operator's file: " + Join(keys));
      return;
    }
    auto& d = Error(code::kUnknownTable, fmt::format("no table \"{}\"", key.str()), span);
    Suggest(&d, key.str(), names);
    d.notes.push_back("tables of this file: " + Join(TablesHere()));
    const auto near = diag::Nearest(key.str(), names);
    if (const toml::table* table = node.as_table(); table && near) {
      for (auto&& [name, inner] : *table) lost_.emplace(*near, name.str());
    }
  }

  static void Suggest(diag::Diagnostic* d, std::string_view word,
                      const std::vector<std::string_view>& names) {
    const auto near = diag::Nearest(word, names);
    d->label = near ? fmt::format("did you mean \"{}\"?", *near) : "not known";
  }

  void WrongFile(const Table& table, const toml::key& key, const toml::node& node) {
    const diag::Span span = SpanOf(key.source());
    if (operator_file_) {
      Error(code::kReviewedOnly, fmt::format("{} belongs into the reviewed tree", table.Heading()),
            span, "not in the operator's file");
    } else {
      auto& d = Error(code::kOperatorOnly,
                      fmt::format("{} belongs into the operator's file", table.Heading()), span,
                      "not under review");
      d.notes.push_back(
          "a change under review may say who has access, never where Postern connects or what it "
          "sends");
    }
    if (const toml::table* names = node.as_table()) {
      for (auto&& [name, inner] : *names) lost_.emplace(table.name, name.str());
    }
  }

  void ReadTable(const Table& table, const toml::key& key, toml::node& node) {
    const diag::Span span = SpanOf(key.source());
    if (table.array) {
      toml::array* list = node.as_array();
      if (!list || !list->is_homogeneous(toml::node_type::table)) {
        Shape(table, span);
        return;
      }
      for (toml::node& element : *list) {
        Declare(table, {}, SpanOf(element.source()), *element.as_table());
      }
      return;
    }
    toml::table* names = node.as_table();
    if (!names) {
      Shape(table, span);
      return;
    }
    bool said = false;
    for (auto&& [name, inner] : *names) {
      toml::table* body = inner.as_table();
      if (body) {
        Declare(table, name.str(), SpanOf(name.source()), *body);
      } else if (!std::exchange(said, true)) {
        Shape(table, inner.is_array_of_tables() ? SpanOf(name.source()) : span);
      }
    }
  }

  void Shape(const Table& table, diag::Span span) {
    auto& d = Error(code::kTableShape,
                    fmt::format("{} are written {}", table.array ? "grants" : table.name + "s",
                                table.Heading()),
                    span, table.array ? "not a [[" + table.name + "]]" : "without a name");
    if (!table.array)
      d.summary = fmt::format("{} is written {}", WithArticle(table.name), table.Heading());
    d.notes.push_back(fmt::format("write the heading as {}", table.Heading()));
  }

  void Declare(const Table& table, std::string_view name, diag::Span span, toml::table& body) {
    const Slot slot = AddTo(&declarations_, table);
    *slot.span = span;
    if (table.named) {
      CheckDeclaredName(table, name, span);
      slot.message->GetReflection()->SetString(
          slot.message, table.descriptor->FindFieldByNumber(table.name_field), std::string(name));
    }
    name_ = name;
    table_ = &table;
    ReadFields(table, body, slot.message, 0, span);
    KeepPlaces(slot.fields);
  }

  void CheckDeclaredName(const Table& table, std::string_view name, diag::Span span) {
    if (diag::HasHidden(name)) {
      Hidden(span, "the name of " + WithArticle(table.name));
      return;
    }
    if (!table.name_is_plain) {  // a pattern: the name rules hold for what isn't a star
      std::string plain(name);
      std::replace(plain.begin(), plain.end(), '*', 'x');
      if (auto problem = CheckName(plain)) {
        problem->summary = fmt::format("\"{}\" is no name or pattern", name);
        Report(*problem, span);
      }
      return;
    }
    if (auto problem = CheckName(name)) Report(std::move(*problem), span);
  }

  void Hidden(diag::Span span, std::string_view what) {
    Error(code::kHiddenCharacter, fmt::format("a hidden character in {}", what), span,
          "control or bidi character")
        .notes = {"such characters make a line read differently from what it says; delete it"};
  }

  // ---- keys

  std::string Heading() const { return heading_.empty() ? table_->Heading(name_) : heading_; }

  void ReadFields(const Table& table, toml::table& body, Message* message, int outer,
                  diag::Span header) {
    uint64_t seen = 0;
    for (auto&& [key, node] : body) {
      const Field* field = table.Find(key.str());
      if (!field) {
        // A slip of the finger isn't a missing key as well.
        if (const Field* meant = UnknownKey(table, key, node)) seen |= uint64_t{1} << meant->index;
        continue;
      }
      if (field->operator_only && !operator_file_) {
        Error(code::kOperatorOnly, fmt::format("{} is for the operator's file", field->name),
              SpanOf(key.source()), "not under review");
        continue;
      }
      seen |= uint64_t{1} << field->index;
      ReadValue(table, *field, node, message, outer);
    }
    for (const Field& field : table.fields) {
      if (!field.required || (seen >> field.index & 1)) continue;
      Error(code::kMissingKey, fmt::format("{} in {} is missing", field.name, Heading()), header,
            fmt::format("needs {}", field.name))
          .notes = {
          fmt::format("{}: {}", field.name, field.doc.empty() ? Expected(field.type) : field.doc)};
    }
    if (table.empty) CheckEmptyLists(table, body, *message);
  }

  // The key that was most likely meant, or null.
  const Field* UnknownKey(const Table& table, const toml::key& key, const toml::node& node) {
    std::vector<std::string_view> names;
    std::vector<std::string> keys;
    for (const Field& field : table.fields) {
      names.push_back(field.name);
      keys.push_back(field.name);
    }
    auto& d = Error(code::kUnknownKey, fmt::format("no key \"{}\" in {}", key.str(), Heading()),
                    SpanOf(key.source()));
    Suggest(&d, key.str(), names);
    if (node.is_table() && table.named && !node.as_table()->is_inline()) {
      d.notes.push_back(fmt::format("a name with a dot needs quotes: [{}.\"{}.{}\"]", table.name,
                                    name_, key.str()));
      lost_.emplace(table.name, fmt::format("{}.{}", name_, key.str()));
    }
    d.notes.push_back("keys: " + Join(keys));
    const auto near = diag::Nearest(key.str(), names);
    return near ? table.Find(*near) : nullptr;
  }

  // An empty list means "none", which has to be said in a table that can say so.
  void CheckEmptyLists(const Table& table, toml::table& body, const Message& message) {
    std::string scratch;
    const auto* reflection = message.GetReflection();
    const auto* empty = table.empty->descriptor;
    const bool intended = reflection->HasField(message, empty) &&
                          reflection->GetStringReference(message, empty, &scratch) == "intended";
    if (intended) return;
    for (auto&& [key, node] : body) {
      const toml::array* list = node.as_array();
      const Field* field = list && list->empty() ? table.Find(key.str()) : nullptr;
      if (!field || field->type != ValueType::kTexts) continue;
      EmptyList(*field, SpanOf(node.source()),
                "if nothing shall be left, add empty = \"intended\"; to leave the list unmanaged, "
                "delete the line");
    }
  }

  void EmptyList(const Field& field, diag::Span span, std::string note) {
    Error(code::kEmptyList, fmt::format("{} in {} is empty", field.name, Heading()), span,
          "an empty list means \"none\"")
        .notes = {std::move(note)};
  }

  // ---- values

  void ReadValue(const Table& table, const Field& field, toml::node& node, Message* message,
                 int outer) {
    const diag::Span span = SpanOf(node.source());
    const int number = outer ? Nested(outer, field.number) : field.number;
    Mark(number, -1, span);
    const auto* reflection = message->GetReflection();
    switch (field.type) {
      case ValueType::kText:
        if (auto* text = node.as_string()) {
          if (CheckText(field, text->get(), span)) {
            reflection->SetString(message, field.descriptor, std::move(text->get()));
          }
          return;
        }
        break;
      case ValueType::kBool:
        if (const auto* value = node.as_boolean()) {
          reflection->SetBool(message, field.descriptor, value->get());
          return;
        }
        break;
      case ValueType::kNumber:
        if (const auto* value = node.as_integer()) {
          ReadNumber(field, value->get(), message, span);
          return;
        }
        break;
      case ValueType::kInstant:
        if (node.is_date() || node.is_date_time()) {
          ReadInstant(field, node, message, span);
          return;
        }
        break;
      case ValueType::kTexts:
        if (auto* list = node.as_array()) {
          ReadTexts(table, field, *list, message, number);
          return;
        }
        break;
      case ValueType::kTable:
        if (auto* body = node.as_table()) {
          ReadFields(*field.nested, *body, reflection->MutableMessage(message, field.descriptor),
                     field.number, span);
          return;
        }
        break;
    }
    WrongType(field, node, span);
  }

  void Mark(int number, int element, diag::Span span) {
    if (element >= UINT16_MAX) return;  // falls back to the list's place
    places_.emplace_back(static_cast<uint32_t>(number) << 16 | static_cast<uint32_t>(element + 1),
                         span);
  }

  void WrongType(const Field& field, const toml::node& node, diag::Span span) {
    auto& d = Error(code::kWrongType,
                    fmt::format("{} in {} takes {}", field.name, Heading(), Expected(field.type)),
                    span, fmt::format("this is {}", NameOf(node.type())));
    if (field.type == ValueType::kInstant && node.is_string()) {
      d.notes.push_back("times stand without quotes: 2026-12-31 or 2026-12-31T18:00:00Z");
    }
    if (field.type == ValueType::kTexts && node.is_string()) {
      d.notes.push_back("a list of one is written [\"...\"]");
    }
    if (field.format == schema::SECRET_NAME) sources_.Hide(span);
  }

  void ReadNumber(const Field& field, int64_t value, Message* message, diag::Span span) {
    const bool percent = field.name.ends_with("_percent");
    const int64_t highest = percent ? 100 : int64_t{UINT32_MAX} - 1;
    if (value < 0 || value > highest) {
      Error(code::kOutOfRange, fmt::format("{} in {} is out of range", field.name, Heading()), span,
            fmt::format("not between 0 and {}", highest));
      return;
    }
    message->GetReflection()->SetUInt32(message, field.descriptor, static_cast<uint32_t>(value));
  }

  void ReadInstant(const Field& field, const toml::node& node, Message* message, diag::Span span) {
    int64_t seconds = 0;
    if (const auto* date = node.as_date()) {
      seconds = SecondsOf(date->get()) + (field.format == schema::END ? 86399 : 0);
    } else {
      const toml::date_time& at = node.as_date_time()->get();
      if (!at.offset) {
        Error(code::kBadTime, fmt::format("{} in {} has no time zone", field.name, Heading()), span,
              "local to which place?")
            .notes = {"add Z for UTC or an offset such as +01:00, or write a plain date"};
        return;
      }
      seconds = SecondsOf(at.date) + at.time.hour * 3600 + at.time.minute * 60 + at.time.second -
                int64_t{at.offset->minutes} * 60;
    }
    message->GetReflection()->SetInt64(message, field.descriptor, seconds);
  }

  void ReadTexts(const Table& table, const Field& field, toml::array& list, Message* message,
                 int number) {
    auto* strings = static_cast<decl::Strings*>(
        message->GetReflection()->MutableMessage(message, field.descriptor));
    if (list.empty() && !table.empty) {
      EmptyList(field, SpanOf(list.source()), "delete the line, or name what it is for");
      return;
    }
    strings->mutable_values()->Reserve(static_cast<int>(list.size()));
    for (toml::node& node : list) {
      const diag::Span span = SpanOf(node.source());
      auto* text = node.as_string();
      if (!text) {
        Error(code::kWrongType,
              fmt::format("{} in {} takes {}", field.name, Heading(), Expected(field.type)), span,
              fmt::format("this is {}", NameOf(node.type())));
        continue;
      }
      if (!CheckText(field, text->get(), span)) continue;
      Mark(number, strings->values_size(), span);
      strings->add_values(std::move(text->get()));
    }
  }

  // True when the text can be kept.
  bool CheckText(const Field& field, const std::string& text, diag::Span span) {
    if (diag::HasHidden(text)) {
      if (!LooksSecret(text).empty()) {
        Secret(field, text, span);
      } else {
        Hidden(span, fmt::format("{} in {}", field.name, Heading()));
      }
      return false;
    }
    if (!field.allowed.empty()) return CheckAllowed(field, text, span);
    if (field.format == schema::ADDRESS) return CheckAddress(field, text, span);
    if (field.format == schema::TEXT && field.references.empty()) {
      if (!LooksSecret(text).empty()) return Secret(field, text, span);
      return true;
    }
    auto problem = CheckFormat(field.format, text);
    if (!problem) return true;
    // A cut-off public key looks random too; what doesn't start like one may be a private key.
    if (field.format == schema::SSH_KEY && text.find("-----BEGIN") != std::string::npos) {
      return Secret(field, text, span);
    }
    Report(std::move(*problem), span);
    return false;
  }

  bool Secret(const Field& field, std::string_view text, diag::Span span) {
    sources_.Hide(span);
    auto& d = Error(code::kLooksSecret,
                    fmt::format("{} in {} looks like a secret", field.name, Heading()), span,
                    fmt::format("looks like {}; not shown", LooksSecret(text)));
    d.notes = {"take it out and change the secret itself: it stands in a file now",
               "secrets are given by name, \"secret:NAME\", where a key takes one"};
    return false;
  }

  bool CheckAllowed(const Field& field, std::string_view text, diag::Span span) {
    for (const std::string& value : field.allowed) {
      if (value == text) return true;
    }
    auto& d = Error(code::kNotAllowed,
                    fmt::format("{} in {} can't be \"{}\"", field.name, Heading(), text), span);
    const std::vector<std::string_view> names(field.allowed.begin(), field.allowed.end());
    Suggest(&d, text, names);
    d.notes.push_back((names.size() == 1 ? "the only value: " : "one of: ") + Join(field.allowed));
    return false;
  }

  bool CheckAddress(const Field& field, std::string_view text, diag::Span span) {
    const auto address = SplitAddress(text);
    if (address) {
      for (const std::string& table : field.references) {
        if (table == address->table) return true;
      }
    }
    auto& d = Error(
        code::kReferenceForm,
        fmt::format("{} in {} takes {}", field.name, Heading(), Choice(field.references)), span);
    std::vector<std::string> forms;
    for (const std::string& table : field.references) forms.push_back("\"" + table + ":NAME\"");
    d.label = address ? WithArticle(address->table) + " can't stand here" : "without its kind";
    const std::vector<std::string_view> names(field.references.begin(), field.references.end());
    if (const auto near = address ? diag::Nearest(address->table, names) : std::nullopt) {
      d.label = fmt::format("did you mean \"{}:{}\"?", *near, address->name);
    }
    d.notes.push_back("write " + Join(forms));
    return false;
  }

  const uint32_t file_;
  const bool operator_file_;
  diag::Sources& sources_;
  Declarations& declarations_;
  LostNames& lost_;
  diag::Diagnostics& diagnostics_;
  FieldPlaces places_;  // of the declaration at hand
  const Table* table_ = nullptr;
  std::string_view name_;
  std::string heading_;
};

}  // namespace

void ReadFile(uint32_t file, bool operator_file, diag::Sources* sources, Declarations* declarations,
              LostNames* lost, diag::Diagnostics* diagnostics) {
  toml::table root = ParseFile(file, sources, lost, diagnostics);
  Reader(file, operator_file, sources, declarations, lost, diagnostics).ReadRoot(root);
}

}  // namespace postern::config
