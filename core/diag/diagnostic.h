// core/diag/diagnostic.h: everything said to a person about their input, as values.
//
// A user's mistake is a Diagnostic: all of them are collected, none stops the others. A span is
// cheap (20 bytes); line text is looked up only when somebody prints. Rendering is
// core/diag/render.h. Not thread-safe; a stage owns its Diagnostics and hands them on.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::diag {

// Lines and columns count from 1; columns count code points; the end is exclusive. line 0: no
// place.
struct Span {
  uint32_t file = 0;  // index into Sources
  uint32_t line = 0, column = 0, end_line = 0, end_column = 0;
  bool known() const { return line != 0; }
};

enum class Severity : uint8_t { kError, kWarning, kNote };

// A second place that belongs to the story: "first declared here".
struct Label {
  Span span;
  std::string text;
};

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string code;     // "E0204"; every code has a page in `postern explain`
  std::string summary;  // one line, no full stop
  Span span;            // where; or, with no place in a file, `subject`
  std::string subject;  // "host:edge", "account:edge-ftp/acme-in", "plan.postern"
  std::string label;    // under the caret
  std::vector<Label> also;
  std::vector<std::string> notes;  // the way out, one line each
};

class Diagnostics {
 public:
  Diagnostic& Add(Diagnostic diagnostic) { return all_.emplace_back(std::move(diagnostic)); }
  void Append(Diagnostics other);
  bool has_errors() const;
  bool empty() const { return all_.empty(); }
  const std::vector<Diagnostic>& all() const { return all_; }
  // By file, line, column, code; what has no place comes last. Equal ones are kept once.
  void Sort();

 private:
  std::vector<Diagnostic> all_;
};

// The files that were read, for printing. File 0 is "no file".
class Sources {
 public:
  Sources() { files_.emplace_back(); }
  // `path` as the user would type it. Returns the file's index.
  uint32_t Add(std::string path, std::string text);
  const std::string& path(uint32_t file) const { return files_[file].path; }
  // Valid until the next Add.
  std::string_view text(uint32_t file) const { return files_[file].text; }
  // Text of one line without its end; empty when there is none.
  std::string_view Line(uint32_t file, uint32_t line) const;
  // "access/partners/acme.toml:14"
  std::string Place(const Span& span) const;
  // Overwrites what the span covers with '*': a secret that stands in a file is never shown.
  void Hide(const Span& span);

 private:
  struct File {
    std::string path, text;
    mutable std::vector<uint32_t> starts;
  };
  std::vector<File> files_;
};

}  // namespace postern::diag
