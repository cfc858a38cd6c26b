#include "core/config/reader.h"

#include <algorithm>
#include <functional>

#include "core/base/check.h"
#include "core/config/toml_file.h"
#include "core/config/value_reader.h"
#include "core/config/visit.h"

namespace postern::config {
namespace {

// Where a declaration of one table goes.
struct Slot {
  Message* message = nullptr;
  diag::Span* span = nullptr;
  FieldPlaces* fields = nullptr;
};

// By a table's descriptor, which costs a look at its file's each time that it is asked for.
using Adders = std::vector<std::pair<const google::protobuf::Descriptor*, std::function<Slot()>>>;

Adders AddersTo(Declarations* declarations) {
  Adders adders;
  ForEachTable(*declarations, [&]<class M>(std::vector<Declared<M>>& all) {
    adders.emplace_back(M::descriptor(), [list = &all] {
      Declared<M>& added = list->emplace_back();
      return Slot{&added.message, &added.span, &added.fields};
    });
  });
  return adders;
}

class Reader : public ValueReader {
 public:
  using ValueReader::ValueReader;

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

  Slot Add(const Table& table) {
    for (const auto& [descriptor, add] : adders_) {
      if (descriptor == table.descriptor) return add();
    }
    POSTERN_CHECK(false, "a table without a place in Declarations");
    return {};
  }

  void Declare(const Table& table, std::string_view name, diag::Span span, toml::table& body) {
    const Slot slot = Add(table);
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

  const Adders adders_ = AddersTo(&declarations_);
};

}  // namespace

void ReadFile(uint32_t file, bool operator_file, diag::Sources* sources, Declarations* declarations,
              LostNames* lost, diag::Diagnostics* diagnostics) {
  toml::table root = ParseFile(file, sources, lost, diagnostics);
  Reader(file, operator_file, sources, declarations, lost, diagnostics).ReadRoot(root);
}

}  // namespace postern::config
