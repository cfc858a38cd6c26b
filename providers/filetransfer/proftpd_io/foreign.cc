#include "providers/filetransfer/proftpd_io/foreign.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "providers/filetransfer/proftpd/names.h"
#include "providers/filetransfer/proftpd/redact.h"
#include "providers/filetransfer/server/daemon_reason.h"
#include "schemas/kinds.pb.h"

namespace postern::filetransfer {
namespace {

constexpr size_t kMostInFile = size_t{1} << 20, kMostTogether = size_t{4} << 20;

// The files that were read for a snapshot, as the product library asks for them.
class SnapshotFiles final : public proftpd::FileSource {
 public:
  SnapshotFiles(const ConfigChain& chain, const std::map<std::string, FileState>& more)
      : chain_(chain), more_(more) {}

  Result<std::string> Read(const std::string& path) const override {
    for (const auto* files : {&chain_.files(), &more_}) {
      const auto found = files->find(path);
      if (found == files->end()) continue;
      const FileState& state = found->second;
      if (state.presence == Presence::kUnreadable) return Fail(ErrorCode::kDenied, state.reason);
      if (state.regular) return state.content;
    }
    return Fail(ErrorCode::kNotFound, "no such file");
  }

  std::vector<std::string> Glob(const std::string& pattern) const override {
    std::vector<std::string> out;
    for (const auto& [path, state] : chain_.files()) {
      if (state.regular && ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) {
        out.push_back(path);
      }
    }
    return out;
  }

 private:
  const ConfigChain& chain_;
  const std::map<std::string, FileState>& more_;
};

std::vector<std::string> DefinesOf(const std::vector<std::string>& start) {
  std::vector<std::string> out;
  for (size_t i = 1; i < start.size(); ++i) {
    if (start[i] == "-D" && i + 1 < start.size()) {
      out.push_back(start[++i]);
    } else if (start[i].starts_with("-D")) {
      out.push_back(start[i].substr(2));
    }
  }
  return out;
}

// The folder of the block that a line of our include stands in; the first root outside of one.
std::string FolderAt(const std::vector<proftpd::Statement>& statements, uint32_t line,
                     const std::string& otherwise) {
  std::string out = otherwise;
  for (const proftpd::Statement& statement : statements) {
    if (statement.line > line) break;
    if (statement.kind != proftpd::Statement::Kind::kOpen || statement.args.empty() ||
        !proftpd::SameWord(statement.name, "Directory")) {
      continue;
    }
    std::string pattern = statement.args[0];
    while (pattern.ends_with("/*")) pattern.resize(pattern.size() - 2);
    out = proftpd::UnescapePath(pattern).value_or(otherwise);
  }
  return out;
}

// The line as people may see it: other directives' arguments can be secrets.
std::string Shown(const std::string& text) {
  const auto statements = proftpd::ParseStatements(text);
  return statements.empty() ? "" : proftpd::Redact(statements.front());
}

// When the file was last written; 0: it wasn't read for this snapshot.
int64_t ModifiedAt(const Snapshot& snapshot, const std::string& file) {
  const auto of_chain = snapshot.chain.files().find(file);
  if (of_chain != snapshot.chain.files().end()) return of_chain->second.modified;
  return snapshot.File(file).modified;
}

// Every file that the daemon may read at start, the main one first; not our own.
std::vector<std::string> FilesOf(const ConfigChain& chain, const std::string& generated) {
  std::vector<std::string> out = {chain.main()};
  for (const Inclusion& inclusion : chain.inclusions()) {
    for (const std::string& file : inclusion.files) {
      if (file != generated && std::find(out.begin(), out.end(), file) == out.end()) {
        out.push_back(file);
      }
    }
  }
  return out;
}

// An edit whose effect the parsed rows can't show: a directive that Postern doesn't write, or a
// denial that was taken out. Names added to or taken from a list show as rows.
bool IsBesideRows(const proftpd::Edit& edit) {
  if (edit.text.empty()) return edit.why.find("DenyAll") != std::string::npos;
  const auto statements = proftpd::ParseStatements(edit.text);
  if (statements.empty()) return false;  // a comment
  const proftpd::Statement& statement = statements.front();
  for (const char* known : {"AllowUser", "AllowGroup", "AllowOverwrite", "DenyAll", "Directory"}) {
    if (proftpd::SameWord(statement.name, known)) return false;
  }
  if (!proftpd::SameWord(statement.name, "Limit")) return true;
  // Of the group words only those that Postern puts beside single commands are harmless.
  return statement.kind == proftpd::Statement::Kind::kOpen && statement.args.size() == 1;
}

// By other hands, included by a pattern or with a whole folder.
std::set<std::string> FilesOfPatterns(const ConfigChain& chain, const std::string& generated) {
  std::set<std::string> out;
  for (const Inclusion& inclusion : chain.inclusions()) {
    for (const std::string& file : inclusion.files) {
      if (file == generated || file == inclusion.argument) continue;
      if (chain.files().contains(file)) out.insert(file);
    }
  }
  return out;
}

std::string LineOf(std::string_view text, uint32_t number) {
  for (; number > 1; --number) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

Result<proftpd::LiveConfig> Understand(const Snapshot& snapshot, const ServerSettings& settings,
                                       const std::map<std::string, FileState>& access_files) {
  proftpd::ConfigQuestion question;
  question.main_file = settings.config;
  question.include_file = settings.include;
  question.roots = settings.roots;
  question.defines = DefinesOf(settings.control.start);
  for (const auto& [path, state] : access_files) question.ftpaccess_files.push_back(path);
  return proftpd::ReadConfig(SnapshotFiles(snapshot.chain, access_files), question);
}

Result<void> AddComplaint(Transport& transport, const Snapshot& snapshot,
                          const ServerSettings& settings, proftpd::LiveConfig* config) {
  const std::set<std::string> files = FilesOfPatterns(snapshot.chain, settings.include);
  if (files.empty()) return {};
  auto answer = transport.Exec({.script = R"(exec "$@" </dev/null >&2)",
                                .args = CheckerCommand(snapshot.control, settings.config)});
  if (!answer) return tl::unexpected(answer.error());
  const std::string reason = FatalReason(answer->err);
  for (const std::string& file : files) {
    const size_t end = reason.rfind(fmt::format(" of '{}'", file));
    const size_t at = reason.rfind("on line ", end);
    if (end == std::string::npos || at == std::string::npos) continue;
    const auto line = static_cast<uint32_t>(std::atoi(reason.c_str() + at + 8));
    config->foreign.push_back(
        {.file = file,
         .line = line,
         .text = LineOf(snapshot.chain.files().at(file).content, line),
         .why = "proftpd takes nothing that stands behind it, in this file and behind what "
                "includes it: " +
                reason});
  }
  return {};
}

std::vector<object::Object> ForeignRules(const Snapshot& snapshot, const ServerSettings& settings,
                                         const proftpd::LiveConfig& config) {
  std::vector<object::Object> out;
  std::set<std::string> seen;
  // A rule that reaches every managed root stands at what holds them all.
  const std::string all = settings.roots.size() == 1 ? settings.roots.front() : "/";
  const auto add = [&](const std::string& file, uint32_t line, const std::string& text,
                       const std::string& path, const std::string& effect) {
    kinds::NativeRule rule;
    rule.set_server(settings.name);
    rule.set_file(file);
    rule.set_line(line);
    rule.set_text(Shown(text));
    rule.set_path(path.empty() ? all : path);
    rule.set_effect(effect);
    object::Object object = object::Encode(rule);
    object.changed_at = ModifiedAt(snapshot, file);
    if (object.changed_at != 0) object.how_known = "window";
    if (seen.insert(object.key).second) out.push_back(std::move(object));
  };
  for (const proftpd::Finding& finding : config.foreign) {
    add(finding.file, finding.line, finding.text, finding.path, finding.why);
  }
  const auto statements = proftpd::ParseStatements(snapshot.File(settings.include).content);
  for (const proftpd::Edit& edit : snapshot.grants.edits) {
    if (!IsBesideRows(edit)) continue;
    add(settings.include, edit.line, edit.text, FolderAt(statements, edit.line, all),
        fmt::format("edited by hand ({}); writing any grant of this server restores the file",
                    edit.why));
  }
  return out;
}

Result<std::vector<object::Object>> ConfigObjects(const Snapshot& snapshot,
                                                  const ServerSettings& settings,
                                                  const std::vector<FolderEntry>& access_files) {
  std::vector<object::Object> out;
  size_t together = 0;
  const auto add = [&](const std::string& file, std::string_view role, const std::string* text) {
    kinds::ServerConfig object;
    object.set_server(settings.name);
    object.set_file(file);
    object.set_role(role.data(), role.size());
    if (text != nullptr) object.set_text(proftpd::Redact(*text));
    if (role == "main") {
      for (std::string& define : DefinesOf(settings.control.start)) {
        object.mutable_defines()->add_values(std::move(define));
      }
    }
    together += object.text().size();
    if (object.text().size() > kMostInFile || together > kMostTogether) {
      return Result<void>(
          Fail(ErrorCode::kUnsupported,
               fmt::format("{} makes the configuration too large to compute access from", file)));
    }
    out.push_back(object::Encode(object));
    return Result<void>();
  };
  for (const std::string& file : FilesOf(snapshot.chain, settings.include)) {
    const auto found = snapshot.chain.files().find(file);
    if (found == snapshot.chain.files().end() || !found->second.regular) continue;
    const bool main = file == snapshot.chain.main();
    auto added = add(file, main ? "main" : "included", &found->second.content);
    if (!added) return tl::unexpected(added.error());
  }
  const bool edited = !snapshot.grants.edits.empty();
  auto added = add(settings.include, "generated",
                   edited ? &snapshot.File(settings.include).content : nullptr);
  if (!added) return tl::unexpected(added.error());
  for (const FolderEntry& entry : access_files) {
    if (added = add(entry.path, "access", nullptr); !added) return tl::unexpected(added.error());
  }
  return out;
}

}  // namespace postern::filetransfer
