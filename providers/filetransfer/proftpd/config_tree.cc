#include "providers/filetransfer/proftpd/config_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "providers/filetransfer/proftpd/directives.h"
#include "providers/filetransfer/proftpd/statement.h"

namespace postern::proftpd {
namespace {

using Kind = Statement::Kind;

constexpr int kDeepestInclude = 16;

// Statements in reading order -> nodes. Conditions are open frames that add to their parent.
class TreeReader {
 public:
  TreeReader(const FileSource* files, const TreeQuestion& question, const RaiseRules& rules)
      : files_(files),
        rules_(rules),
        defines_(question.defines.begin(), question.defines.end()),
        frames_(1) {}

  Result<ConfigTree> Run(const std::string& main_file) {
    const Result<std::string> text = files_->Read(main_file);
    if (!text) return base::Wrap("read " + main_file, text.error());
    ReadText(main_file, *text, 0);
    if (error_) return tl::unexpected<Error>(*error_);
    out_.root = Finish();
    return std::move(out_);
  }

  ConfigNode RunOne(std::string_view text, uint32_t file) {
    file_ = file;
    for (const Statement& statement : ParseStatements(text)) Take(statement, kDeepestInclude);
    return Finish();
  }

 private:
  struct Frame {
    ConfigNode node;
    bool condition = false;  // IfModule, IfDefine
    bool skipped = false;
  };

  void ReadText(const std::string& path, const std::string& text, int depth) {
    out_.files.push_back(path);
    const uint32_t here = static_cast<uint32_t>(out_.files.size() - 1);
    for (const Statement& statement : ParseStatements(text)) {
      file_ = here;
      Take(statement, depth);
      if (error_) return;
    }
  }

  void Take(const Statement& statement, int depth) {
    switch (statement.kind) {
      case Kind::kBroken:
        if (!Skipping()) Add(statement, ConfigNode::Kind::kBroken);
        return;
      case Kind::kOpen:
        return Open(statement);
      case Kind::kClose:
        return Close(statement);
      case Kind::kDirective:
        if (Skipping()) return;
        if (SameWord(statement.name, "Include")) return Include(statement, depth);
        if (SameWord(statement.name, "Define") && !statement.args.empty()) {
          defines_.insert(statement.args[0]);
        }
        if (SameWord(statement.name, "LoadModule") && !statement.args.empty()) {
          out_.modules.push_back(statement.args[0]);
        }
        Add(statement, ConfigNode::Kind::kDirective);
    }
  }

  static ConfigNode NodeOf(const Statement& statement, ConfigNode::Kind kind, uint32_t file) {
    return {.kind = kind,
            .word = Lowercase(statement.name),
            .args = statement.args,
            .text = statement.text,
            .file = file,
            .line = statement.line,
            .children = {}};
  }

  void Open(const Statement& statement) {
    Frame frame{.node = NodeOf(statement, ConfigNode::Kind::kSection, file_)};
    frame.skipped = Skipping();
    const std::string& word = frame.node.word;
    if (word == "ifmodule" || word == "ifdefine") {
      frame.condition = true;
      const std::string argument = statement.args.empty() ? "" : statement.args[0];
      const bool negated = rules_.conditions_negate && argument.starts_with('!');
      const std::string name = argument.substr(argument.starts_with('!') ? 1 : 0);
      const bool there = word == "ifmodule" ? HasModule(name) : defines_.contains(name);
      frame.skipped = frame.skipped || (rules_.conditions_decide && there == negated);
    }
    frames_.push_back(std::move(frame));
  }

  void Close(const Statement& statement) {
    if (frames_.size() == 1 || frames_.back().node.word != Lowercase(statement.name)) {
      if (!Skipping()) Add(statement, ConfigNode::Kind::kBroken);
      return;
    }
    PopFrame();
  }

  void PopFrame() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.skipped) return;
    std::vector<ConfigNode>& into = frames_.back().node.children;
    if (!frame.condition) {
      // Source: 1.3.8, observed: a block without lines isn't there, and hides no other.
      const bool rule = frame.node.word == "directory" || frame.node.word == "limit";
      if (rule && frame.node.children.empty() && rules_.empty_blocks_vanish) return;
      into.push_back(std::move(frame.node));
      return;
    }
    std::move(frame.node.children.begin(), frame.node.children.end(), std::back_inserter(into));
  }

  // What is left open is kept, and marked: the daemon refuses such a file at start.
  ConfigNode Finish() {
    while (frames_.size() > 1) {
      ConfigNode& open = frames_.back().node;
      ConfigNode mark = open;
      mark.kind = ConfigNode::Kind::kBroken;
      mark.children.clear();
      open.children.push_back(std::move(mark));
      PopFrame();
    }
    return std::move(frames_.front().node);
  }

  void Include(const Statement& statement, int depth) {
    if (files_ == nullptr || statement.args.size() != 1 || depth >= kDeepestInclude) {
      return Add(statement, ConfigNode::Kind::kBroken);
    }
    for (const std::string& path : FilesOf(statement.args[0])) {
      const Result<std::string> text = files_->Read(path);
      if (!text) {
        if (text.error().code == ErrorCode::kNotFound) continue;
        error_ = Error{ErrorCode::kIncomplete, fmt::format("{}: {}", path, text.error().message)};
        return;
      }
      const uint32_t here = file_;
      ReadText(path, *text, depth + 1);
      file_ = here;
      if (error_) return;
    }
  }

  std::vector<std::string> FilesOf(const std::string& argument) const {
    std::vector<std::string> found;
    if (argument.find_first_of("*?[") != std::string::npos) {
      found = files_->Glob(argument);
    } else {
      const Result<std::string> text = files_->Read(argument);
      const bool missing = !text && text.error().code == ErrorCode::kNotFound;
      if (!missing) return {argument};
      found = files_->Glob(argument.ends_with('/') ? argument + "*" : argument + "/*");
    }
    if (!rules_.includes_by_name) std::reverse(found.begin(), found.end());
    return found;
  }

  bool HasModule(const std::string& word) const {
    const auto named = [&](const std::string& module) {
      return module == word || module == word + ".c";
    };
    return IsBuiltinModule(word) || IsBuiltinModule(word + ".c") ||
           std::any_of(out_.modules.begin(), out_.modules.end(), named);
  }
  bool Skipping() const { return frames_.back().skipped; }
  void Add(const Statement& statement, ConfigNode::Kind kind) {
    frames_.back().node.children.push_back(NodeOf(statement, kind, file_));
  }

  const FileSource* files_;
  const RaiseRules& rules_;
  std::set<std::string> defines_;
  std::vector<Frame> frames_;
  uint32_t file_ = 0;
  ConfigTree out_;
  std::optional<Error> error_;
};

}  // namespace

Result<ConfigTree> ReadTree(const FileSource& files, const TreeQuestion& question,
                            const RaiseRules& rules) {
  return TreeReader(&files, question, rules).Run(question.main_file);
}

ConfigNode ReadSection(std::string_view text, uint32_t file) {
  const RaiseRules rules;
  return TreeReader(nullptr, {}, rules).RunOne(text, file);
}

}  // namespace postern::proftpd
