#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <unordered_set>

#include "core/config/check.h"
#include "core/config/tables.h"
#include "core/config/visit.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"

namespace postern::config {
namespace {

namespace code = diag::code;
constexpr int kSuggestions = 200;  // each looks at every name of a table

class References {
 public:
  References(const CheckInput& input, diag::Diagnostics* diagnostics)
      : input_(input), diagnostics_(*diagnostics) {}

  template <class M>
  void Check(const Declared<M>& declared, const Table& table) {
    Walk(declared, table, declared.message, {});
  }

 private:
  // Where a message inside a declaration stands: in the declaration itself, in the inline table
  // `outer`, or in element `element` of the list `outer`.
  struct Within {
    int outer = 0, element = -1;
    template <class M>
    diag::Span At(const Declared<M>& declared, const Field& field, int i = -1) const {
      if (outer == 0) return declared.At(field.number, i);
      if (element >= 0) return declared.At(outer, element);
      return declared.At(Nested(outer, field.number), i);
    }
  };

  template <class M>
  void Walk(const Declared<M>& declared, const Table& table,
            const google::protobuf::Message& message, const Within& within) {
    const auto* reflection = message.GetReflection();
    for (const Field& field : table.fields) {
      const bool nested = field.nested != nullptr;
      if (!nested && field.type != ValueType::kTexts && field.references.empty()) continue;
      if (!reflection->HasField(message, field.descriptor)) continue;
      if (field.type == ValueType::kTexts) {
        CheckList(
            declared, field, within,
            static_cast<const decl::Strings&>(reflection->GetMessage(message, field.descriptor)));
      } else if (field.type == ValueType::kTable) {
        const Within inside{within.outer != 0 ? within.outer : field.number, within.element};
        Walk(declared, *field.nested, reflection->GetMessage(message, field.descriptor), inside);
      } else if (field.type == ValueType::kTables) {
        const auto& wrapper = reflection->GetMessage(message, field.descriptor);
        const auto* list = wrapper.GetDescriptor()->field(0);
        const int size = wrapper.GetReflection()->FieldSize(wrapper, list);
        for (int i = 0; i < size; ++i) {
          Walk(declared, *field.nested,
               wrapper.GetReflection()->GetRepeatedMessage(wrapper, list, i),
               Within{field.number, i});
        }
      } else {
        std::string scratch;
        const auto& text = reflection->GetStringReference(message, field.descriptor, &scratch);
        Resolve(field, text, within.At(declared, field));
      }
    }
  }

  template <class M>
  void CheckList(const Declared<M>& declared, const Field& field, const Within& within,
                 const decl::Strings& list) {
    std::unordered_set<std::string_view> seen;
    for (int i = 0; i < list.values_size(); ++i) {
      const std::string& text = list.values(i);
      if (!field.references.empty()) Resolve(field, text, within.At(declared, field, i));
      // A command line may well have a word twice.
      if (field.name != "start" && field.name != "alert" && Repeats(list, i, &seen)) {
        auto& d =
            diagnostics_.Add({.severity = diag::Severity::kWarning,
                              .code = code::kRepeated,
                              .summary = fmt::format("{} names \"{}\" twice", field.name, text),
                              .span = within.At(declared, field, i),
                              .label = "again"});
        d.notes.push_back("it counts once");
      }
    }
  }

  static bool Repeats(const decl::Strings& list, int i,
                      std::unordered_set<std::string_view>* seen) {
    if (list.values_size() > 12) return !seen->insert(list.values(i)).second;
    for (int k = 0; k < i; ++k) {
      if (list.values(k) == list.values(i)) return true;
    }
    return false;
  }

  void Resolve(const Field& field, std::string_view text, diag::Span span) {
    std::string_view table = field.references.front(), name = text;
    if (field.format == schema::ADDRESS) {
      const auto address = SplitAddress(text);
      if (!address) return;  // said by the reader
      table = address->table;
      name = address->name;
    }
    if (input_.files_missing || input_.index.Find(table, name)) return;
    const Table* addressed = FindAddressed(table);
    const std::string lost = addressed != nullptr ? addressed->name : std::string(table);
    if (input_.lost.count({lost, std::string(name)})) return;
    Dangling(span, table, name);
  }

  void Dangling(diag::Span span, std::string_view table, std::string_view name) {
    auto& d = diagnostics_.Add({.code = code::kUnknownName,
                                .summary = fmt::format("no {} named \"{}\"", table, name),
                                .span = span,
                                .label = "not declared"});
    if (++said_ > kSuggestions) return;
    const auto names = input_.index.Names(table);
    if (const auto near = diag::Nearest(name, names)) {
      d.also.push_back({input_.index.Find(table, *near)->span, "did you mean this one?"});
      return;
    }
    for (const char* other : {"person", "partner", "service", "user", "group", "account"}) {
      const Index::Entry* entry = other != table ? input_.index.Find(other, name) : nullptr;
      if (!entry) continue;
      d.also.push_back({entry->span, fmt::format("there is a {} of this name", other)});
      return;
    }
    if (!names.empty()) return;
    const Table* addressed = FindAddressed(table);
    d.notes.push_back(fmt::format("no [{}.NAME] is declared at all",
                                  addressed != nullptr ? addressed->name : table));
  }

  const CheckInput& input_;
  diag::Diagnostics& diagnostics_;
  int said_ = 0;
};

}  // namespace

void CheckReferences(const CheckInput& input, diag::Diagnostics* diagnostics) {
  References references(input, diagnostics);
  references.Check(input.declarations.operator_file, OperatorTable());
  ForEachTable(input.declarations, [&]<class M>(const std::vector<Declared<M>>& all) {
    const Table* table = nullptr;
    for (const Table* t : AllTables()) {
      if (t->descriptor == M::descriptor()) table = t;
    }
    for (const Declared<M>& declared : all) {
      if (!declared.of_service_account()) references.Check(declared, *table);
    }
  });
}

}  // namespace postern::config
