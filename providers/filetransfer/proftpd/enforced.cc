// A server's observed configuration -> what it enforces. The rules are the Raiser's; here the
// generated file gets its text and rules that are asked for are left out.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd/product.h"
#include "providers/filetransfer/proftpd/raise.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using access::CellAnswers;
using access::ConfigFile;
using access::RaiseInput;

class ProftpdEnforced final : public access::Enforced {
 public:
  explicit ProftpdEnforced(Raiser raiser) : raiser_(std::move(raiser)) {}

  // A right that some way in gives is there; one that another refuses is there all the same.
  CellAnswers AnswersAt(const access::Cell& cell) const override {
    const ObjectPath object = ObjectOf(cell);
    CellAnswers out = raiser_.AnswersFor(object, Way::kFtp);
    const CellAnswers sftp = raiser_.AnswersFor(object, Way::kSftp);
    for (size_t i = 0; i < out.size(); ++i) out[i] = out[i] | sftp[i];
    return out;
  }
  // Every command but FTP's DELE asks for what a link leads to (tests/live/proftpd_product).
  CellAnswers AnswersByLink(const access::Cell& cell) const override {
    constexpr auto kDelete = static_cast<size_t>(access::Right::kDelete);
    CellAnswers out;
    out[kDelete] = raiser_.AnswersFor(ObjectOf(cell), Way::kFtp)[kDelete];
    return out;
  }
  std::map<std::string, AccountSet> Views() const override { return raiser_.Views(); }
  std::vector<std::string> NamedPaths() const override { return raiser_.NamedPaths(); }
  AccountSet OpenToAnybody() const override { return raiser_.Anonymous(); }
  const Reason& ReasonOf(ReasonId id) const override { return raiser_.reason(id); }

 private:
  static ObjectPath ObjectOf(const access::Cell& cell) {
    using Rest = ObjectPath::Rest;
    constexpr Rest kRests[] = {Rest::kNone, Rest::kEntry, Rest::kDeeper};
    return {cell.path, kRests[static_cast<size_t>(cell.part)]};
  }
  Raiser raiser_;
};

class Files final : public FileSource {
 public:
  explicit Files(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}
  Result<std::string> Read(const std::string& path) const override {
    const auto found = texts_.find(path);
    if (found == texts_.end()) return Fail(ErrorCode::kNotFound, "no such file");
    return found->second;
  }
  std::vector<std::string> Glob(const std::string& pattern) const override {
    std::vector<std::string> out;
    for (const auto& [path, text] : texts_) {
      if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) out.push_back(path);
    }
    return out;
  }

 private:
  std::map<std::string, std::string> texts_;
};

// The line after the statement, or after the section that it opens.
uint32_t EndOf(const std::vector<Statement>& statements, size_t at) {
  if (statements[at].kind != Statement::Kind::kOpen) return statements[at].line + 1;
  int depth = 0;
  for (size_t i = at; i < statements.size(); ++i) {
    const Statement& one = statements[i];
    if (!SameWord(one.name, statements[at].name)) continue;
    if (one.kind == Statement::Kind::kOpen) ++depth;
    if (one.kind == Statement::Kind::kClose && --depth == 0) return one.line + 1;
  }
  return UINT32_MAX;  // never closed
}

// The text without the rules at these lines; a redacted text has each statement on one line.
// `own_lost`: a line that included the generated file was among them.
std::string Without(const std::string& text, const std::vector<uint32_t>& lines,
                    const std::string& own, bool* own_lost) {
  const std::vector<Statement> statements = ParseStatements(text);
  std::vector<std::pair<uint32_t, uint32_t>> gone;
  for (size_t i = 0; i < statements.size(); ++i) {
    const Statement& one = statements[i];
    if (std::find(lines.begin(), lines.end(), one.line) == lines.end()) continue;
    gone.emplace_back(one.line, EndOf(statements, i));
    const bool includes = SameWord(one.name, "Include") && one.args.size() == 1;
    *own_lost = *own_lost || (includes && one.args[0] == own);
  }
  std::string out;
  uint32_t number = 1;
  for (size_t at = 0; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const bool drop = std::any_of(gone.begin(), gone.end(), [&](const auto& range) {
      return number >= range.first && number < range.second;
    });
    if (!drop) out.append(text, at, end - at);
    out += '\n';
    at = end + 1;
  }
  return out;
}

// What the generated file says.
Result<std::string> GeneratedText(const RaiseInput& input, const ConfigFile& file) {
  const bool edited_rule = std::any_of(input.without.begin(), input.without.end(),
                                       [&](const auto& rule) { return rule.first == file.path; });
  if (file.has_text && !input.generated_anew && !edited_rule) return file.text;
  if (input.roots.empty() && input.rows.empty()) return std::string();
  const access::Fit fit = Proftpd().FitRows(input.rows, input.roots);
  return Lower(fit.rows, input.roots);
}

}  // namespace

Result<std::unique_ptr<access::Enforced>> ProftpdProduct::Raise(const RaiseInput& input) const {
  RaiseQuestion question;
  question.defines = input.defines;
  question.accounts = input.accounts;
  std::map<std::string, std::string> texts;
  std::string own;
  bool own_lost = false;
  for (const ConfigFile& file : input.files) {
    if (file.role == ConfigFile::Role::kGenerated) own = file.path;
  }
  for (const ConfigFile& file : input.files) {
    if (file.role == ConfigFile::Role::kAccess) {
      if (!input.without.contains({file.path, 0})) question.ftpaccess_files.push_back(file.path);
      continue;
    }
    if (file.role == ConfigFile::Role::kMain) question.main_file = file.path;
    if (file.role == ConfigFile::Role::kGenerated) {
      auto text = GeneratedText(input, file);
      if (!text) return tl::unexpected(text.error());
      texts[file.path] = *std::move(text);
      continue;
    }
    std::vector<uint32_t> lines;
    for (const auto& [path, line] : input.without) {
      if (path == file.path) lines.push_back(line);
    }
    texts[file.path] = lines.empty() ? file.text : Without(file.text, lines, own, &own_lost);
  }
  if (question.main_file.empty()) {
    return Fail(ErrorCode::kIncomplete, "the daemon's configuration wasn't read");
  }
  // A rule that includes our file at another place than it belongs: without it the file is where
  // it belongs.
  if (own_lost) {
    texts[question.main_file] += fmt::format("<Global>\nInclude \"{}\"\n</Global>\n", own);
  }
  auto raiser = Raiser::Make(Files(std::move(texts)), std::move(question));
  if (!raiser) return tl::unexpected(raiser.error());
  return std::make_unique<ProftpdEnforced>(*std::move(raiser));
}

}  // namespace postern::proftpd
