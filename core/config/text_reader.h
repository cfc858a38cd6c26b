// core/config/text_reader.h: the form of one text, and how a mistake in a file is told.
//
// Internal to reader.cc: the base of ValueReader, which knows keys. A secret that stands where none
// belongs is hidden before anything is said of it. One object a file.
#pragma once
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config/index.h"
#include "core/config/tables.h"
#include "core/config/values.h"
#include "core/config/wording.h"
#include "core/diag/codes.h"
#include "core/diag/suggest.h"
#include "core/diag/text.h"

namespace postern::config {

namespace code = diag::code;

class TextReader {
 public:
  TextReader(uint32_t file, diag::Sources* sources, diag::Diagnostics* diagnostics)
      : file_(file), sources_(*sources), diagnostics_(*diagnostics) {}

 protected:
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

  static void Suggest(diag::Diagnostic* d, std::string_view word,
                      const std::vector<std::string_view>& names) {
    const auto near = diag::Nearest(word, names);
    d->label = near ? fmt::format("did you mean \"{}\"?", *near) : "not known";
  }

  void Hidden(diag::Span span, std::string_view what) {
    Error(code::kHiddenCharacter, fmt::format("a hidden character in {}", what), span,
          "control or bidi character")
        .notes = {"such characters make a line read differently from what it says; delete it"};
  }

  // The table at hand, as its heading says it.
  std::string Heading() const { return heading_.empty() ? table_->Heading(name_) : heading_; }

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
    // The table's name where its word belongs.
    const Table* table = address ? FindTable(address->table) : nullptr;
    if (table != nullptr && std::count(names.begin(), names.end(), table->address) != 0) {
      d.label = fmt::format("did you mean \"{}:{}\"?", table->address, address->name);
    } else if (const auto near = address ? diag::Nearest(address->table, names) : std::nullopt) {
      d.label = fmt::format("did you mean \"{}:{}\"?", *near, address->name);
    }
    d.notes.push_back("write " + Join(forms));
    return false;
  }

  const uint32_t file_;
  diag::Sources& sources_;
  diag::Diagnostics& diagnostics_;
  const Table* table_ = nullptr;  // of the declaration at hand
  std::string_view name_;
  std::string heading_;
};

}  // namespace postern::config
