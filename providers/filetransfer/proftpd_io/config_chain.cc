#include "providers/filetransfer/proftpd_io/config_chain.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

namespace postern::filetransfer {
namespace {

constexpr int kDepth = 16;  // deeper than the daemon itself goes

bool IsPattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  return folder.empty() ? "/" : folder;
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

}  // namespace

// Reading goes in rounds: what the files of one round include is read in the next. Whether an
// argument is a file or a folder is known after its round only.
Result<ConfigChain> ConfigChain::Load(FileReader& reader, const std::string& main,
                                      const std::string& generated) {
  ConfigChain chain;
  chain.main_ = main;
  chain.generated_ = generated;
  std::set<std::string> files = {main};
  std::set<std::string> folders;
  for (int round = 0; round < 2 * kDepth && (!files.empty() || !folders.empty()); ++round) {
    auto read = reader.Read(std::vector<std::string>(files.begin(), files.end()),
                            std::vector<std::string>(folders.begin(), folders.end()));
    if (!read) return tl::unexpected(read.error());
    chain.listed_.insert(folders.begin(), folders.end());
    for (auto& [path, state] : *read) chain.files_.emplace(path, std::move(state));
    files.clear();
    folders.clear();
    if (round == 0) chain.Parse(main);
    // Parsing appends inclusions; those are settled in the same walk.
    for (size_t i = 0; i < chain.inclusions_.size(); ++i) chain.Settle(i, files, folders);
  }
  return chain;
}

void ConfigChain::Settle(size_t index, std::set<std::string>& files,
                         std::set<std::string>& folders) {
  if (inclusions_[index].settled) return;
  const std::string path = WithoutSlash(inclusions_[index].argument);
  const std::string folder = FolderOf(path);
  std::vector<std::string> found;
  if (IsPattern(folder)) {
    problems_.push_back(fmt::format("{}:{}: a pattern over folders can't be followed",
                                    inclusions_[index].from, inclusions_[index].line));
  } else if (IsPattern(path)) {
    if (!listed_.contains(folder)) {
      folders.insert(folder);
      return;
    }
    const auto fits = [&](const std::string& name) {
      return ::fnmatch(path.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0;
    };
    found = RegularFiles(fits);
    if (fits(generated_) && std::find(found.begin(), found.end(), generated_) == found.end()) {
      found.insert(std::upper_bound(found.begin(), found.end(), generated_), generated_);
    }
  } else if (!files_.contains(path)) {
    files.insert(path);
    return;
  } else if (!files_.at(path).directory) {
    found = {path};
  } else if (!listed_.contains(path)) {
    folders.insert(path);
    return;
  } else {
    inclusions_[index].whole_folder = true;
    found = RegularFiles([&](const std::string& name) { return FolderOf(name) == path; });
  }
  inclusions_[index].settled = true;
  inclusions_[index].files = found;
  for (const std::string& file : found) Parse(file);
}

std::vector<std::string> ConfigChain::RegularFiles(
    const std::function<bool(const std::string&)>& wanted) const {
  std::vector<std::string> out;
  for (const auto& [name, state] : files_) {
    if (state.regular && wanted(name)) out.push_back(name);
  }
  return out;
}

void ConfigChain::Parse(const std::string& file) {
  if (statements_.contains(file)) return;
  const auto found = files_.find(file);
  if (found == files_.end() || !found->second.regular) return;
  auto& statements = statements_[file] = proftpd::ParseStatements(found->second.content);
  order_.push_back(file);
  for (const proftpd::Statement& statement : statements) {
    if (statement.kind != proftpd::Statement::Kind::kDirective || statement.args.size() != 1 ||
        !proftpd::SameWord(statement.name, "Include")) {
      continue;
    }
    if (statement.args[0].starts_with('/')) {
      inclusions_.push_back({.from = file, .line = statement.line, .argument = statement.args[0]});
    } else {
      problems_.push_back(
          fmt::format("{}:{}: an Include without an absolute path", file, statement.line));
    }
  }
}

std::string ConfigChain::Problem(std::string_view except) const {
  if (!problems_.empty()) return problems_.front();
  const auto check = [&](const std::string& file) -> std::string {
    const auto found = files_.find(file);
    if (found == files_.end()) return file + " wasn't read";
    if (found->second.presence == Presence::kUnreadable) return file + ": " + found->second.reason;
    return file == main_ && found->second.presence == Presence::kAbsent ? file + " doesn't exist"
                                                                        : "";
  };
  if (std::string why = check(main_); !why.empty()) return why;
  for (const Inclusion& inclusion : inclusions_) {
    if (!inclusion.settled) return inclusion.argument + " wasn't read";
    for (const std::string& file : inclusion.files) {
      if (file == except) continue;
      if (std::string why = check(file); !why.empty()) return why;
    }
  }
  return "";
}

const std::vector<proftpd::Statement>& ConfigChain::statements(const std::string& file) const {
  static const std::vector<proftpd::Statement> none;
  const auto found = statements_.find(file);
  return found == statements_.end() ? none : found->second;
}

const Inclusion* ConfigChain::IncludedBy(std::string_view file) const {
  for (const Inclusion& inclusion : inclusions_) {
    if (std::find(inclusion.files.begin(), inclusion.files.end(), file) != inclusion.files.end()) {
      return &inclusion;
    }
  }
  return nullptr;
}

std::vector<std::vector<std::string>> ConfigChain::Arguments(std::string_view directive) const {
  std::vector<std::vector<std::string>> out;
  for (const std::string& file : order_) {
    for (const proftpd::Statement& statement : statements(file)) {
      if (statement.kind == proftpd::Statement::Kind::kDirective &&
          proftpd::SameWord(statement.name, directive)) {
        out.push_back(statement.args);
      }
    }
  }
  return out;
}

std::vector<std::string> ConfigChain::Values(std::string_view directive) const {
  std::vector<std::string> out;
  for (const auto& args : Arguments(directive)) {
    if (args.empty() || std::find(out.begin(), out.end(), args[0]) != out.end()) continue;
    out.push_back(args[0]);
  }
  return out;
}

// A copy of the file in which each Include that concerns a renamed file is spelled out. Its lines
// keep their numbers: several files of one pattern are included by a file of their own.
Result<void> ConfigChain::Rewrite(const std::string& file, const std::string& as,
                                  const std::map<std::string, std::string>& names,
                                  std::vector<CandidateFile>* copies) const {
  std::string out;
  std::vector<CandidateFile> patterns;
  std::string_view rest = files_.at(file).content;
  for (uint32_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    const auto found =
        std::find_if(inclusions_.begin(), inclusions_.end(), [&](const Inclusion& inclusion) {
          return inclusion.from == file && inclusion.line == number &&
                 std::any_of(inclusion.files.begin(), inclusion.files.end(),
                             [&](const std::string& name) { return names.contains(name); });
        });
    if (found == inclusions_.end()) {
      out += std::string(line) + "\n";
      continue;
    }
    if (line.ends_with('\\')) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}:{}: write this Include on one line", file, number));
    }
    std::string lines;
    for (const std::string& name : found->files) {
      const auto renamed = names.find(name);
      lines += fmt::format("Include \"{}\"\n", renamed == names.end() ? name : renamed->second);
    }
    if (found->files.size() > 1) {
      const size_t name = as.rfind('/') + 1;
      const std::string list = fmt::format("{}{}-{}", as.substr(0, name), number, as.substr(name));
      patterns.push_back({.path = list, .content = std::move(lines), .of = file});
      lines = fmt::format("Include \"{}\"\n", list);
    }
    out += lines;
  }
  copies->push_back({.path = as, .content = std::move(out), .of = file});
  for (CandidateFile& pattern : patterns) copies->push_back(std::move(pattern));
  return {};
}

Result<std::vector<CandidateFile>> ConfigChain::With(const std::string& file,
                                                     const std::string& text,
                                                     const std::string& folder) const {
  // The files on the way from the main one to `file` get copies; the others are used as they are.
  std::map<std::string, std::string> names;
  std::vector<std::string> way;
  for (std::string at = file; at != main_;) {
    names[at] = fmt::format("{}/{}.conf", folder, names.size());
    const Inclusion* by = IncludedBy(at);
    if (by == nullptr || names.size() > kDepth) break;
    at = by->from;
    way.push_back(at);
  }
  std::vector<CandidateFile> out;
  if (auto done = Rewrite(main_, folder + "/main.conf", names, &out); !done) {
    return tl::unexpected(done.error());
  }
  if (IncludedBy(file) == nullptr) {
    out.front().content += fmt::format("<Global>\nInclude \"{}\"\n</Global>\n", names[file]);
  }
  out.push_back({.path = names[file], .content = text, .of = file});
  for (const std::string& parent : way) {
    if (parent == main_) continue;
    if (auto done = Rewrite(parent, names[parent], names, &out); !done) {
      return tl::unexpected(done.error());
    }
  }
  return out;
}

}  // namespace postern::filetransfer
