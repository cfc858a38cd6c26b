// core/config/value_reader.h: the keys of one table into a message, each value checked for its
// form.
//
// Internal to reader.cc: the base of Reader, which knows tables and files. One object a file.
#pragma once
#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <toml++/toml.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/declarations.h"
#include "core/config/reader.h"
#include "core/config/tables.h"
#include "core/config/text_reader.h"
#include "core/config/wording.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"

namespace postern::config {

using google::protobuf::Message;

class ValueReader : public TextReader {
 public:
  ValueReader(uint32_t file, bool operator_file, diag::Sources* sources, Declarations* declarations,
              LostNames* lost, diag::Diagnostics* diagnostics)
      : TextReader(file, sources, diagnostics),
        operator_file_(operator_file),
        declarations_(*declarations),
        lost_(*lost) {}

 protected:
  void KeepPlaces(FieldPlaces* to) {
    std::sort(places_.begin(), places_.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    to->assign(places_.begin(), places_.end());  // exactly as large as needed
    places_.clear();
  }

  // ---- keys

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
      if (!field || (field->type != ValueType::kTexts && field->type != ValueType::kTables))
        continue;
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
            // The tree is thrown away after this: its text needn't be copied.
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
      case ValueType::kTables:
        if (auto* list = node.as_array()) {
          ReadElements(table, field, *list, message, number);
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
    if ((field.type == ValueType::kTexts || field.type == ValueType::kTables) && node.is_string()) {
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

  // A list of tables; a plain text gives an element's one key. What is in an element has the
  // element's place.
  void ReadElements(const Table& table, const Field& field, toml::array& list, Message* message,
                    int number) {
    Message* wrapper = message->GetReflection()->MutableMessage(message, field.descriptor);
    const auto* elements = wrapper->GetDescriptor()->field(0);
    if (list.empty() && !table.empty) {
      EmptyList(field, SpanOf(list.source()), "delete the line, or name what it is for");
      return;
    }
    for (toml::node& node : list) {
      const diag::Span span = SpanOf(node.source());
      const auto* reflection = wrapper->GetReflection();
      const int position = reflection->FieldSize(*wrapper, elements);
      Message* element = reflection->AddMessage(wrapper, elements);
      const size_t places = places_.size();
      bool taken = true;
      if (auto* body = node.as_table()) {
        ReadFields(*field.nested, *body, element, field.number, span);
        const Field* plain = field.nested->plain;
        taken = plain == nullptr || !plain->required ||
                element->GetReflection()->HasField(*element, plain->descriptor);
      } else if (auto* text = node.as_string(); text && field.nested->plain) {
        const Field& plain = *field.nested->plain;
        taken = CheckText(plain, text->get(), span);
        if (taken) {
          element->GetReflection()->SetString(element, plain.descriptor, std::move(text->get()));
        }
      } else {
        Error(code::kWrongType,
              fmt::format("{} in {} takes {}", field.name, Heading(), Expected(field.type)), span,
              fmt::format("this is {}", NameOf(node.type())));
        taken = false;
      }
      places_.resize(places);
      if (taken) {
        Mark(number, position, span);
      } else {
        reflection->RemoveLast(wrapper, elements);
      }
    }
  }

  const bool operator_file_;
  Declarations& declarations_;
  LostNames& lost_;
  FieldPlaces places_;  // of the declaration at hand
};

}  // namespace postern::config
